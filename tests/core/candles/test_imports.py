import random
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import polars as pl
import pytest

from coinhts_core.candles.collection import answers
from coinhts_core.candles.coverage import Answer
from coinhts_core.candles.files import Said, read_file
from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.imports import Fate, Importing, import_bars, sha256_of
from coinhts_core.candles.registry import Registered, register
from coinhts_core.errors import BadFileError
from coinhts_core.exchanges import open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market, Timeframe

BTC = Market("KRW-BTC")
SAMPLE = open_exchange("sample")
NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)
START = date(2026, 1, 1)
FOLLOWED = Registered(BTC, date(2025, 6, 1), START, None, is_active=True)
MINUTE, DAY = "candles/minute", "candles/day"
_MEASURED = """
import resource, sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from coinhts_core.candles.files import Said, read_file
from coinhts_core.candles.imports import Fate, Importing, import_bars
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.stamps import Zone
from coinhts_core.lake.lake import Lake

file = Path(sys.argv[1])
bars = read_file(file, Said(zone=Zone.UTC))
followed = Registered(bars.symbols[0], date(2000, 1, 1), date(2021, 1, 1), None, True)
importing = Importing(Lake.open(str(file.parent / "lake")), None, datetime(2050, 1, 1, tzinfo=UTC), is_rehearsal=True)
imported = import_bars(importing, bars, followed, "0" * 64)
print(imported.count(Fate.GOOD), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def days_from(first, count):
    return [first + timedelta(days=place) for place in range(count)]


def minutes(first, count):
    return pl.concat([SAMPLE.minutes(BTC, day) for day in days_from(first, count)])


JANUARY = minutes(date(2026, 1, 29), 5)


class Importer:
    """Imports frames and texts as files, into a real lake and a real ledger."""

    def __init__(self, folder, ledger):
        self.folder, self.ledger = folder, ledger
        self.lake = Lake.open(str(folder / "lake"))

    def __call__(self, content, name="KRW-BTC.parquet", *, followed=FOLLOWED, asked_at=NOW, said=None, **wish):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content.write_parquet(file) if isinstance(content, pl.DataFrame) else file.write_text(content)
        bars = read_file(file, said or Said(timeframe=None if isinstance(content, pl.DataFrame) else Timeframe.M1))
        importing = Importing(self.lake, self.ledger, asked_at, **wish)
        return import_bars(importing, bars, followed, sha256_of(bars))

    def stored(self, asset=MINUTE):
        return self.lake.heads(asset, BTC)

    def told(self):
        return answers(self.ledger, BTC, date(2000, 1, 1), date(2100, 1, 1))

    def files(self):
        return {file for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture
def bring(tmp_path, ledger):
    register(ledger, SAMPLE, [BTC], START)
    return Importer(tmp_path, ledger)


def test_days_of_a_file_are_kept_like_downloaded_ones(bring):
    """The same rows and hashes, coverage in the ledger, and the file's own hash as where they came from."""
    imported = bring(JANUARY)
    days = days_from(date(2026, 1, 29), 5)
    assert imported.fates == dict.fromkeys(days, Fate.GOOD)
    for day in days:
        rows = SAMPLE.minutes(BTC, day)
        entry = bring.stored()[day]
        assert (entry.content_hash, entry.data_version) == (CANDLES.content_hash(rows),) * 2
        assert (entry.asked_at, entry.made_from) == (NOW, imported.sha256)
        assert bring.told()[day] == Answer("complete", rows.height)
        assert bring.lake.read(MINUTE, BTC, day, day).select(CANDLES.names).equals(rows)


def test_a_rehearsal_tells_the_same_and_writes_nothing(bring):
    """Neither a file nor an answer."""
    file = bring.folder / "KRW-BTC.parquet"
    rehearsed = bring(JANUARY, is_rehearsal=True)
    assert (bring.files(), bring.told()) == ({file}, {})
    assert rehearsed.fates == bring(JANUARY).fates


def test_a_second_import_changes_nothing(bring):
    """What is there already is said to be; no new version is written."""
    bring(JANUARY)
    before = bring.files()
    again = bring(JANUARY, asked_at=NOW + timedelta(hours=1))
    assert set(again.fates.values()) == {Fate.PRESENT}
    assert bring.files() == before


def test_what_differs_is_left_alone_unless_it_is_to_be_replaced(bring):
    """By a later import, whose rows then are the ones that stand."""
    bring(JANUARY)
    day = date(2026, 1, 30)
    other = JANUARY.with_columns(volume=pl.when(pl.col("opened_at").dt.date() == day).then(1.0).otherwise("volume"))
    kept = bring.stored()
    later = {"asked_at": NOW + timedelta(hours=1)}
    assert bring(other, **later).fates[day] is Fate.DIFFERENT
    assert bring.stored() == kept
    replaced = bring(other, **later, is_replacing=True)
    assert (replaced.fates[day], replaced.count(Fate.PRESENT)) == (Fate.GOOD, 4)
    assert {of for of, entry in bring.stored().items() if entry != kept[of]} == {day}


def test_an_estimated_turnover_is_no_difference(bring):
    """The real one, stored before, is the better of the two; other columns still count."""
    bring(JANUARY)
    before = bring.stored()
    poorer = JANUARY.drop("turnover_krw")
    assert set(bring(poorer, is_replacing=True).fates.values()) == {Fate.PRESENT}
    assert bring.stored() == before
    changed = poorer.with_columns(close=pl.col("low"))
    assert set(bring(changed).fates.values()) == {Fate.DIFFERENT}


def test_a_killed_import_is_completed_by_the_next(bring):
    """Rows that were kept without an answer are answered; a complete answer is not given again."""
    bring(JANUARY)
    with bring.ledger.transaction() as connection:
        connection.execute("DELETE FROM coverage WHERE day = '2026-01-30'")
    bring(JANUARY, asked_at=NOW + timedelta(hours=1))
    with bring.ledger.transaction() as connection:
        rows = connection.execute("SELECT day, asked_at FROM coverage").fetchall()
    assert {day for day, asked_at in rows if asked_at > NOW} == {date(2026, 1, 30)}
    assert len(rows) == 5


def test_a_bad_day_blocks_no_other(bring):
    """It is refused with the line, the rule and the bar."""
    lines = JANUARY.write_csv().split("\n")
    place = next(place for place, line in enumerate(lines) if line.startswith("2026-01-30T10:00"))
    stamp, opens, high, low, *rest = lines[place].split(",")
    lines[place] = ",".join([stamp, opens, low, high, *rest])
    imported = bring("\n".join(lines), "KRW-BTC.csv")
    assert imported.reasons == {
        date(
            2026, 1, 30
        ): f"line {place + 1}: high_is_not_below_low does not hold for the bar of 2026-01-30 10:00:00+00:00"
    }
    assert bring.stored().keys() == set(days_from(date(2026, 1, 29), 5)) - {date(2026, 1, 30)} == bring.told().keys()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda fields: [*fields[:4], "nan", *fields[5:]], "close is no number"),
        (lambda fields: [*fields[:5], "", *fields[6:]], "volume is no number"),
        (lambda fields: [*fields, "7"], "it has more fields than its header"),
        (lambda fields: ["yesterday", *fields[1:]], "its time cannot be read"),
        (lambda fields: [*fields[:1], "-1", *fields[2:]], "prices_are_positive does not hold"),
        (lambda fields: [*fields[:5], "-1", *fields[6:]], "volumes_are_not_negative does not hold"),
        (lambda fields: [fields[0].replace("00:00.", "00:01."), *fields[1:]], "bars_open_on_the_grid does not hold"),
    ],
)
def test_a_bad_row_is_told_by_its_line(bring, change, reason):
    """As an editor counts them."""
    lines = JANUARY.write_csv().split("\n")
    place = next(place for place, line in enumerate(lines) if line.startswith("2026-01-30T10:00"))
    lines[place] = ",".join(change(lines[place].split(",")))
    told = bring("\n".join(lines), "KRW-BTC.csv", is_rehearsal=True).reasons
    assert told.keys() == {date(2026, 1, 30)}
    assert told[date(2026, 1, 30)].startswith(f"line {place + 1}: {reason}")


def test_an_estimate_beyond_all_numbers_is_no_number(bring):
    """An absurd volume times a price is no turnover to keep."""
    absurd = JANUARY.drop("turnover_krw").with_columns(volume=pl.lit(1e305))
    assert set(bring(absurd).reasons.values()) == {f"row {row}: turnover_krw is no number" for row in _first_rows()}
    assert bring.stored() == {}


def _first_rows():
    days = JANUARY["opened_at"].dt.date()
    return [days.index_of(day) + 1 for day in days.unique()]


def test_rows_may_stand_in_any_order_and_more_than_once(bring):
    """Newest first is how Upbit answers; but two different bars of a minute are one too many."""
    shuffled = pl.concat([JANUARY, JANUARY[100:200]]).sample(fraction=1, shuffle=True, seed=7)
    assert set(bring(shuffled, is_rehearsal=True).fates.values()) == {Fate.GOOD}
    twice = pl.concat([JANUARY, JANUARY[:1].with_columns(volume=pl.lit(7.0))])
    told = bring(twice, is_rehearsal=True).reasons
    assert told.keys() == {date(2026, 1, 29)}
    assert "bars_are_unique does not hold" in told[date(2026, 1, 29)]


@pytest.mark.parametrize(
    ("cut", "day", "missing"),
    [
        (JANUARY[1:], date(2026, 1, 29), "the minute 00:00"),
        (JANUARY[:-1], date(2026, 2, 2), "the minute 23:59"),
        (JANUARY.filter(pl.col("opened_at").dt.date() != date(2026, 1, 31)), None, ""),
        (
            JANUARY.filter((pl.col("opened_at").dt.date() != date(2026, 1, 29)) | (pl.col("opened_at").dt.hour() != 5)),
            date(2026, 1, 29),
            "an hour",
        ),
    ],
)
def test_a_day_that_may_be_cut_off_is_refused(bring, cut, day, missing):
    """A missing minute was quiet only where the file shows that it went on; a day without rows is left alone."""
    imported = bring(cut)
    assert imported.reasons.keys() == ({day} if day else set())
    assert all(reason.endswith(f"and {missing} is missing") for reason in imported.reasons.values())
    assert date(2026, 1, 31) not in bring.told() or day


def test_quiet_days_inside_are_whole(bring):
    """Three bars are a day of a coin that nobody trades, when the file has the days around it."""
    inside = pl.col("opened_at").dt.date() == date(2026, 1, 30)
    thin = JANUARY.filter(~inside | (pl.col("opened_at").dt.minute() == 30))
    assert set(bring(thin).fates.values()) == {Fate.GOOD}
    assert bring.told()[date(2026, 1, 30)].row_count < 25


def test_days_nobody_follows_are_refused(bring):
    """Not over, before the start, before the listing, after the delisting."""
    frame = minutes(date(2026, 1, 29), 5)
    followed = Registered(BTC, date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1), is_active=False)
    assert bring(frame, followed=followed).reasons == {
        date(2026, 1, 29): "before KRW-BTC was listed",
        date(2026, 1, 30): "before COINHTS_START_DATE",
        date(2026, 2, 2): "after its delisting",
    }
    today = datetime.combine(date(2026, 2, 2), time(23), UTC)
    assert bring(frame, asked_at=today).reasons == {date(2026, 2, 2): "it is not over yet"}


def test_day_bars_reach_back_to_the_listing(bring):
    """They lie with the day bars, all in one object, and the ledger's coverage is about minutes."""
    frame = SAMPLE.days(BTC, date(2025, 5, 30), date(2026, 1, 10))
    imported = bring(frame)
    assert imported.bars.timeframe is Timeframe.D1
    assert set(imported.reasons.values()) <= {"before KRW-BTC was listed"}
    assert bring.stored(DAY).keys() == set(days_from(date(2025, 6, 1), 224))
    assert (bring.stored(), bring.told(), list(bring.folder.rglob("month=*"))) == ({}, {}, [])


def test_nothing_hostile_is_stored(bring):
    """2,000 rows of nonsense among good ones: no crash, nothing beside the lake, no number that is not finite."""
    dice = random.Random(2026)  # noqa: S311 the same nonsense in every run, no secret
    words = [
        "nan", "inf", "-inf", "1e999", "-1", "0", "", "' OR 1=1 --", "../../x", "\x00", "\ud7ff", '"', ",,", "9" * 400,
        "1970-01-01", "9999-12-31T23:59:59Z", "2026-01-30T10:00:00+99:00", "=cmd|' /C calc'!A0", "1,5", "٣",
    ]  # fmt: skip
    good = JANUARY.write_csv().strip().split("\n")
    before = bring.files()
    for size in (1, 30, 400):
        for _ in range({1: 20, 30: 10, 400: 5}[size]):
            lines = list(good)
            for _ in range(size):
                place = dice.randrange(1, len(lines))
                fields = lines[place].split(",")
                fields[dice.randrange(len(fields))] = dice.choice(words)
                lines[place] = ",".join(fields)
            try:
                imported = bring("\n".join(lines), "KRW-BTC.csv", is_replacing=True)
            except BadFileError:
                continue
            assert imported.count(Fate.REFUSED) + imported.count(Fate.GOOD) + imported.count(Fate.PRESENT) >= 5
    written = bring.files() - before - {bring.folder / "KRW-BTC.csv"}
    assert all(file.is_relative_to(bring.folder / "lake") for file in written)
    stored = bring.lake.read(MINUTE, BTC, START, date(2026, 2, 9))
    assert all(stored[name].is_finite().all() for name in CANDLES.names[1:])
    assert all(left < right for left, right in pairwise(stored["opened_at"]))


def _grown(folder, rows):
    file = folder / "KRW-BTC.csv"
    minute = pl.int_range(rows)
    first = datetime(2017, 9, 25)  # noqa: DTZ001 a file's times without a zone
    pl.select(
        opened_at=pl.datetime_range(first, first + timedelta(minutes=rows - 1), "1m"),
        open=100.5e6 + minute % 1000,
        high=101.5e6 + minute % 1000,
        low=100.25e6 + minute % 1000,
        close=100.75e6 + minute % 1000,
        volume=minute % 977 / 1000 + 0.12345678,
        turnover_krw=123456789.0123 + minute,
    ).write_csv(file)
    return file


@pytest.mark.parametrize(
    ("rows", "most"), [(2_000_000, 1.5 * 2**30), pytest.param(10_000_000, 2 * 2**30, marks=pytest.mark.slow)]
)
def test_memory_holds_numbers_and_no_text(tmp_path, rows, most):
    """Ten million rows stay far below two GiB; every whole day from the start is believed."""
    command = [sys.executable, "-c", _MEASURED, str(_grown(tmp_path, rows))]
    good, kibibytes = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    assert int(good) == rows // 1440 - (date(2021, 1, 1) - date(2017, 9, 25)).days
    assert int(kibibytes) * 1024 < most
