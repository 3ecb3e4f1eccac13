"""Decoded columns, kept mapped: what was read once need not be decoded again, by any process of the home.

What lives here: `Decoded`, a folder of files, each the columns of some rows as raw arrays. What to add: nothing per
asset; rows of numbers and times alone are worth it. What stays out: what a name stands for (`reader`).

A file is a cache and never a truth. It appears whole under its name and is not changed afterwards. It may be removed
at any time: whoever has it mapped keeps its rows. It is believed when it says its own name and the sums of all its
blocks are those that were written, so what a crash or a disk did to it is noticed, and it is written anew.

The header is one block: canonical JSON, filled up with spaces. The columns follow, each from a new block on.
"""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from coinhts_core.clock import now
from coinhts_core.hashes import Fact, canonical

_log = logging.getLogger("coinhts.lake")
_BLOCK = 4_096
_ENDING, _UNFINISHED = ".columns", ".unfinished"
_MOST = 8 * 2**30
_LEAST = 2**20  # smaller ones are decoded as fast
_MARKED_EVERY = timedelta(hours=1)
_UNFINISHED_FOR = timedelta(hours=1)
_NEEDED_FOR = timedelta(days=1)  # after its last use: what goes sooner would be missed in the same round
_KEPT_FOR = timedelta(days=30)
_KINDS: dict[str, tuple[Any, pa.DataType]] = {
    "day": (pl.Date(), pa.date32()),
    "time": (pl.Datetime("us", "UTC"), pa.timestamp("us", "UTC")),
    "int": (pl.Int64(), pa.int64()),
    "float": (pl.Float64(), pa.float64()),
}


class Decoded:
    """Rows by name, in a folder that never holds more than `most` bytes; fewer than `least` are not kept."""

    def __init__(self, folder: Path, most: int = _MOST, least: int = _LEAST) -> None:
        self._folder = folder
        self._most = most
        self._least = least

    def get(self, name: str) -> pl.DataFrame | None:
        """The rows, still lying in the file; None where it is not there or not to be believed."""
        file = self._folder / f"{name}{_ENDING}"
        try:
            stat = file.stat()
            with pa.memory_map(str(file)) as opened:  # what is mapped outlives it, and holds no file open
                mapped = opened.read_buffer()
        except FileNotFoundError:
            return None
        except OSError as error:
            _say("kept columns cannot be read", file, error.strerror)
            return None
        rows = _believed(name, mapped)
        if rows is None:
            _say("kept columns are damaged", file, "they are decoded again")
            _remove(file)
        elif now() - _moment(stat.st_atime) > _MARKED_EVERY:
            _mark_used(file, stat.st_mtime_ns)
        return rows

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        """Keep the rows if they are of one width and there is room; what cannot be kept is decoded again."""
        columns = _columns(rows)
        if columns is None or rows.estimated_size() < self._least:
            return
        header, arrays = columns
        size = _BLOCK + sum(_filled(array.nbytes) for array in arrays)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._makes_room(size):
                self._write(name, header, arrays)
        except OSError as error:
            _say("columns cannot be kept", self._folder, error.strerror)

    def _write(self, name: str, header: list[Fact], arrays: Sequence[np.ndarray]) -> None:
        """In one piece, for which the system takes large pages, and a large page is mapped as fast as a small one."""
        head = canonical([name, *header, _sums(name, header, arrays)]).encode().ljust(_BLOCK)
        columns = (part for array in arrays for part in (array.data, bytes(_filled(array.nbytes) - array.nbytes)))
        draft = self._folder / f"{token_hex(8)}{_UNFINISHED}"
        try:
            with draft.open("xb") as file:
                file.write(b"".join((head, *columns)))
            draft.replace(self._folder / f"{name}{_ENDING}")
        finally:
            draft.unlink(missing_ok=True)

    def _makes_room(self, size: int) -> bool:
        """Remove what nobody has used for long, or for a day where room is needed; what is in use stays."""
        moment, held = now(), 0
        for file, used_at, of in sorted(self._files(), key=lambda found: found[1], reverse=True):
            unused_for = moment - used_at
            is_over = unused_for > (_UNFINISHED_FOR if file.name.endswith(_UNFINISHED) else _KEPT_FOR)
            if is_over or (held + of + size > self._most and unused_for > _NEEDED_FOR):
                _remove(file)
            else:
                held += of
        return held + size <= self._most and size < shutil.disk_usage(self._folder).free // 2

    def _files(self) -> Iterator[tuple[Path, datetime, int]]:
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was first
                stat = file.stat()
                yield file, _moment(max(stat.st_atime, stat.st_mtime)), stat.st_size


def _believed(name: str, mapped: pa.Buffer) -> pl.DataFrame | None:
    blocks = np.frombuffer(mapped, np.uint8)
    try:
        said, *header, sums = json.loads(bytes(blocks[:_BLOCK]))
        count, kinds = header
        types = [_KINDS[kind][1] for _, kind in kinds]
        sizes = [count * kind.bit_width // 8 for kind in types]
        starts = list(accumulate(map(_filled, sizes), initial=_BLOCK))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if said != name or starts[-1] != len(blocks):
        return None
    arrays = [blocks[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    if sums != _sums(name, header, arrays):
        return None
    return pl.DataFrame(
        [
            pl.Series(column, pa.Array.from_buffers(kind, count, [None, pa.py_buffer(array)]))
            for (column, _), kind, array in zip(kinds, types, arrays, strict=True)
        ]
    )


def _columns(rows: pl.DataFrame) -> tuple[list[Fact], list[np.ndarray]] | None:
    """What the header says of the rows, and their columns as arrays; None where a column is not of one width."""
    names = {dtype: kind for kind, (dtype, _) in _KINDS.items()}
    kinds: list[Fact] = [[column.name, names.get(column.dtype)] for column in rows]
    if not rows.height or any(column.dtype not in names or column.null_count() for column in rows):
        return None
    return [rows.height, kinds], [np.ascontiguousarray(column.to_physical().to_numpy()) for column in rows]


def _sums(name: str, header: Sequence[Fact], arrays: Sequence[np.ndarray]) -> str:
    """Of each block the sum of its words, hashed: at the speed of memory, and no flipped bit or lost block escapes."""
    hasher = sha256(canonical([name, *header]).encode())
    for array in arrays:
        content = array.view(np.uint8)
        whole = len(content) - len(content) % _BLOCK
        last = np.frombuffer(bytes(content[whole:]).ljust(_BLOCK, b"\0"), np.uint64)
        hasher.update(np.add.reduce(content[:whole].view(np.uint64).reshape(-1, _BLOCK // 8), axis=1).tobytes())
        hasher.update(np.add.reduce(last).tobytes())
    return hasher.hexdigest()


def _say(event: str, place: Path, reason: str | None) -> None:
    _log.warning(event, extra={"facts": {"place": str(place), "reason": reason}})


def _filled(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _mark_used(file: Path, written_ns: int) -> None:
    with suppress(OSError):  # a home that cannot be written can still be read
        os.utime(file, ns=(int(now().timestamp() * 1e9), written_ns))


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
