"""Files of a home that nobody needs any more: old logs, what steps printed long ago, what killed processes left.

What lives here: finding them by name and age, and putting them away. What to add: a pattern, where a room drafts its
files under a name of its own. What stays out: the lake's and the cache's, which look after themselves.
"""

import gzip
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copyfileobj, rmtree

from coinhts_core.upkeep.tidied import Tidied

ARCHIVED_AFTER = timedelta(days=90)
PRINTED_KEPT_FOR = timedelta(days=30)
_TURNED_AFTER = timedelta(days=30)
_LEFT_FOR = timedelta(hours=1)
_DAY = re.compile(rb"\d{4}-\d\d-\d\d")
_READ_FOR_A_DAY = 4_096
# How rooms name what they have not finished writing.
_DRAFTS = (
    "*.draft",
    ".writable-*",
    ".strategies.toml-*",
    "benchmarks/*.draft",
    "dagster/.dagster-*.yaml",
    "dagster/claims/.*",
    "logs/.*",
    "reports/**/*.draft",
    "reports/**/.*",
    "results/.*",
)
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def archive_logs(folder: Path, moment: datetime, *, only_looks: bool) -> Tidied:
    """What was not written to for so long is compressed; a file of lines begins anew every month, so that it ends."""
    old = [log for log in _files(folder.glob("*")) if _is_whole(log) and moment - _written_at(log) >= ARCHIVED_AFTER]
    found = Tidied.of({log.name: log.stat().st_size for log in old})
    if not only_looks:
        for log in old:
            _compress(log, folder / "archive")
        for lines in _files(folder.glob("*.jsonl")):
            _turn(lines, moment)
    return found


def remove_prints(storage: Path, moment: datetime, *, only_looks: bool) -> Tidied:
    """What the steps of runs printed: a folder a run."""
    runs = [run for run in storage.glob("*") if _RUN.fullmatch(run.name) and run.is_dir()]
    old = {run: _size_below(run) for run in runs if moment - _written_at(run) >= PRINTED_KEPT_FOR}
    if not only_looks:
        for run in old:
            rmtree(run, ignore_errors=True)
    return Tidied.of({run.name: size for run, size in old.items()})


def remove_drafts(home: Path, temporary: Path, moment: datetime, *, only_looks: bool) -> Tidied:
    """What nobody has written to for an hour, and sockets that nobody listens on, will not be finished."""
    drafts = (draft for pattern in _DRAFTS for draft in _files(home.glob(pattern)))
    left = {draft: draft.stat().st_size for draft in drafts if moment - _written_at(draft) >= _LEFT_FOR}
    silent = {of: _size_below(of) for of in temporary.glob("coinhts-up-*") if _is_left(of, moment)}
    if not only_looks:
        for draft in left:
            draft.unlink(missing_ok=True)
        for of in silent:
            rmtree(of, ignore_errors=True)
    return Tidied.of({str(of): size for of, size in (left | silent).items()})


def _files(found: Iterable[Path]) -> Iterator[Path]:
    """Others may remove them meanwhile; links lead elsewhere."""
    for file in found:
        with suppress(FileNotFoundError):
            if file.is_file() and not file.is_symlink():
                yield file


def _written_at(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, tz=UTC)


def _is_whole(log: Path) -> bool:
    """A process appends to `x.log` and `x.jsonl`; `x.log.1` and `x.jsonl.20260101` are not written to any more."""
    return log.suffix not in {".log", ".jsonl"} and not log.name.startswith(".")


def _compress(log: Path, archive: Path) -> None:
    archive.mkdir(exist_ok=True)
    whole = archive / f"{log.name}-{_written_at(log):%Y%m%dT%H%M%S}.gz"
    draft = whole.with_name(f".{whole.name}")
    with log.open("rb") as read, gzip.open(draft, "wb") as packed:
        copyfileobj(read, packed)
    draft.chmod(0o600)
    draft.replace(whole)
    log.unlink(missing_ok=True)


def _turn(lines: Path, moment: datetime) -> None:
    """Whoever writes opens it for each line, and makes a new one."""
    with lines.open("rb") as read:
        day = _DAY.search(read.read(_READ_FOR_A_DAY))
    if day is None:
        return
    begun = datetime.fromisoformat(day[0].decode()).replace(tzinfo=UTC)
    turned = lines.with_name(f"{lines.name}.{moment:%Y%m%d}")
    if moment - begun >= _TURNED_AFTER and not turned.exists():
        lines.rename(turned)


def _is_left(folder: Path, moment: datetime) -> bool:
    with suppress(OSError):
        is_ours = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        return is_ours and moment - _written_at(folder) >= _LEFT_FOR and not any(map(_listens, folder.iterdir()))
    return False


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(place)) == 0


def _size_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in _files(folder.rglob("*")))
