from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from coinhts_core.candles.stamps import Zone, finest_gap, understand
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
MINUTES = [FIRST + timedelta(minutes=place) for place in range(3)]
DAYS = [FIRST + timedelta(days=place) for place in range(3)]
KST = timezone(timedelta(hours=9))


def understood(column, name="timestamp", timeframe=None, zone=None, *, is_coin_hts=False):
    stamps = understand(column, name, timeframe, zone, is_coin_hts=is_coin_hts)
    return stamps.told, stamps.read(column).to_list()


def naive(moments, zone=UTC):
    return [moment.astimezone(zone).replace(tzinfo=None) for moment in moments]


@pytest.mark.parametrize(
    ("unit", "size"), [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)]
)
@pytest.mark.parametrize("kind", [int, str, float, lambda number: f"{number}.0"])
def test_epochs_are_told_apart_by_magnitude(unit, size, kind):
    """Seconds to nanoseconds, as whole numbers, fractions or text."""
    column = pl.Series([kind(int(moment.timestamp()) * size) for moment in MINUTES])
    assert understood(column) == (f"epoch {unit}", MINUTES)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M:%S.%f%z",
        "%Y/%m/%d %H:%M %z",
        "%Y.%m.%d %H:%M:%S UTC",
    ],
)
def test_a_zone_that_is_written_is_believed(form):
    """Whatever else is said; Z and UTC are zones like any other."""
    zone = UTC if form.endswith(("Z", "UTC")) else KST
    column = pl.Series([moment.astimezone(zone).strftime(form) for moment in MINUTES])
    assert understood(column, zone=Zone.KST) == ("times with a zone", MINUTES)


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_typed_times_with_a_zone_are_believed(unit, zone):
    """In any unit."""
    column = pl.Series(MINUTES).dt.convert_time_zone(zone).dt.cast_time_unit(unit)
    assert understood(column) == ("times with a zone", MINUTES)


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%Y.%m.%d %H:%M:%S.%f", "%Y. %m. %d %H:%M",
     "%Y%m%d%H%M%S", "%Y%m%d%H%M", " %Y-%m-%d %H:%M:%S "],
)  # fmt: skip
@pytest.mark.parametrize(("zone", "offset"), [(Zone.UTC, UTC), (Zone.KST, KST)])
def test_a_zone_that_is_not_written_is_what_the_person_says(form, zone, offset):
    """In any spelling; nine hours lie between the two."""
    column = pl.Series([moment.strftime(form) for moment in naive(MINUTES, offset)])
    assert understood(column, zone=zone) == (f"{zone} (as you say)", MINUTES)


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    ("offset", "told"), [(UTC, "UTC (its day bars open at 00:00)"), (KST, "KST (its day bars open at 09:00)")]
)
def test_day_bars_tell_their_zone(as_text, offset, told):
    """Upbit's open at 00:00 UTC, 09:00 in Korea."""
    local = naive(DAYS, offset)
    assert understood(pl.Series([str(moment) for moment in local] if as_text else local)) == (told, DAYS)
    assert understood(pl.Series(local[:1]), timeframe=Timeframe.D1) == (told, DAYS[:1])


def test_dates_are_days_of_utc():
    """A day that opens at 09:00 in Korea has the same date in both places."""
    dates = [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]
    assert understood(pl.Series(dates))[1] == understood(pl.Series(map(str, dates)))[1] == DAYS
    assert understood(pl.Series([f"{day:%Y%m%d}" for day in dates]), zone=Zone.KST) == ("dates", DAYS)


def test_a_columns_name_and_coin_hts_tell_the_zone():
    """Upbit names its columns after the zone; coin_hts' writer writes UTC."""
    assert understood(pl.Series(naive(MINUTES, KST)), "candle_date_time_kst") == (
        "KST (its column is candle_date_time_kst)",
        MINUTES,
    )
    assert understood(pl.Series(naive(MINUTES)), "candle_date_time_utc")[1] == MINUTES
    assert understood(pl.Series(naive(MINUTES)), is_coin_hts=True) == ("UTC (coin_hts writes UTC)", MINUTES)


@pytest.mark.parametrize("moments", [MINUTES, [moment + timedelta(hours=15) for moment in DAYS], DAYS[:1]])
def test_a_zone_that_nothing_tells_is_asked_for(moments):
    """Minutes, day bars that open at neither hour, and a single bar."""
    with pytest.raises(RefusedError, match="add --timezone UTC or --timezone KST"):
        understood(pl.Series(naive(moments)))


@pytest.mark.parametrize("found", ["yesterday", "01/02/2024", 45_292, True, 20240101.5, [1]])
def test_what_is_no_time_is_refused_with_what_was_found(found):
    """Days before months are never guessed, and 1970 is no year of bitcoin's."""
    with pytest.raises(RefusedError, match="is no time we can read; write it like"):
        understood(pl.Series([found]))


def test_a_row_whose_time_cannot_be_read_is_none():
    """One of another spelling, another unit, or another century spoils no other, and no number wraps around."""
    epochs = pl.Series([1_704_067_200, 1_704_067_260, 1_704_067_320, 1_704_067_200_000, 1_704_067_200 + 2**58, None])
    assert understood(epochs) == ("epoch seconds", [*MINUTES, None, None, None])
    texts = pl.Series(["2024-01-01 00:00:00Z", "2024-01-01", "1999-01-01 00:00:00Z", "x", None, "2024-13-01 00:00:00Z"])
    assert understood(texts)[1] == [FIRST, *[None] * 5]


def test_spellings_of_one_zone_may_mix():
    """Programs leave out a zero hour."""
    texts = pl.Series(["2024-01-01", "2024-01-01 00:01:00", "2024-01-01 00:02"])
    assert understood(texts, zone=Zone.UTC)[1] == MINUTES


def test_the_finest_gap_is_the_timeframe():
    """In any order; of gaps that are no timeframe nothing is made."""
    assert finest_gap(pl.Series([MINUTES[2], MINUTES[0], MINUTES[1], DAYS[2]])) is Timeframe.M1
    assert finest_gap(pl.Series(DAYS)) is Timeframe.D1
    assert finest_gap(pl.Series([FIRST, FIRST + timedelta(minutes=7)])) is None
    assert finest_gap(pl.Series([FIRST])) is None
