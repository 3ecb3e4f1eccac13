from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from coinhts_core.errors import BadFrameError, DamagedObjectError
from coinhts_core.lake.parquet import decode, encode

FRAME = pl.DataFrame(
    {
        "day": [date(2026, 1, 1)] * 500,
        "opened_at": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(500)],
        "close": [1.0 + minute * 0.37 for minute in range(499)] + [None],
        "trades": list(range(500)),
        "is_quiet": [True, None] * 250,
        "note": ["원", None] * 250,
    },
    schema_overrides={"opened_at": pl.Datetime("us", "UTC")},
)


def test_frames_come_back_as_they_were():
    """Values, absences, kinds and order survive, of rows and of none."""
    for frame in (FRAME, FRAME.clear()):
        assert_frame_equal(decode(memoryview(encode(frame)), "here", "bar"), frame)


def test_chosen_columns_come_in_the_order_asked():
    """Only what is asked for is decoded; what is not stored is refused by name."""
    content = memoryview(encode(FRAME))
    assert_frame_equal(decode(content, "here", "bar", ["close", "day"]), FRAME.select("close", "day"))
    with pytest.raises(BadFrameError, match="column open is not stored"):
        decode(content, "here", "bar", ["open"])


def test_pages_are_compressed_and_carry_checksums():
    """A flipped bit in any data page is noticed by the file alone, without the commit's sha-256."""
    content = bytearray(encode(FRAME))
    columns = pq.ParquetFile(pa.py_buffer(content)).metadata.row_group(0)
    for index in range(columns.num_columns):
        column = columns.column(index)
        assert column.compression == "ZSTD"
        last_byte = (
            column.data_page_offset + column.total_compressed_size - 1 - (column.data_page_offset - first_page(column))
        )
        damaged = bytearray(content)
        damaged[last_byte] ^= 1
        with pytest.raises(DamagedObjectError, match=r"CRC|checksum|[Cc]orrupt"):
            decode(memoryview(damaged), "here", "bar")


def first_page(column):
    return column.dictionary_page_offset or column.data_page_offset


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", encode(FRAME)[:-9]])
def test_what_is_no_parquet_is_damaged(content):
    """Bytes of any other kind are refused in words."""
    with pytest.raises(DamagedObjectError, match="here"):
        decode(memoryview(content), "here", "bar")
