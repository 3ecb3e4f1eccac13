"""Thousands of hostile rows, bodies and names: no crash, nothing outside the lake, and no number that is not finite."""

import json
import random
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.collection import collect
from coinhts_core.candles.files import Said, read_file
from coinhts_core.candles.frame import CANDLES, MINUTES, sift
from coinhts_core.candles.imports import Fate, Importing, import_bars, sha256_of
from coinhts_core.candles.registry import Registered, register
from coinhts_core.days import DayRange
from coinhts_core.errors import BadFileError, BadMarketError, ExchangeUnavailableError, RefusedError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.calls import _rows_of
from coinhts_core.exchanges.upbit.candles import fetch_candles
from coinhts_core.exchanges.upbit.http import Reply
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.places import open_store
from coinhts_core.lake.uploads import describe, download, listed, upload, verify
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import S3
from tests.core.exchanges.upbit.hostile_bodies import NO_AMOUNTS, ROW
from tests.faults.conftest import QUICK

TRUTH = SampleExchange()
BTC, FIRST = Market("KRW-BTC"), date(2025, 1, 10)
ASKED_AT = datetime(2025, 2, 20, tzinfo=UTC)
FOLLOWED = Registered(BTC, FIRST, FIRST, None, is_active=True)
AMOUNTS = list(ROW)[2:]
PIECES = [
    "..", ".", "/", "\\", "\0", "\n", " ", "~", "%2e%2e", "%00", "etc", "passwd", "KRW-BTC", "krw", "BTC_KRW", "-", "_",
    "symbol=", "month=2026-01", "candles", "venue.json", "000000000001.json", ".unfinished", "$(id)", "`id`",
    "' OR 1=1 --", "|", "COM1", "김치", "\u202e", "\ud7ff", "\uff2b\uff32\uff37", "\u041a", "\u0663", "x" * 300, "{0}",
    "*", "?", "1m", ".csv", "\x7f",
]  # fmt: skip


def hostile_names(count):
    """The same in every run."""
    chance = random.Random(2026)  # noqa: S311 - repeatable on purpose
    return ["".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(count)]


def files_below(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def spoilt_bars(chance, day, count):
    """Bars of a day by the moments they are told under, each with an amount that cannot be."""
    moments = chance.sample(TRUTH.minutes(BTC, day)["opened_at"].to_list(), count)
    return {f"{at:%Y-%m-%dT%H:%M:%S}": {chance.choice(AMOUNTS): chance.choice(NO_AMOUNTS)} for at in moments}


def test_of_two_thousand_hostile_rows_none_is_stored_and_no_other_is_lost(stand_in, tmp_path):
    """Asked over the network, sifted and published: fifteen days without exactly the bars that were spoilt."""
    chance, days = random.Random(7), DayRange(FIRST, FIRST + timedelta(days=14))  # noqa: S311 - repeatable on purpose
    spoilt = {at: of for day in days for at, of in spoilt_bars(chance, day, 140).items()}
    fault = {"kind": "change", "market": BTC, "bars": spoilt}
    stand_in.set_up({"route": "/v1/candles", "faults": [fault]}, now=ASKED_AT.isoformat(), limits={"per_second": 1_000})
    exchange, lake = UpbitExchange(stand_in.url, tmp_path / "upbit", QUICK), Lake.open(str(tmp_path / "lake"))
    collection = collect(exchange, FOLLOWED, days, (), ASKED_AT)
    exchange.close()
    lake.publish(MINUTES, BTC, collection.answered)
    named = pl.col("opened_at").dt.strftime("%Y-%m-%dT%H:%M:%S")
    truth = pl.concat([TRUTH.minutes(BTC, day) for day in days]).filter(~named.is_in(list(spoilt)))
    assert lake.read(MINUTES, BTC, days.first, days.last).select(CANDLES.names).equals(truth)
    assert sum(len(bars) for bars in collection.bad.values()) == len(spoilt) == 2_100
    assert not collection.refused


class Saying:
    """Answers every question with the same bytes, and the next page with none."""

    def __init__(self, body):
        self.bodies = [body, body, b"[]"]

    def get(self, *_):
        return _rows_of(Reply(200, {"content-type": "application/json"}, self.bodies.pop(0)))


def test_of_two_thousand_damaged_bodies_only_believable_bars_are_left(tmp_path):
    """Bytes changed, lost, doubled or put elsewhere: a refusal of ours, or bars that keep every rule."""
    chance = random.Random(8)  # noqa: S311 - repeatable on purpose
    rows = [{**ROW, "candle_date_time_utc": f"2026-01-05T00:0{n}:00"} for n in (2, 1, 0)]
    whole, midnight = json.dumps(rows).encode(), datetime(2026, 1, 5, tzinfo=UTC)
    outcomes = {"refused": 0, "bad": 0, "good": 0}
    for _ in range(2_000):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            at, length = chance.randrange(len(body)), chance.choice((1, 1, 1, 2, 9))
            body[at : at + length] = chance.choice(
                (b"", chance.randbytes(length), body[at : at + length] * 2, b"9", b"-")
            )
        try:
            told = fetch_candles(Saying(bytes(body)), BTC, Timeframe.M1, midnight, midnight + timedelta(days=1))
        except ExchangeUnavailableError:
            outcomes["refused"] += 1
            continue
        found = sift(told, BTC, DayRange(midnight.date(), midnight.date()), Timeframe.M1, asked_at=datetime.now(UTC))
        assert all(found.good[name].is_finite().all() for name in CANDLES.names[1:])
        assert found.good.height + len(found.bad) == told.height <= len(rows)
        outcomes["bad" if found.bad else "good"] += 1
    assert all(outcomes.values())
    assert list(tmp_path.iterdir()) == []


def test_of_two_thousand_hostile_names_none_leads_out_of_the_lake(tmp_path):
    """Markets, assets and uploaded files: refused, or kept where they belong, and found there again."""
    (tmp_path / "secret").write_text("of others")
    (file := tmp_path / "file").write_bytes(b"mine")
    store, kept = open_store(str(tmp_path / "lake"), S3()), set()
    lake = Lake(store)
    for name in hostile_names(2_000):
        for spell in (Market, Market.parse):
            try:
                market = spell(name)
            except BadMarketError:
                continue
            assert (tmp_path / market).resolve().parent == tmp_path
            assert market.isascii()
        for ask in (
            lambda at=name: lake.read(at, BTC, FIRST, FIRST),
            lambda at=name: lake.read(MINUTES, at, FIRST, FIRST),
        ):
            with pytest.raises(RefusedError):
                ask()
        try:
            upload(store, file, name)
        except RefusedError:
            continue
        kept.add(name)
        assert describe(store, name).name == name
        assert verify(store, name, file).matches
    assert kept == {found.path for found in listed(store)}
    assert 0 < len(kept) < 1_000
    found = files_below(tmp_path)
    assert {name: found.pop(name) for name in ("secret", "file")} == {"secret": b"of others", "file": b"mine"}
    assert all(name.startswith(("lake/uploaded-files/", "lake/uploaded-notes/")) for name in found)
    name = min(kept)
    assert download(store, name, tmp_path / "back").name == name


def test_hostile_file_names_and_symbols_import_nothing_elsewhere(ledger, tmp_path):
    """A file is called as the system lets it be, or says any market: it is refused, or its day is in the lake."""
    (folder := tmp_path / "files").mkdir()
    lake, day, fates = Lake.open(str(tmp_path / "lake")), f"{FIRST:%Y-%m-%d}", set()
    register(ledger, TRUTH, [BTC], FIRST)
    rows = [f"{day}T{hour:02}:{minute:02}:00Z,1000,1000,1000,1000,1" for hour in range(24) for minute in (0, 59)]
    header, names = "opened_at,open,high,low,close,volume", hostile_names(150)
    named = [(f"{name.replace('/', '_').replace(chr(0), '_')[:80]}.csv", header, rows) for name in names]
    said = [(f"{place}.csv", f"{header},symbol", [f"{row},{name}" for row in rows]) for place, name in enumerate(names)]
    for name, head, lines in named + said:
        file = folder / name
        file.write_text("\n".join([head, *lines]))
        try:
            bars = read_file(file, Said(timeframe=Timeframe.M1))
        except BadFileError:
            continue
        (symbol,) = map(Market, bars.symbols)
        if symbol != BTC:  # of a market's shape, and unknown to the exchange, which whoever imports asks first
            continue
        fates |= set(import_bars(Importing(lake, ledger, ASKED_AT), bars, FOLLOWED, sha256_of(bars)).fates.values())
    assert fates == {Fate.GOOD, Fate.PRESENT}
    written = [name for name in files_below(tmp_path) if not name.startswith("files/")]
    assert all(name.startswith(f"lake/{MINUTES}/symbol={BTC}/month={day[:7]}/") for name in written)
    assert lake.read(MINUTES, BTC, FIRST, FIRST).height == len(rows)
