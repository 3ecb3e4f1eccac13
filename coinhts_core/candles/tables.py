"""Somebody's Parquet or CSV file as a table: our columns of it, a piece at a time, every row with its number.

What lives here: `open_table`, which knows a file by its bytes, not by its name. What to add: a format, as one more
way to make pieces. What stays out: what stands in the columns (`stamps`, `amounts`).

Lines count from 1 as an editor shows them, rows of a Parquet file from 1, too. Memory holds a piece, never the file.
"""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from stat import S_ISREG
from typing import TextIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from coinhts_core.candles.columns import REQUIRED, recognised
from coinhts_core.errors import BadFileError

_PARQUET, _ZIP, _GZIP = b"PAR1", b"PK\x03\x04", b"\x1f\x8b"
_SEPARATORS = ",;\t|"
_HEADER_IS_WITHIN = 5  # some exporters begin with a line about themselves, Excel with `sep=;`
_LETTERS_A_PIECE = 8 * 2**20
_LONGEST_LINE = 2**16
_ROWS_A_PIECE = 2**17
_UNREADABLE = (OSError, EOFError, KeyError, UnicodeError, zlib.error, pa.ArrowException, pl.exceptions.PolarsError)


@dataclass(frozen=True)
class Table:
    """What is counted in it, what its time column is called, and its pieces: `number`, `is_ragged`, our columns."""

    counted_in: str
    separator: str
    columns: frozenset[str]
    time_column: str
    pieces: Iterator[pl.DataFrame]


@dataclass(frozen=True)
class _Header:
    line: int
    separator: str
    names: list[str]
    places: dict[str, int]


def open_table(file: Path) -> Table:
    """Refuse what is no table of candles; the pieces, read later, may still turn out damaged."""
    with _readable(file):
        if not S_ISREG(file.stat().st_mode):
            raise BadFileError(file=file.name, reason="it is no regular file")
        with file.open("rb") as opened:
            begins = opened.read(4)
        if begins == _ZIP:
            raise BadFileError(file=file.name, reason="it is an archive or a workbook; unpack it, or save it as CSV")
        return _parquet_table(file) if begins == _PARQUET else _csv_table(file)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Errors of other people's libraries, in our words."""
    try:
        yield
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
        raise BadFileError(file=file.name, reason=reason) from error


def _parquet_table(file: Path) -> Table:
    with pq.ParquetFile(file) as opened:
        names = list(opened.schema_arrow.names)
    places = _all_required(file, names)
    return Table("row", "", frozenset(places), names[places["opened_at"]], _parquet_pieces(file, names, places))


def _parquet_pieces(file: Path, names: list[str], places: dict[str, int]) -> Iterator[pl.DataFrame]:
    number = 1
    with _readable(file), pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(_ROWS_A_PIECE, columns=[names[place] for place in places.values()]):
            told = cast("pl.DataFrame", pl.from_arrow(batch))  # columns one by one would go through pyarrow.compute
            columns = {ours: _plain(told[names[place]]) for ours, place in places.items()}
            yield _numbered(pl.DataFrame(columns).with_columns(is_ragged=pl.lit(value=False)), number)
            number += batch.num_rows


def _plain(column: pl.Series) -> pl.Series:
    return column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column


def _csv_table(file: Path) -> Table:
    with _text(file) as text:
        lines = [text.readline(_LONGEST_LINE) for _ in range(_HEADER_IS_WITHIN)]
    headers = [_header(line, place, mark) for place, line in enumerate(lines, 1) for mark in _SEPARATORS]
    header = max(headers, key=lambda header: len(REQUIRED & header.places.keys()))
    _all_required(file, header.names)
    time_column = header.names[header.places["opened_at"]]
    return Table("line", header.separator, frozenset(header.places), time_column, _csv_pieces(file, header))


def _header(line: str, place: int, separator: str) -> _Header:
    try:
        names = next(csv.reader([line.strip("\n")], delimiter=separator), [])
    except csv.Error:
        names = []
    return _Header(place, separator, names, recognised(names))


def _all_required(file: Path, names: list[str]) -> dict[str, int]:
    places = recognised(names)
    if missing := sorted(REQUIRED - places.keys()):
        raise BadFileError(file=file.name, reason=f"it has no column {', '.join(missing)}; name its columns so")
    return places


@contextmanager
def _text(file: Path) -> Iterator[TextIO]:
    """Letters, whatever they are encoded in; what is no letter becomes a mark that no number has."""
    with file.open("rb") as probe:
        is_zipped = probe.read(2) == _GZIP
    with gzip.open(file) if is_zipped else file.open("rb") as raw:
        encoding = _encoding(raw.read(_LONGEST_LINE))
        raw.seek(0)
        with TextIOWrapper(cast("gzip.GzipFile", raw), encoding, errors="replace") as text:
            yield text


def _encoding(head: bytes) -> str:
    """Excel writes UTF-8 with a mark, UTF-16, or what Korean Windows has always written."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp949"
    return "utf-8-sig"


def _csv_pieces(file: Path, header: _Header) -> Iterator[pl.DataFrame]:
    number = header.line + 1
    with _readable(file), _text(file) as text:
        for _ in range(header.line):
            text.readline()
        while letters := text.read(_LETTERS_A_PIECE):
            letters += text.readline(_LONGEST_LINE)
            piece = _split(letters, header)
            yield _numbered(piece, number).filter(~pl.all_horizontal(pl.col(*header.places).is_null()))
            number += piece.height


def _split(letters: str, header: _Header) -> pl.DataFrame:
    """One row a line; a quotation mark that would swallow lines is taken for a letter.

    The reader learns from the first row how many fields to expect. A row put before the lines has one more than the
    header, so that a line with too many shows itself in the last field.
    """
    width = len(header.names)
    guard = header.separator.join("x" * (width + 1))
    content = f"{guard}\n{letters}".encode("utf-8", "replace")
    height = letters.count("\n") + (not letters.endswith("\n"))
    try:
        fields = _fields(content, header.separator, width, '"')
    except pl.exceptions.PolarsError:
        fields = pl.DataFrame()
    if fields.height != height + 1:
        fields = _fields(content, header.separator, width, None)
    ours = {name: pl.col(str(place)) for name, place in header.places.items()}
    return fields[1:].select(**ours, is_ragged=pl.col(str(width)).is_not_null())


def _fields(content: bytes, separator: str, width: int, quote: str | None) -> pl.DataFrame:
    schema = {str(place): pl.String for place in range(width + 1)}
    return pl.read_csv(
        content,
        has_header=False,
        schema=schema,
        separator=separator,
        quote_char=quote,
        truncate_ragged_lines=True,
    )


def _numbered(piece: pl.DataFrame, first: int) -> pl.DataFrame:
    return piece.with_columns(number=pl.int_range(first, first + pl.len(), dtype=pl.Int64))
