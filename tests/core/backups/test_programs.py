import os
import stat
import time

import psutil
import psycopg
import pytest

from coinhts_core.backups.facts import difference, snapshot_of
from coinhts_core.backups.programs import ProgramError, dumped, major_of, program, read_wholly, restored, version_of
from coinhts_core.errors import DamagedBackupError, RefusedError, RetryableError
from coinhts_core.ledger.binaries import binary


@pytest.fixture
def url(database):
    """Give a database with a table of some rows."""
    url = database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE told AS SELECT n, md5(n::text) FROM generate_series(1, 2000) AS n")
    return url


def dump(url):
    with snapshot_of(url) as snapshot:
        return list(dumped(url, snapshot.name, snapshot.major))


def test_a_dump_goes_out_and_in(url, database):
    """What a snapshot showed is what another database then holds."""
    with snapshot_of(url) as snapshot, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM told")
        pieces, facts = list(dumped(url, snapshot.name, snapshot.major)), snapshot.facts()
    read_wholly(pieces, 18)
    other = database()
    restored(pieces, other, 18)
    with snapshot_of(other) as snapshot:
        assert difference(facts, snapshot.facts()) == []
        assert snapshot.facts().tables["public.told"].rows == 2000


@pytest.mark.parametrize(
    "spoil", [lambda of: of[: len(of) // 2], lambda of: of[:-1], lambda _: b"", lambda of: b"x" + of]
)
def test_half_a_dump_is_found_out_and_leaves_an_empty_database_empty(url, database, spoil):
    """Cut, emptied or shifted: it is not read wholly, and nothing of it is put into a database."""
    broken, other = [spoil(b"".join(dump(url)))], database()
    with pytest.raises(ProgramError):
        read_wholly(broken, 18)
    with pytest.raises(ProgramError):
        restored(broken, other, 18)
    with snapshot_of(other) as snapshot:
        assert snapshot.structure() == []


def test_who_gives_up_leaves_no_program_behind(url):
    """Neither while a dump comes out nor while one goes in."""
    with snapshot_of(url) as snapshot:
        pieces = dumped(url, snapshot.name, snapshot.major)
        next(pieces)
        pieces.close()
    assert _children() == []

    def breaks_off():
        yield b"PGDMP"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_wholly(breaks_off(), 18)
    assert _children() == []


def test_who_gives_up_does_not_wait_for_a_program_that_hangs(tmp_path, monkeypatch):
    """It is ended at any price, and what went wrong is what is told."""
    deaf = tmp_path / "pg_restore"
    deaf.write_text("#!/bin/sh\nexec sleep 60\n")
    deaf.chmod(stat.S_IRWXU)
    monkeypatch.setattr("coinhts_core.backups.programs.program", lambda *_: deaf)

    def breaks_off():
        yield bytes(1_000)
        raise DamagedBackupError(name="x", reason="its last piece")

    begun = time.monotonic()
    with pytest.raises(DamagedBackupError):
        read_wholly(breaks_off(), 18)
    assert time.monotonic() - begun < 30


def test_no_password_stands_on_a_command_line(url, monkeypatch):
    """Everybody on the machine may read those."""
    canary = "canary-hush"
    with_password = url.replace("postgres@", f"postgres:{canary}@")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO told SELECT n, md5(n::text) FROM generate_series(1, 50000) AS n")
    with snapshot_of(with_password) as snapshot:
        monkeypatch.setattr("coinhts_core.backups.programs.PIECE", 64)
        pieces = dumped(with_password, snapshot.name, snapshot.major)
        next(pieces)
        (child,) = _children()
        assert canary not in " ".join(child.cmdline())
        assert child.environ()["PGPASSWORD"] == canary
        list(pieces)


def test_a_server_that_is_gone_is_told_in_words(url):
    """The program's own complaint, without the address' secrets."""
    gone = url.replace("/test_", "/gone_").replace("postgres@", "postgres:canary-hush@")
    with pytest.raises(RetryableError, match=r"pg_dump .*does not exist") as refusal:
        list(dumped(gone, "1-1", 18))
    assert "canary" not in str(refusal.value)


def test_a_newer_server_needs_newer_programs(tmp_path, monkeypatch):
    """One on the PATH is taken; without it, or with one as old as ours, there is one sentence."""
    assert program("pg_dump", 13) == program("pg_dump", 18) == binary("pg_dump")
    monkeypatch.setenv("PATH", str(tmp_path))
    refusal = "PostgreSQL 19 needs a pg_dump of its own version or newer, and none is on the PATH"
    with pytest.raises(RefusedError, match=refusal):
        program("pg_dump", 19)
    for version, is_enough in (("18.4", False), ("19beta1", True), ("20.1", True)):
        fake = tmp_path / "pg_dump"
        fake.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
        fake.chmod(stat.S_IRWXU)
        if is_enough:
            assert program("pg_dump", 19) == fake
            assert version_of(fake).endswith(version)
        else:
            with pytest.raises(RefusedError):
                program("pg_dump", 19)


def test_versions_are_read_as_programs_tell_them():
    """The major number alone decides."""
    assert [major_of(of) for of in ("pg_dump (PostgreSQL) 18.4", "x (PostgreSQL) 9.6.1 (Debian)", "nonsense")] == [
        18,
        9,
        0,
    ]


def _children():
    return [of for of in psutil.Process(os.getpid()).children() if of.name().startswith("pg_")]
