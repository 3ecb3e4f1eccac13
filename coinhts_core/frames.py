"""Frames with a named, versioned schema: what columns there are, how they are judged, how their rows are hashed.

What lives here: `Schema`. What to add: nothing per asset; each room declares its own schema. What stays out: files
(`lake`), and what a row means (the rooms).

The content hash is over values, never over files, so that a rewritten Parquet file, another compression or another
library gives the same hash. Bytes hashed, in order: the schema's name (length-prefixed UTF-8), its version and the
row count (int64), then row by row, ordered by `opened_at`, each column in schema order: a null byte (0 present,
1 absent), then the value: int64 microseconds since 1970 UTC, int64, float64 (−0.0 as 0.0), one byte for a truth, or
length-prefixed UTF-8; an absent value is written as its kind's zero. All little-endian.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

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
    """One column: its name, its kind, and whether a value may be absent."""

    name: str
    kind: Kind
    nullable: bool = False


@dataclass(frozen=True)
class Schema:
    """A frame's columns. A change of columns is a new version, and new hashes."""

    name: str
    version: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={column.name: _POLARS[column.kind] for column in self.columns})

    def judge(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Exactly these columns, in this order and of these kinds, without NaN or infinities; or a refusal."""
        for column in self.columns:
            self._judge_presence(frame, column)
        judged = frame.select(self._cast(frame, column) for column in self.columns)
        for column in self.columns:
            self._judge_values(judged[column.name], column)
        return judged

    def content_hash(self, frame: pl.DataFrame) -> str:
        """The identity of the rows, whatever file or library they came from."""
        judged = self.judge(frame)
        if "opened_at" in judged.columns:
            judged = judged.sort("opened_at", maintain_order=True)
        hasher = sha256(_text(self.name) + struct.pack("<qq", self.version, judged.height))
        if any(column.kind == "text" for column in self.columns):
            for row in judged.iter_rows():
                hasher.update(b"".join(_value(column.kind, value) for column, value in zip(self.columns, row, strict=True)))
        else:
            hasher.update(self._packed(judged))
        return hasher.hexdigest()

    def _judge_presence(self, frame: pl.DataFrame, column: Column) -> None:
        if column.name not in frame.columns:
            raise BadFrameError(schema=self.name, column=column.name, reason="is missing")
        if not column.nullable and frame[column.name].null_count():
            raise BadFrameError(schema=self.name, column=column.name, reason="has empty values")

    def _cast(self, frame: pl.DataFrame, column: Column) -> pl.Series:
        try:
            series = frame[column.name].cast(_POLARS[column.kind])
        except pl.exceptions.PolarsError as error:
            reason = f"is {frame[column.name].dtype} and cannot become {column.kind}"
            raise BadFrameError(schema=self.name, column=column.name, reason=reason) from error
        return series + 0.0 if column.kind == "float" else series

    def _judge_values(self, series: pl.Series, column: Column) -> None:
        if column.kind == "float" and not series.drop_nulls().is_finite().all():
            raise BadFrameError(schema=self.name, column=column.name, reason="holds NaN or an infinity")

    def _packed(self, frame: pl.DataFrame) -> bytes:
        fields = [field for column in self.columns for field in ((f"{column.name} absent", "u1"), (column.name, _PACKED[column.kind]))]
        rows = np.zeros(frame.height, dtype=np.dtype(fields))
        for column in self.columns:
            series = frame[column.name]
            rows[f"{column.name} absent"] = series.is_null().to_numpy()
            if column.kind == "time":
                series = series.dt.epoch("us")
            rows[column.name] = series.fill_null(0 if column.kind != "bool" else False).to_numpy()  # noqa: FBT003
        return rows.tobytes()


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<q", len(encoded)) + encoded


def _value(kind: Kind, value: Any) -> bytes:
    absent = b"\x01" if value is None else b"\x00"
    if kind == "text":
        return absent + _text(value or "")
    if kind == "bool":
        return absent + struct.pack("<?", value or False)
    if kind == "float":
        return absent + struct.pack("<d", value or 0.0)
    if kind == "time" and value is not None:
        value = int(value.timestamp()) * 1_000_000 + value.microsecond
    return absent + struct.pack("<q", value or 0)
