"""When a bar of somebody's file opened: any spelling of a time, read as UTC, and said how.

What lives here: `Stamps`, found out from a sample and then held against every row, and `finest_gap`. What to add: a
spelling, as one format. What stays out: which column holds the times (`columns`).

Times that carry no zone are Korean or UTC, nine hours apart, and nothing in a row tells. What can tell is asked in
this order: the person, the column's name, coin_hts' tree (its writer writes UTC), and day bars: Upbit's open at
00:00 UTC, which is 09:00 in Korea. Else the file is refused, unless it is only looked at: then they are UTC, as in
frames. A bare date names the same day in both places.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from itertools import product

import polars as pl

from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe

_EARLIEST, _LATEST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # bitcoin's first year
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # of times that are spelled out, for bars of other markets
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y. %m. %d", "%Y%m%d")
_TIMES = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M", "%H%M%S", "%H%M")
_NAIVE = [f"{date}{time}" for date, time in product(_DATES, _TIMES)]
_AWARE = [f"{date}{time}{zone}" for date, time, zone in product(_DATES[:3], _TIMES[1:5], ("%#z", " %#z"))]
_SAMPLE = 1_000
_MICROSECONDS = pl.Datetime("us")


class Zone(StrEnum):
    """Where the clock hung that a file's times were read off."""

    UTC = "UTC"
    KST = "KST"

    @property
    def ahead(self) -> timedelta:
        return timedelta(hours=9 if self is Zone.KST else 0)


@dataclass(frozen=True)
class Stamps:
    """How a file's times are read; `told` is that in words."""

    told: str
    unit: str | None = None
    formats: tuple[str, ...] = ()
    zone: Zone = Zone.UTC

    def read(self, column: pl.Series) -> pl.Series:
        """Moments in UTC; none where no believable time stands."""
        moments = (self._local(column) - self.zone.ahead).dt.replace_time_zone("UTC")
        return moments.set(~moments.is_between(_OLDEST, _LATEST).fill_null(value=False), None)

    def _local(self, column: pl.Series) -> pl.Series:
        if self.unit:
            return _since_1970(column, _UNITS[self.unit])
        if self.formats:
            return _parsed(column, self.formats)
        return _typed(column)


def understand(
    sample: pl.Series,
    column: str,
    timeframe: Timeframe | None,
    zone: Zone | None,
    *,
    is_coin_hts: bool,
    otherwise: Zone | None = None,
) -> Stamps:
    """How the times of a column of this name are to be read, or a refusal with what to say."""
    if unit := _unit_of(sample):
        return Stamps(f"epoch {unit}", unit=unit)
    if getattr(sample.dtype, "time_zone", None):
        return Stamps("times with a zone")
    formats = _formats_of(sample) if sample.dtype == pl.String else ()
    if formats and _has_zone(formats):
        return Stamps("times with a zone", formats=formats)
    if sample.dtype == pl.Date or (formats and set(formats) <= set(_DATES)):
        return Stamps("dates", formats=formats)
    naive = Stamps("", formats=formats)
    if formats or sample.dtype == pl.Datetime:
        known = _zone_of(naive.read(sample), column, timeframe, zone, is_coin_hts=is_coin_hts)
        zone, why = known or (otherwise, "nothing says otherwise")
        if zone is None:
            reason = "its times carry no zone, and nothing tells it; add --timezone UTC or --timezone KST"
            raise RefusedError(reason=reason)
        return Stamps(f"{zone} ({why})", formats=formats, zone=zone)
    found = next(iter(sample.drop_nulls()), None)
    raise RefusedError(reason=f"{found!r} is no time we can read; write it like 2026-01-31T09:00:00+09:00")


def finest_gap(moments: pl.Series) -> Timeframe | None:
    """The timeframe of bars that open at these moments, if any two of them stand side by side."""
    gap = moments.drop_nulls().unique().sort().diff().min()
    lengths = {timedelta(minutes=timeframe.minutes): timeframe for timeframe in Timeframe}
    return lengths.get(gap) if isinstance(gap, timedelta) else None


def _unit_of(sample: pl.Series) -> str | None:
    """Told apart by magnitude: the unit in which most of the sample lies between 2009 and 2100."""
    if not (sample.dtype.is_numeric() or sample.dtype == pl.String):
        return None
    numbers = sample.cast(pl.Float64, strict=False)
    first, last = _EARLIEST.timestamp(), _LATEST.timestamp()
    hits = {unit: int(numbers.is_between(first * size, last * size).sum()) for unit, size in _UNITS.items()}
    likeliest = max(hits, key=lambda unit: hits[unit])
    return likeliest if hits[likeliest] * 2 > sample.count() else None


def _since_1970(column: pl.Series, size: int) -> pl.Series:
    """Judged before they are multiplied, which would wrap around."""
    whole = column.cast(pl.Int64, strict=False)
    numbers = column.cast(pl.Float64, strict=False) if whole.null_count() > column.null_count() else whole
    first, last = (int(moment.timestamp()) * size for moment in (_EARLIEST, _LATEST))
    believable = numbers.set(~numbers.is_between(first, last).fill_null(value=False), None)
    millionths = 10**6
    scaled = believable * (millionths // size) if size <= millionths else believable // (size // millionths)
    return scaled.cast(pl.Int64).cast(_MICROSECONDS)


def _formats_of(sample: pl.Series) -> tuple[str, ...]:
    """Every format that some of the sample has: programs leave out zero hours and zero fractions."""
    texts = _trimmed(sample.drop_nulls().head(_SAMPLE))
    hits = {form: _parsed_as(texts, form).is_not_null().sum() for form in (*_AWARE, *_NAIVE)}
    used = sorted((form for form, count in hits.items() if count), key=lambda form: -hits[form])
    return tuple(form for form in used if _has_zone((form,)) == _has_zone((used[0],)))


def _has_zone(formats: tuple[str, ...]) -> bool:
    return formats[0].endswith("z")


def _parsed(column: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    texts = _trimmed(column)
    parsed = _parsed_as(texts, formats[0])
    for form in formats[1:]:
        if parsed.null_count() == texts.null_count():
            break
        parsed = parsed.zip_with(parsed.is_not_null(), _parsed_as(texts, form))
    return parsed


def _parsed_as(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone(None)


def _trimmed(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars().str.replace(r"\s*(?:UTC|GMT)$", "Z")


def _typed(column: pl.Series) -> pl.Series:
    moments = column.cast(_MICROSECONDS) if column.dtype == pl.Date else column.dt.cast_time_unit("us")
    return moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _zone_of(
    moments: pl.Series, column: str, timeframe: Timeframe | None, zone: Zone | None, *, is_coin_hts: bool
) -> tuple[Zone, str] | None:
    if zone:
        return zone, "as you say"
    for named in Zone:
        if column.lower().endswith(f"_{named.lower()}"):
            return named, f"its column is {column}"
    if is_coin_hts:
        return Zone.UTC, "coin_hts writes UTC"
    if (timeframe or finest_gap(moments)) is Timeframe.D1:
        for day_zone in Zone:
            opens = (datetime.combine(_EARLIEST, time()) + day_zone.ahead).time()
            if (moments.drop_nulls().dt.time() == opens).all():
                return day_zone, f"its day bars open at {opens:%H:%M}"
    return None
