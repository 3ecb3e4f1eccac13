import struct
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadFrameError
from coinhts_core.frames import Column, Schema

MIXED = Schema(
    "mixed",
    3,
    (
        Column("opened_at", "time"),
        Column("trades", "int", nullable=True),
        Column("price_krw", "float", nullable=True),
        Column("is_quiet", "bool", nullable=True),
        Column("note", "text", nullable=True),
        Column("closed_at", "time", nullable=True),
    ),
)
FIXED = Schema("fixed", 1, MIXED.columns[:4])
PRICE = Schema("price", 1, (Column("opened_at", "time"), Column("price_krw", "float")))

int64 = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
moment = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 hypothesis wants naive bounds
note = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
row = st.tuples(
    moment,
    st.none() | int64,
    st.none() | finite,
    st.none() | st.booleans(),
    st.none() | note,
    st.none() | moment,
)
rows = st.lists(row, max_size=12, unique_by=lambda row: row[0])


def plain_hash(schema, values):
    """Write the documented bytes with nothing but struct, as another program would."""
    content = struct.pack("<q", len(schema.name.encode())) + schema.name.encode()
    content += struct.pack("<qq", schema.version, len(values))
    for line in sorted(values, key=lambda line: line[0]):
        for column, value in zip(schema.columns, line, strict=False):
            content += plain_cell(column.kind, value)
    return sha256(content).hexdigest()


def plain_cell(kind, value):
    absent = struct.pack("<B", value is None)
    if kind == "text":
        encoded = (value or "").encode()
        return absent + struct.pack("<q", len(encoded)) + encoded
    if kind == "time":
        value = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) if value else 0
        return absent + struct.pack("<q", value)
    if kind == "float":
        return absent + struct.pack("<d", (value or 0.0) + 0.0)
    return absent + struct.pack("<q" if kind == "int" else "<?", value or 0)


def frame_of(schema, values):
    dtypes = schema.empty().schema
    return pl.DataFrame([line[: len(schema.columns)] for line in values], schema=dtypes, orient="row")


@pytest.mark.parametrize("schema", [MIXED, FIXED], ids=lambda schema: schema.name)
@given(values=rows)
def test_bytes_are_the_documented_ones(schema, values):
    """A hash is what an independent writer of the documented bytes computes."""
    assert schema.content_hash(frame_of(schema, values)) == plain_hash(schema, values)


def test_hash_stays_what_it_was():
    """These identities are stored in lakes; they never change."""
    values = [
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            5,
            -0.0,
            True,
            "원",
            datetime(1969, 12, 31, 23, 59, 59, 5, tzinfo=UTC),
        ),
        (datetime(2026, 1, 1, tzinfo=UTC), None, None, None, None, None),
    ]
    assert (
        MIXED.content_hash(frame_of(MIXED, values))
        == "940b1f962bb30d3562108b2f14819d7590d5a3b9a46d68515e9b00a7280bdba0"
    )
    assert FIXED.content_hash(FIXED.empty()) == "6549dbfeb97d746bb45da7fa46c40a39b98b59b6cef55c020a3934c564d7e037"


@given(values=rows, shuffle=st.randoms(use_true_random=False), cut=st.integers(0, 12))
def test_only_values_count(values, shuffle, cut):
    """Row order, foreign columns, column order, chunks and a trip through pandas leave the hash alone."""
    frame = frame_of(MIXED, values)
    expected = MIXED.content_hash(frame)
    shuffled = frame_of(MIXED, shuffle.sample(values, len(values)))
    assert MIXED.content_hash(shuffled) == expected
    assert (
        MIXED.content_hash(frame.with_columns(asked=pl.lit(1)).select(reversed([*frame.columns, "asked"]))) == expected
    )
    assert MIXED.content_hash(pl.concat([frame[:cut], frame[cut:]], rechunk=False)) == expected
    priced = frame.select("opened_at", pl.col("price_krw").fill_null(0.0))
    through_pandas = pl.from_pandas(priced.to_pandas(), schema_overrides=None if values else dict(priced.schema))
    assert PRICE.content_hash(through_pandas) == PRICE.content_hash(priced)


@pytest.mark.parametrize("schema", [MIXED, FIXED], ids=lambda schema: schema.name)
@given(stretches=st.lists(rows, max_size=4))
def test_stretches_are_hashed_as_each_alone(schema, stretches):
    """Together in one frame, sorted or not, some of them empty."""
    frames = [frame_of(schema, values) for values in stretches]
    together = pl.concat([schema.empty(), *frames])
    alone = [schema.content_hash(frame) for frame in frames]
    assert schema.content_hashes(together, [frame.height for frame in frames]) == alone


@given(values=rows.filter(bool), other=row, column=st.integers(0, 5), place=st.integers(0))
def test_every_value_counts(values, other, column, place):
    """A changed value, whichever it is, is another hash."""
    line = place % len(values)
    changed = [*values]
    changed[line] = (*values[line][:column], other[column], *values[line][column + 1 :])
    is_same = sorted(changed, key=lambda row: row[0]) == sorted(values, key=lambda row: row[0])
    before, after = (MIXED.content_hash(frame_of(MIXED, each)) for each in (values, changed))
    assert (before == after) == is_same


def test_name_version_and_absence_count():
    """The same cells under another name or version, or absent instead of zero, are another identity."""
    frame = frame_of(FIXED, [(datetime(2026, 1, 1, tzinfo=UTC), 0, 0.0, False)])
    absent = frame.with_columns(trades=pl.lit(None, pl.Int64))
    hashes = {
        FIXED.content_hash(frame),
        FIXED.content_hash(absent),
        Schema("fixes", 1, FIXED.columns).content_hash(frame),
        Schema("fixed", 2, FIXED.columns).content_hash(frame),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_prices_that_are_no_numbers_are_refused(value):
    """NaN and infinities never get an identity, nor into the lake."""
    frame = pl.DataFrame({"opened_at": [datetime(2026, 1, 1, tzinfo=UTC)], "price_krw": [value]})
    with pytest.raises(BadFrameError, match="NaN or an infinity"):
        PRICE.content_hash(frame)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("trades", [1.5]),
        ("trades", ["many"]),
        ("trades", [datetime(2026, 1, 1, tzinfo=UTC)]),
        ("price_krw", ["dear"]),
        ("is_quiet", [2]),
        ("opened_at", [1_767_225_600_000]),
        ("opened_at", ["2026-01-01"]),
        ("opened_at", pl.Series([1], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))),
        ("opened_at", pl.Series([None], dtype=pl.Datetime("us", "UTC"))),
    ],
)
def test_values_that_would_change_on_the_way_are_refused(column, values):
    """Nothing is rounded, guessed or filled to fit a schema."""
    frame = frame_of(FIXED, [(datetime(2026, 1, 1, tzinfo=UTC), 1, 1.0, True)])
    with pytest.raises(BadFrameError, match=column):
        FIXED.judge(frame.with_columns(pl.Series(column, values)))


def test_missing_columns_are_refused():
    """A frame without one of its columns is named as such."""
    with pytest.raises(BadFrameError, match="price_krw is missing"):
        PRICE.judge(PRICE.empty().drop("price_krw"))


def test_values_that_stay_the_same_are_accepted():
    """Whole floats, other resolutions and other zones of the same instants are the same rows."""
    frame = frame_of(FIXED, [(datetime(2026, 1, 1, tzinfo=UTC), 5, 1.0, True)])
    seoul = timezone(timedelta(hours=9))
    other = pl.DataFrame(
        {
            "opened_at": pl.Series([datetime(2026, 1, 1, 9, tzinfo=seoul)]).dt.cast_time_unit("ms"),
            "trades": [5.0],
            "price_krw": pl.Series([1.0], dtype=pl.Float32),
            "is_quiet": [1],
        }
    )
    assert FIXED.content_hash(other) == FIXED.content_hash(frame)
