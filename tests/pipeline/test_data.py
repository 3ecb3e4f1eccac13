import json
from datetime import date

import polars as pl
import pytest

from coinhts_core.candles.frame import MINUTES
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.markets import Market

RANGE = ("--symbols", "KRW-BTC", "--timerange", "20260101-20260105")


@pytest.fixture
def down(monkeypatch):
    """Give the set of days on which the venue is down."""
    days = set()
    minutes = SampleExchange.minutes

    def answered(self, symbol, day):
        if day in days:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        return minutes(self, symbol, day)

    monkeypatch.setattr(SampleExchange, "minutes", answered)
    return days


def told(answer, *arguments, ends=0):
    code, out, err = answer("data", *arguments, "--json")
    assert (code, bool(err)) == (ends, ends != 0)
    return json.loads(out)


def test_a_hole_is_planned_downloaded_named_and_mended(house, answer, down):
    """A plan asks for nothing; an unanswered day is named with its reason; repair mends it and what stands on it."""
    down.add(date(2026, 1, 3))
    assert told(answer, "download", "--plan", *RANGE)["partitions"] == 5
    assert told(answer, "status", *RANGE)["symbols"][0]["not fetched"] == 5
    assert told(answer, "download", *RANGE, ends=3)["partitions"] == 5
    assert house.events("backtests/sma_cross") == []
    (hole,) = told(answer, "gaps", "--quiet", "1440", *RANGE)
    assert (hole["first"], hole["state"]) == ("2026-01-03", "exchange down")
    assert "maintenance" in hole["reason"]
    assert house.run("2026-01-01|KRW-BTC", "2026-01-05|KRW-BTC", only=["signals/sma_cross"]).success
    assert house.run("2026-01-01|KRW-BTC", "2026-01-05|KRW-BTC", only=["backtests/sma_cross"]).success
    versions = {event.partition: event.tags["dagster/data_version"] for event in house.events("backtests/sma_cross")}
    assert versions["2026-01-05|KRW-BTC"] == "waiting"

    down.clear()
    assert told(answer, "repair", *RANGE)["partitions"] == 1
    assert told(answer, "gaps", "--quiet", "1440", *RANGE) == []
    versions = {event.partition: event.tags["dagster/data_version"] for event in house.events("backtests/sma_cross")}
    assert "waiting" not in versions.values()
    assert told(answer, "download", "--plan", *RANGE)["partitions"] == 0


def test_bad_bars_are_counted_named_one_by_one_and_mended(house, answer, monkeypatch):
    """The day is there without them; a download leaves it alone, a repair asks for it again."""
    asked = ("--symbols", "KRW-ETH", "--timerange", "20260101-20260103")
    minutes, wrong = SampleExchange.minutes, pl.int_range(pl.len()).is_in([2, 5])

    def told_badly(self, symbol, day):
        rows = minutes(self, symbol, day)
        return rows.with_columns(close=pl.when(wrong).then(-1.0).otherwise("close")) if day.day == 2 else rows

    monkeypatch.setattr(SampleExchange, "minutes", told_badly)
    assert told(answer, "download", *asked, ends=2)["partitions"] == 3
    rows = minutes(SampleExchange(), Market("KRW-ETH"), date(2026, 1, 2))
    bad, gaps = rows[[2, 5]]["opened_at"], told(answer, "gaps", "--quiet", "1440", *asked)
    assert [(gap["first"], gap["state"], gap["reason"]) for gap in gaps] == [
        (moment.isoformat(sep=" "), "bad bars", "prices_are_positive") for moment in bad
    ]
    (status,) = told(answer, "status", *asked)["symbols"]
    assert (status["traded"], status["bad bars"], status["revised"]) == (2, 1, 0)
    assert told(answer, "download", "--plan", *asked)["partitions"] == 0
    assert told(answer, "repair", *asked, ends=2)["partitions"] == 1
    assert len(told(answer, "gaps", "--quiet", "1440", *asked)) == 2

    monkeypatch.setattr(SampleExchange, "minutes", minutes)
    assert told(answer, "repair", *asked)["partitions"] == 1
    assert told(answer, "gaps", "--quiet", "1440", *asked) == []
    stored = house.rooms.lake.read(MINUTES, Market("KRW-ETH"), date(2026, 1, 2), date(2026, 1, 2))
    assert stored.drop("day").equals(rows)
    assert told(answer, "repair", *asked)["partitions"] == 0
