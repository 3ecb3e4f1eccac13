"""A frame as the bytes of one Parquet object, and back.

What lives here: the one way frames are encoded. What stays out: names and hashes of objects (`commits`),
and where they lie (`store`).

Page checksums are written and verified: without them a reader that trusts the file (not its sha-256) takes
most flipped bits for prices. Times are stored as differences and prices plainly: smaller and faster than
dictionaries of values that hardly repeat.
"""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from coinhts_core.errors import BadFrameError, DamagedObjectError


def encode(frame: pl.DataFrame) -> bytes:
    table = frame.to_arrow()
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=[field.name for field in table.schema if _repeats(field.type)],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    )
    return bytes(sink.getvalue())


def decode(content: memoryview, name: str, schema: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    try:
        file = pq.ParquetFile(pa.py_buffer(content), pre_buffer=False, page_checksum_verification=True)
        for column in columns or ():
            if column not in file.schema_arrow.names:
                raise BadFrameError(schema=schema, column=column, reason="is not stored")
        return pl.DataFrame(file.read(columns, use_threads=False).to_reader())  # as a table it would take longer
    except (pa.ArrowException, OSError) as error:
        raise DamagedObjectError(path=name, reason=str(error).partition("\n")[0]) from error


def _repeats(kind: pa.DataType) -> bool:
    return bool(not pa.types.is_primitive(kind) or pa.types.is_date(kind))
