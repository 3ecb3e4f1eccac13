"""The data directory of the embedded server: made whole or not at all, opened only by its own version.

What lives here: making and judging it, and what its notes and logs say about the server. What stays out:
starting and stopping (`server`).
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import psutil

from coinhts_core.errors import LedgerStartError
from coinhts_core.ledger.binaries import MAJOR_VERSION, Binaries
from coinhts_core.ledger.places import Place, sync_directory

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_INITDB = (
    "--username=postgres",
    "--auth=trust",  # the socket lies in a directory that only its account may enter
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # sorts alike on every machine
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--no-instructions",
)
_TAIL_BYTES = 8_000
_BEGIN = "starting PostgreSQL"
# While it recovers, the server tells everybody who asks that it is starting up: that is no complaint.
_COMPLAINT = re.compile(r"(?:FATAL|PANIC|error):\s+(?!\s|the database system is )(.+)")


def ensure_cluster(place: Place, binaries: Binaries, lock: int) -> None:
    """Make sure of a data directory of our version; an initdb left behind keeps `lock`, and others wait."""
    if not place.data_directory.exists():
        _make(place, binaries, lock)
    found = (place.data_directory / "PG_VERSION").read_text(encoding="utf-8").strip()
    if found != MAJOR_VERSION:
        reason = (
            f"{place.data_directory} was written by PostgreSQL {found} and coinhts brings {MAJOR_VERSION}; "
            "dump it with the coinhts that wrote it, and restore the dump here"
        )
        raise LedgerStartError(reason=reason, log=place.log)


def _make(place: Place, binaries: Binaries, lock: int) -> None:
    draft = place.data_directory.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    place.private_directory(draft)
    done = subprocess.run(  # noqa: S603 our own program
        [binaries.path("initdb"), *_INITDB, "-D", draft],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        pass_fds=[lock],
        start_new_session=True,
        cwd="/",
        env=ENVIRONMENT,
        **place.account.to_run_as(),
    )
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        raise LedgerStartError(reason=complaint(done.stderr), log=place.log)
    draft.rename(place.data_directory)
    sync_directory(place.files)


def postmaster(note: Path, data_directory: Path) -> psutil.Process | None:
    """Find the server a lock file names, unless its number has become another process'."""
    try:
        process = psutil.Process(int(note.read_text(encoding="utf-8").split("\n", 1)[0]))
        is_ours = process.name() == "postgres" and str(data_directory) in process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return process if is_ours else None


def last_words(place: Place) -> str:
    """Tell why the server ended, from what it wrote before or after it opened its log."""
    logs = [place.files / "start.log", *place.log.glob("*.log")]
    newest = max(logs, key=lambda log: log.stat().st_mtime_ns)
    with newest.open("rb") as log:
        log.seek(max(0, newest.stat().st_size - _TAIL_BYTES))
        return complaint(log.read().decode(errors="replace").rpartition(_BEGIN)[2])


def complaint(text: str) -> str:
    """Pick the first line that tells an error, which caused the others, or else the last line at all."""
    found = _COMPLAINT.search(text)
    return found[1] if found else (text.strip().split("\n")[-1] or "it ended without a word")
