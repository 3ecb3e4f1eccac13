"""PostgreSQL's own programs at work: a database out as a dump, a dump read wholly, a dump into a database.

What lives here: running pg_dump and pg_restore, in pieces that no memory is too small for. What stays out: where pieces
are kept (`parts`), and what a database held (`facts`).

An address travels in the environment, never on a command line, which everybody on the machine may read.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from psycopg import pq
from psycopg.conninfo import make_conninfo

from coinhts_core.errors import RefusedError, RetryableError
from coinhts_core.ledger.binaries import MAJOR_VERSION, binary

PIECE = 32 * 2**20
_PINNED = {"LC_ALL": "C", "TZ": "UTC"}
_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")


class ProgramError(Exception):
    """A program ended otherwise than it should; its text is what it complained of."""


def dumped(url: str, snapshot: str, server_major: int) -> Iterator[bytes]:
    """A whole dump of what the snapshot shows, piece by piece; an error unless its end was reached."""
    options = ["--format=custom", "--no-password", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
    try:
        with _running([program("pg_dump", server_major), *options], url, stdout=subprocess.PIPE) as running:
            while piece := running.read(PIECE):
                yield piece
    except ProgramError as error:
        raise RetryableError(what=f"pg_dump ({error})") from None


def read_wholly(dump: Iterable[bytes], made_by: int) -> None:
    """Every row of a dump: a listing alone is content with a damaged one."""
    _feed([program("pg_restore", made_by), "--file=/dev/null"], None, dump)


def restored(dump: Iterable[bytes], url: str, made_by: int) -> None:
    """All of a dump into an empty database, or nothing of it."""
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]
    name = make_conninfo(dbname=_facts(url)["PGDATABASE"])
    _feed([program("pg_restore", made_by), *options, f"--dbname={name}"], url, dump)


def program(name: str, least: int) -> Path:
    """Ours, or for what is newer than ours the one on the PATH."""
    if least <= int(MAJOR_VERSION):
        return binary(name)
    found = shutil.which(name)
    if found and major_of(version_of(Path(found))) >= least:
        return Path(found)
    reason = f"PostgreSQL {least} needs a {name} of its own version or newer, and none is on the PATH; install one"
    raise RefusedError(reason=reason)


def version_of(path: Path) -> str:
    command = [str(path), "--version"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - one we looked up
    return told.strip()


def major_of(version: str) -> int:
    """Of what a program says of itself; 0 when it says nothing of it."""
    found = _MAJOR.search(version)
    return int(found[1]) if found else 0


def _feed(command: list[Path | str], url: str | None, dump: Iterable[bytes]) -> None:
    with _running(command, url, stdin=subprocess.PIPE) as running:
        for piece in dump:
            try:
                running.write(piece)
            except BrokenPipeError:
                break  # it has ended, and its own words say why
        with suppress(BrokenPipeError):
            running.close()


@contextmanager
def _running(command: list[Path | str], url: str | None, **pipes: Any) -> Iterator[IO[bytes]]:
    """The one pipe that its caller asked for; the program is waited for, or killed when its user gives up."""
    environment = {**os.environ, **_PINNED, **(_facts(url) if url else {})}
    with (
        TemporaryFile() as said,
        subprocess.Popen(command, env=environment, stderr=said, **pipes) as running,  # noqa: S603 - one we looked up
    ):
        try:
            yield running.stdout or running.stdin  # type: ignore[misc]
        except BaseException:
            running.kill()
            with suppress(BrokenPipeError):
                running.communicate()  # what is still to be written to it is nobody's any more
            raise
        if running.wait():
            said.seek(0)
            raise ProgramError(_complaint(said.read().decode(errors="replace")))


def _facts(url: str) -> Mapping[str, str]:
    """What an address tells, by the variables that libpq reads."""
    told = ((of.envvar, of.val) for of in pq.Conninfo.parse(url.encode()))
    return {name.decode(): value.decode() for name, value in told if name and value}


def _complaint(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if "error:" in line), lines[0] if lines else "it ended without a word")
    return first.partition("error: ")[2] or first
