import json
from datetime import date

import pytest

from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange

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


def told(answer, *arguments):
    code, out, err = answer("data", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_hole_is_planned_downloaded_named_and_mended(house, answer, down):
    """A plan asks for nothing; an unanswered day is named with its reason; repair mends it and what stands on it."""
    down.add(date(2026, 1, 3))
    assert told(answer, "download", "--plan", *RANGE)["partitions"] == 5
    assert told(answer, "status", *RANGE)["symbols"][0]["not fetched"] == 5
    assert told(answer, "download", *RANGE)["partitions"] == 5
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
