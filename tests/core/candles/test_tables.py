import gzip
import os
import zipfile
from datetime import UTC, datetime

import polars as pl
import pytest

from coinhts_core.candles import tables
from coinhts_core.candles.tables import open_table
from coinhts_core.errors import BadFileError

HEADER = "time,open,high,low,close,volume"
ROWS = [f"2024-01-01 00:0{place}Z,1,2,1,1.5,{place}" for place in range(4)]
TEXT = "\n".join([HEADER, *ROWS])


@pytest.fixture
def rows_of(tmp_path):
    """Give a function that reads bytes as a table: numbers, raggedness, volumes."""

    def read(content, name="file.csv"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        pieces = list(open_table(file).pieces)
        return pl.concat(pieces).select("number", "is_ragged", "volume").rows() if pieces else []

    return read


EXPECTED = [(2, False, "0"), (3, False, "1"), (4, False, "2"), (5, False, "3")]


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT + "\n",
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t"),
        TEXT.replace(",", "|"),
        TEXT.replace(",", '","').replace("\n", '"\n"').join('""'),
        TEXT.replace("\n", ",\n") + ",",
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("close", "종가").encode("cp949"),
        gzip.compress(TEXT.encode(), mtime=0),
        TEXT + "\n\n\n",
    ],
)
def test_a_table_is_read_however_it_is_written(rows_of, content):
    """Ends of lines, separators, quotation marks, encodings, compression."""
    assert rows_of(content) == EXPECTED


@pytest.mark.parametrize("before", ["sep=,", "Exported by nobody, all rights reserved", "\n\n"])
def test_lines_before_the_header_are_skipped_and_counted(rows_of, before):
    """A line's number is the one an editor shows."""
    shift = before.count("\n") + 1
    assert rows_of(f"{before}\n{TEXT}") == [(number + shift, *rest) for number, *rest in EXPECTED]


def test_blank_lines_are_skipped_and_counted(rows_of):
    """The rows behind them keep the numbers that an editor shows."""
    assert rows_of(TEXT.replace(ROWS[1], f"\n{ROWS[1]}")) == [EXPECTED[0], *[(n + 1, r, v) for n, r, v in EXPECTED[1:]]]


def test_a_row_with_too_many_fields_is_marked(rows_of):
    """A decimal comma between commas moves every number behind it by one column."""
    assert rows_of(TEXT.replace("1.5,2", "1,5,2")) == [*EXPECTED[:2], (4, True, "5"), EXPECTED[3]]


def test_a_row_with_too_few_fields_has_empty_ones(rows_of):
    """It does not end the table."""
    assert rows_of(TEXT.replace("1.5,2", "1.5")) == [*EXPECTED[:2], (4, False, None), EXPECTED[3]]


def test_a_stray_quotation_mark_swallows_no_line(rows_of):
    """It is one bad field; the lines behind it are rows."""
    found = rows_of(TEXT.replace("1.5,1", '1.5,"1'))
    assert [number for number, _, _ in found] == [2, 3, 4, 5]
    assert found[2:] == EXPECTED[2:]


def test_pieces_are_cut_between_lines(rows_of, monkeypatch):
    """However small they are, no row is lost, halved or counted twice."""
    for letters in (1, 7, 40, 100):
        monkeypatch.setattr(tables, "_LETTERS_A_PIECE", letters)
        assert rows_of(TEXT) == EXPECTED


def test_parquet_is_known_by_its_bytes_and_counts_rows(tmp_path, monkeypatch):
    """Whatever it is called; columns nobody asked for stay on the disk."""
    monkeypatch.setattr(tables, "_ROWS_A_PIECE", 3)
    frame = pl.DataFrame(
        {"date": [datetime(2024, 1, 1, tzinfo=UTC)] * 4, "colour": "red"}
        | {name: [1.0, 2.0, 3.0, 4.0] for name in ("open", "high", "low", "close", "volume")}
    ).with_columns(symbol=pl.lit("KRW-BTC").cast(pl.Categorical))
    frame.write_parquet(tmp_path / "oddly named.csv")
    table = open_table(tmp_path / "oddly named.csv")
    pieces = list(table.pieces)
    assert (table.counted_in, table.time_column, "colour" in table.columns) == ("row", "date", False)
    assert [piece.height for piece in pieces] == [3, 1]
    assert pl.concat(pieces)["number"].to_list() == [1, 2, 3, 4]
    assert pieces[0].schema["symbol"] == pl.String


def _zip(folder):
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("x.csv", TEXT)
    return (folder / "x.zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it has no column close, high, low"),
        (b"\n\n\n\n\n\n\n", "it has no column close"),
        (b"\x00" * 5_000, "it has no column close"),
        (bytes(range(256)) * 50, "it has no column close"),
        (b"x" * 300_000, "it has no column close"),
        (b"," * 300_000, "it has no column close"),
        (b'"' * 300_001, "it has no column close"),
        (_zip, "it is an archive or a workbook; unpack it"),
        (b"time,open,high,low,close\n1,1,1,1,1\n", "it has no column volume; name its columns so"),
        (b"PAR1", "Parquet"),
        (b"PAR1" + b"\x00" * 1_000 + b"PAR1", "."),
        (b"\x1f\x8b" + b"\x00" * 100, "."),
        (gzip.compress(TEXT.encode() * 10_000, mtime=0)[:-200], "."),
        (gzip.compress(TEXT.encode() * 10_000, mtime=0)[:300] + b"\xff" * 500, "."),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(rows_of, tmp_path, content, told):
    """Empty, binary, cut off or damaged; the file's name is part of the sentence."""
    content = content(tmp_path) if callable(content) else content
    with pytest.raises(BadFileError, match=rf"^file\.csv cannot be imported: .*{told}"):
        rows_of(content)


def test_a_directory_a_pipe_and_nothing_at_all_are_refused(tmp_path):
    """Nobody waits for a pipe that says nothing."""
    os.mkfifo(tmp_path / "pipe.csv")
    for file in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(BadFileError, match="it is no regular file"):
            open_table(file)
    with pytest.raises(BadFileError, match="No such file or directory"):
        open_table(tmp_path / "nowhere.csv")
