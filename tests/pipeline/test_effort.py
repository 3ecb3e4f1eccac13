import json
from datetime import date

import pytest

from coinhts_core.candles.registry import Registered
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.markets import Market
from coinhts_pipeline.backfill import Plan
from coinhts_pipeline.effort import effort_of, show
from coinhts_pipeline.partitions import Rectangle
from tests.faults.stand_in.process import StandIn

RANGE = ("--timerange", "20260114-20260116")
BTC, BTT = (
    Registered(Market(f"KRW-{base}"), first, first, None, is_active=True)
    for base, first in (("BTC", date(2025, 1, 1)), ("BTT", date(2026, 1, 15)))
)


def a_plan(*blocks):
    return Plan([Rectangle(*block) for block in blocks], assets_a_day=1)


def told(answer, *arguments):
    code, out, err = answer("data", "download", *RANGE, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_download_makes_no_more_calls_than_its_plan_says(open_house, answer, tmp_path):
    """And at least half of them; a coin in its first week takes a few more, and what is there takes none."""
    with StandIn.start(tmp_path) as stand_in:
        asking = {"exchange": "upbit", "upbit__base_url": stand_in.url, "symbols": "KRW-BTC,KRW-BTT"}
        with open_house(**asking):
            stand_in.set_up(limits={"per_second": 1_000})
            planned = told(answer, "--plan")
            assert stand_in.calls("candle") == []
            assert [of["calls"] for of in planned["runs"]] == [24, 20]
            assert (planned["partitions"], planned["calls"], planned["hours"]) == (5, 44, round(44 / 36_000, 4))
            assert told(answer)["calls"] == 44
            assert 22 <= len(stand_in.calls("candle")) <= 44
            nothing = told(answer, "--plan")
            assert (nothing["partitions"], nothing["calls"], nothing["hours"]) == (0, 0, 0.0)


@pytest.mark.usefixtures("house")
def test_the_sample_market_costs_no_call(answer):
    """In figures and in words."""
    planned = told(answer, "--plan")
    assert (planned["partitions"], planned["calls"], planned["hours"]) == (9, 0, 0.0)
    assert (
        "9 symbol-days in 1 run; no calls, for it needs no network" in answer("data", "download", *RANGE, "--plan")[1]
    )


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (date(2026, 1, 20), "48 calls, 5 seconds at 10 calls a second"),
        (date(2026, 7, 31), "1,584 calls, 3 minutes at"),
        (date(2040, 12, 31), "43,720 calls, 73 minutes at"),
        (date(2099, 12, 31), "216,112 calls, 6.0 hours at"),
    ],
)
def test_long_work_is_told_in_larger_units(capsys, tmp_path, last, words):
    """At ten calls a second."""
    upbit = UpbitExchange("http://127.0.0.1:1", tmp_path)
    show(effort_of(upbit, [BTC, BTT], a_plan((("KRW-BTC",), date(2026, 1, 15), last))))
    assert words in " ".join(capsys.readouterr().out.split())


def test_each_run_counts_each_of_its_coins(tmp_path):
    """A young one more than the others; without a network none."""
    planned = a_plan((("KRW-BTC", "KRW-BTT"), date(2026, 1, 15), date(2026, 1, 16)))
    upbit = UpbitExchange("http://127.0.0.1:1", tmp_path)
    assert effort_of(upbit, [BTC, BTT], planned).calls_a_run == [2 * 8 + 2 * 10]
    sample = effort_of(SampleExchange(), [BTC, BTT], planned)
    assert (sample.calls, sample.hours, sample.facts()["partitions"]) == (0, 0.0, 4)
