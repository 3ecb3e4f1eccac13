import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from coinhts_core.backups.facts import difference, snapshot_of
from coinhts_core.backups.manifest import lines_of
from coinhts_core.backups.parts import files_of, heads_of
from coinhts_core.backups.restore import restore, unfinished
from coinhts_core.errors import DamagedBackupError, NotEmptyError, RefusedError, UnknownBackupError
from coinhts_core.lake.comparison import Comparison
from coinhts_core.lake.uploads import verify as verify_upload
from tests.core.backups.conftest import BTC, environment_of

NAME = "20260201T040000Z"
_RESTORE_UNTIL_KILLED = """
import os, signal, sys
from coinhts_core.backups.restore import restore
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.settings import read_settings

def progress(step, done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

settings = read_settings()
restore(BackupShelf.open(settings), sys.argv[1], settings, progress)
"""


def equal(one, other):
    """Both databases, every current row of the lake, people's files, strategies."""
    for url, restored in ((one.url, other.url), (one.dagster_url, other.dagster_url)):
        with snapshot_of(url) as there, snapshot_of(restored) as here:
            assert difference(there.facts(), here.facts()) == []
    compared = Comparison(other.store, one.store)
    for path in compared.of_one_size:
        compared.read(path)
    assert (compared.missing, compared.different) == ([], {})
    assert all("000000000001" in path for path in compared.extra), "only what was superseded stays behind"
    assert one.lake.heads("candles/minute", BTC) == other.lake.heads("candles/minute", BTC)
    assert verify_upload(other.store, "reports/2026-01.html").matches
    for path in ("strategies.toml", "strategies/mine/own.py"):
        assert (other.settings.home / path).read_bytes() == (one.settings.home / path).read_bytes()


def test_what_was_backed_up_is_there_again(installed, empty):
    """In databases, a lake and a home that held nothing; and it can be worked on, and backed up."""
    manifest, target, told = installed.take(), empty(), []
    restored = restore(target.shelf, NAME, target.settings, lambda *step: told.append(step))
    equal(installed, target)
    assert (restored.rows, restored.names, restored.lacks) == (manifest.rows, 7, ())
    assert restored.files == ("strategies/mine/own.py", "strategies.toml")
    assert told[-1][1] == told[-1][2]
    assert unfinished(target.settings) is None
    target.collect(installed.lake.heads("candles/minute", BTC).popitem()[0].replace(day=28), close=9)
    assert target.take(manifest.taken_at.replace(hour=5)).lacks == ()


def test_nothing_is_written_over(in_directories, empty_directory):
    """Where a row, a name of the lake or a strategy is, there is one sentence, and all is as it was."""
    in_directories.take()
    in_directories.take(in_directories.shelf.newest().taken_at.replace(hour=5))
    with_table, with_lake, with_strategy = empty_directory(), empty_directory(), empty_directory()
    with psycopg.connect(with_table.dagster_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE mine (number int)")
    with_lake.lake.mark_venue("upbit", "elsewhere")
    with_strategy.settings.strategies_folder.mkdir()
    (with_strategy.settings.strategies_folder / "own.py").write_text("mine")
    for target, found in ((with_table, "columns"), (with_lake, "venue.json"), (with_strategy, "strategies/own.py")):
        with pytest.raises(NotEmptyError, match=found):
            restore(target.shelf, NAME, target.settings)
        assert not (target.settings.home / "restoring.json").exists()
    assert not (with_strategy.settings.home / "lake").exists()
    with pytest.raises(NotEmptyError):
        restore(in_directories.shelf, NAME, in_directories.settings)


@pytest.mark.parametrize("step", [3, 8, 11])
def test_who_was_killed_begins_again_and_ends_well(in_directories, empty_directory, step):
    """By the same command; another backup, or another place, is refused meanwhile."""
    in_directories.take()
    in_directories.take(in_directories.shelf.newest().taken_at.replace(hour=5))
    target = empty_directory()
    command = [sys.executable, "-c", _RESTORE_UNTIL_KILLED, NAME, str(step)]
    environment = environment_of(target.settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert unfinished(target.settings) == NAME
    with pytest.raises(RefusedError, match=f"holds a half restored {NAME}"):
        restore(target.shelf, "20260201T050000Z", target.settings)
    elsewhere = target.settings.model_copy(update={"lake": f"{target.settings.lake}-other"})
    with pytest.raises(RefusedError, match=f"holds a half restored {NAME}"):
        restore(target.shelf, NAME, elsewhere)
    (Path(target.settings.lake) / "uploaded-notes" / "reports").mkdir(parents=True, exist_ok=True)
    (Path(target.settings.lake) / "uploaded-notes" / "reports" / "0123456789abcdef.unfinished").write_bytes(b"half")
    restore(target.shelf, NAME, target.settings)
    target.store.remove_unfinished(datetime.now(UTC) + timedelta(days=1))
    equal(in_directories, target)
    assert unfinished(target.settings) is None


def test_what_came_in_between_is_not_written_over_either(in_directories, empty_directory):
    """A restore that goes on finds a name, or a row, that is none of its own."""
    in_directories.take()
    for spoil in (_other_bytes, _another_name, _another_row):
        target = empty_directory()
        with pytest.raises(KeyboardInterrupt):
            restore(target.shelf, NAME, target.settings, _stop_when_filled)
        spoil(target)
        with pytest.raises(NotEmptyError):
            restore(target.shelf, NAME, target.settings)


def _stop_when_filled(step, *_):
    if step == "ledger filled":
        raise KeyboardInterrupt


def _other_bytes(target):
    (Path(target.settings.lake) / "venue.json").write_bytes(b"{}")


def _another_name(target):
    target.collect(date(2026, 5, 5))


def _another_row(target):
    with psycopg.connect(target.dagster_url, autocommit=True) as connection:
        connection.execute("INSERT INTO runs VALUES ('mine', '{}')")


@pytest.mark.parametrize("path", ["../evil", "/evil", "strategies/../../evil", ".env", "dagster/../.env", "lake/x"])
def test_no_backup_writes_where_nothing_of_it_belongs(in_directories, empty_directory, path):
    """However well it is signed."""
    manifest = in_directories.take()
    files = files_of(in_directories.shelf.store, manifest)
    evil = files.files[0].model_copy(update={"path": path})
    in_directories.forge(NAME, "files.json", files.model_copy(update={"files": (evil,)}).to_text())
    target = empty_directory()
    before = set(target.settings.home.parent.rglob("*"))
    with pytest.raises(DamagedBackupError, match="which no backup holds"):
        restore(target.shelf, NAME, target.settings)
    written = {
        of for of in target.settings.home.parent.rglob("*") if of not in before and target.settings.lake not in str(of)
    }
    assert written == {target.settings.home / "restoring.json"}
    forged = [of.model_copy(update={"path": path}) for of in heads_of(in_directories.shelf.store, manifest)][:1]
    in_directories.forge(NAME, "heads.jsonl", lines_of(forged))
    with pytest.raises(DamagedBackupError, match="missing or damaged"):
        restore(target.shelf, NAME, empty_directory().settings)


def test_a_damaged_backup_is_not_believed(in_directories, empty_directory):
    """Whatever is damaged: one sentence, and neither database holds anything but all of it."""
    entries = heads_of(in_directories.shelf.store, in_directories.take())
    for file in (
        Path(in_directories.shelf.store.full_name(f"objects/{entries[0].sha256}")),
        in_directories.file(NAME, "ledger.dump"),
        in_directories.file(NAME, "heads.jsonl"),
        in_directories.file(NAME, "manifest.json"),
    ):
        whole = file.read_bytes()
        file.write_bytes(whole[:-20] + bytes(20))
        target = empty_directory()
        with pytest.raises(DamagedBackupError):
            restore(target.shelf, NAME, target.settings)
        with snapshot_of(target.url) as snapshot:
            assert snapshot.structure() == []
        file.write_bytes(whole)


def test_facts_that_differ_after_restoring_are_told(in_directories, empty_directory):
    """A manifest that counts otherwise than its dump is found out when both are compared."""
    manifest = in_directories.take()
    ledger = manifest.databases["ledger"]
    tables = {**ledger.tables, "public.coverage": ledger.tables["public.coverage"].model_copy(update={"rows": 4})}
    forged = manifest.model_copy(
        update={"databases": {**manifest.databases, "ledger": ledger.model_copy(update={"tables": tables})}}
    )
    in_directories.file(NAME, "manifest.json").write_bytes(forged.to_text())
    target = empty_directory()
    with pytest.raises(DamagedBackupError, match=r"the table public\.coverage has 3 rows instead of 4"):
        restore(target.shelf, NAME, target.settings)


def test_what_cannot_be_restored_is_refused_in_words(in_directories, empty_directory):
    """No such backup; one place for two databases; a note that nobody can read."""
    in_directories.take()
    target = empty_directory()
    with pytest.raises(UnknownBackupError):
        restore(target.shelf, "20250101T000000Z", target.settings)
    one_place = target.settings.model_copy(update={"dagster_postgres_url": target.settings.postgres_url})
    with pytest.raises(RefusedError, match="one place for both"):
        restore(target.shelf, NAME, one_place)
    (target.settings.home / "restoring.json").write_text("{")
    with pytest.raises(RefusedError, match=r"restoring\.json in it cannot be read"):
        restore(target.shelf, NAME, target.settings)
