"""Frames with a named, versioned schema: what columns there are, how they are judged, how rows are hashed.

What lives here: `Schema`. What to add: nothing per asset; each room declares its own schema. What stays
out: files (`lake`), and what a row means (the rooms).

The content hash is over values, never over files, so that a rewritten Parquet file, another compression or
another library gives the same hash. Bytes hashed, in order: the schema's name (length-prefixed UTF-8), its
version and the row count (int64), then row by row, ordered by `opened_at`, each column in schema order: a
null byte (0 present, 1 absent), then the value: int64 microseconds since 1970 UTC, int64, float64 (-0.0 as
0.0), one byte for a truth, or length-prefixed UTF-8; an absent value is written as its kind's zero. All
little-endian.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate
from typing import Any, Literal, Self

import numpy as np
import polars as pl

from coinhts_core.errors import BadFrameError

Kind = Literal["time", "int", "float", "bool", "text"]

_POLARS: dict[str, Any] = {
    "time": pl.Datetime("us", "UTC"),
    "int": pl.Int64,
    "float": pl.Float64,
    "bool": pl.Boolean,
    "text": pl.String,
}
_PACKED = {"time": "<i8", "int": "<i8", "float": "<f8", "bool": "u1"}


@dataclass(frozen=True)
class Column:
    """One column: its name, its kind, whether a value may be absent; for people, what it means and is made of.

    It is made of columns of other schemas, each as `candles.close`; of none where it comes from outside.
    """

    name: str
    kind: Kind
    nullable: bool = False
    meaning: str = ""
    made_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """A frame's columns. A change of columns is a new version, and new hashes."""

    name: str
    version: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def handed_on(self) -> Self:
        """The same rows, put together somewhere else: each column is made of its own."""
        handed = (replace(column, made_of=(f"{self.name}.{column.name}",)) for column in self.columns)
        return replace(self, columns=tuple(handed))

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={column.name: _POLARS[column.kind] for column in self.columns})

    def judge(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Exactly these columns, in this order, of these kinds, without NaN or infinities; or a refusal."""
        return pl.DataFrame([self._judged(frame, column) for column in self.columns])

    def content_hash(self, frame: pl.DataFrame) -> str:
        """Identify the rows, whatever file or library they came from."""
        return self.content_hashes(self.judge(frame), [frame.height])[0]

    def content_hashes(self, judged: pl.DataFrame, heights: Sequence[int]) -> list[str]:
        """Identify each stretch of so many rows, one after another; together they cost little more than one."""
        rows = judged
        if "opened_at" in rows.columns and not rows["opened_at"].is_sorted():
            stretches = (rows.slice(end - height, height) for end, height in _ends(heights))
            rows = pl.concat([stretch.sort("opened_at", maintain_order=True) for stretch in stretches])
        contents = zip(heights, self._bytes(rows, heights), strict=True)
        return [sha256(self._head(height) + content).hexdigest() for height, content in contents]

    def _judged(self, frame: pl.DataFrame, column: Column) -> pl.Series:
        if column.name not in frame.columns:
            raise self._refusal(column, "is missing")
        series = frame[column.name]
        if not column.nullable and series.null_count():
            raise self._refusal(column, "has empty values")
        if series.dtype != _POLARS[column.kind]:
            series = self._cast(series, column)
        if column.kind == "float" and not series.is_finite().all():
            raise self._refusal(column, "holds NaN or an infinity")
        return series

    def _cast(self, series: pl.Series, column: Column) -> pl.Series:
        """Convert what stays the same value: 1.5 is no int, a number is no time, nanoseconds are refused."""
        refusal = self._refusal(column, f"is {series.dtype} and cannot become {column.kind}")
        is_time = series.dtype in (pl.Datetime, pl.Date)
        if series.dtype != pl.Null and is_time != (column.kind == "time"):
            raise refusal
        try:
            cast = series.cast(_POLARS[column.kind])
            is_same = column.kind == "float" or (cast.cast(series.dtype) == series).all()
        except pl.exceptions.PolarsError as error:
            raise refusal from error
        if not is_same:
            raise refusal
        return cast

    def _refusal(self, column: Column, reason: str) -> BadFrameError:
        return BadFrameError(schema=self.name, column=column.name, reason=reason)

    def _head(self, height: int) -> bytes:
        return _sized(self.name) + struct.pack("<qq", self.version, height)

    def _bytes(self, rows: pl.DataFrame, heights: Sequence[int]) -> Iterator[bytes]:
        """Pack rows of fixed width at once; only texts, whose widths differ, are joined cell by cell."""
        if all(column.kind != "text" for column in self.columns):
            packed = _packed(rows, self.columns)
            yield from (packed[end - height : end].tobytes() for end, height in _ends(heights))
            return
        lines = [b"".join(cells) for cells in zip(*(_cells(rows, column) for column in self.columns), strict=True)]
        yield from (b"".join(lines[end - height : end]) for end, height in _ends(heights))


def _ends(heights: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(accumulate(heights), heights, strict=True)


def _cells(rows: pl.DataFrame, column: Column) -> list[bytes]:
    if column.kind == "text":
        return [_ABSENT_TEXT if value is None else b"\x00" + _sized(value) for value in rows[column.name]]
    packed = _packed(rows, [column])
    content, width = packed.tobytes(), packed.itemsize
    return [content[start : start + width] for start in range(0, len(content), width)]


def _packed(rows: pl.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    fields: list[tuple[str, str]] = []
    for column in columns:
        fields += [("?" + column.name, "u1"), (column.name, _PACKED[column.kind])]
    packed = np.zeros(rows.height, dtype=np.dtype(fields))
    for column in columns:
        values = rows[column.name].cast(pl.Int64) if column.kind == "time" else rows[column.name]
        if values.null_count():
            packed["?" + column.name] = values.is_null().to_numpy()
            values = values.fill_null(value=False) if column.kind == "bool" else values.fill_null(0)
        packed[column.name] = values.to_numpy()
        if column.kind == "float":  # numpy turns -0.0 into 0.0 so; polars skips adding nothing
            packed[column.name] += 0.0
    return packed


def _sized(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<q", len(encoded)) + encoded


_ABSENT_TEXT = b"\x01" + _sized("")
