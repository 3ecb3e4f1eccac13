import json
import re
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from coinhts_core.exchanges.sample import SampleExchange
from coinhts_pipeline.definitions import defs

START, LAST = date(2026, 1, 30), date(2026, 2, 3)
UNIVERSE = {"symbols": "KRW-BTC,KRW-ETH", "start_date": str(START)}
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
PACED = '''
"""A strategy of a user."""

from typing import ClassVar

import numpy as np

from coinhts_core.strategies import Strategy


class Paced(Strategy):
    """Enter and leave by the clock."""

    enabled: ClassVar[bool] = True
    pace: int = 6

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        hour = (bars.opened_at // 3_600_000_000) % (2 * self.pace)
        return np.select([hour == 0, hour == self.pace], [1, -1]).astype(np.int8)
'''


@pytest.fixture
def own(open_house):
    """Give an installation of its own: two coins over a month's end, nothing collected yet."""
    with open_house(**UNIVERSE) as house:
        yield house


def rehearse(house, first=START, last=LAST):
    result = house.run(f"{first}|KRW-BTC", f"{last}|KRW-ETH")
    assert result.success
    return result


def evaluate_schedule(house, moment):
    repository = defs().get_repository_def()
    with dg.build_schedule_context(
        instance=house.instance, scheduled_execution_time=moment, repository_def=repository
    ) as context:
        return repository.get_schedule_def("rehearse_days_daily").evaluate_tick(context)


def evaluate_sensor(house, name, cursor=None):
    repository = defs().get_repository_def()
    with dg.build_sensor_context(instance=house.instance, cursor=cursor, repository_def=repository) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def ranges(tick):
    return [tuple(request.tags[tag] for tag in RANGE) for request in tick.run_requests]


def test_the_schedule_catches_up_from_the_first_absent_day(own):
    """Days that were missed come with yesterday, as one run; what is there already is not asked for again."""
    midnight = datetime(2026, 2, 2, 0, 10, tzinfo=UTC)
    assert ranges(evaluate_schedule(own, midnight)) == [("2026-01-30|KRW-BTC", "2026-02-01|KRW-ETH")]
    rehearse(own, last=date(2026, 1, 31))
    assert ranges(evaluate_schedule(own, midnight)) == [("2026-02-01|KRW-BTC", "2026-02-01|KRW-ETH")]
    assert own.run("2026-02-01|KRW-BTC").success
    (request,) = evaluate_schedule(own, midnight).run_requests
    assert [request.tags[tag] for tag in RANGE] == ["2026-02-01|KRW-ETH"] * 2
    assert request.run_key.startswith("2026-02-02T00:10:00+00:00")
    assert own.run("2026-02-01|KRW-ETH").success
    tick = evaluate_schedule(own, midnight)
    assert (tick.run_requests, tick.skip_message) == ([], "every day is current")


def test_what_the_schedule_asks_for_is_a_run_that_dagster_accepts(own):
    """Its tags are a range of the job's own partitions, and executing it makes every day of it."""
    (request,) = evaluate_schedule(own, datetime(2026, 2, 1, 0, 10, tzinfo=UTC)).run_requests
    first, last = (request.tags[tag] for tag in RANGE)
    assert own.run(first, last).success
    keys = {f"2026-01-{day}|KRW-{coin}" for day in (30, 31) for coin in ("BTC", "ETH")}
    for asset in ("candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"):
        assert own.outcome()[asset].keys() == keys


def test_on_stale_chain_asks_for_nothing_while_all_is_current(own):
    """Neither in an empty house, nor in one whose days are as they should be."""
    assert evaluate_sensor(own, "on_stale_chain").skip_message == "every day is current"
    rehearse(own)
    assert evaluate_sensor(own, "on_stale_chain").skip_message == "every day is current"


def test_on_stale_chain_sees_a_candle_day_that_was_repaired(own, monkeypatch):
    """From that day to the end of the chain all is folded again, and of that coin only."""
    rehearse(own)
    before = own.outcome()
    minutes = SampleExchange.minutes

    def repaired(self, symbol, day):
        frame = minutes(self, symbol, day)
        return frame.head(frame.height - 30) if day == date(2026, 2, 1) else frame

    monkeypatch.setattr(SampleExchange, "minutes", repaired)
    refresh = {"ops": {"candles__minute": {"config": {"refresh": True}}}}
    assert own.run("2026-02-01|KRW-ETH", only=["candles/minute"], config=refresh).success
    tick = evaluate_sensor(own, "on_stale_chain")
    assert ranges(tick) == [("2026-02-01|KRW-ETH", "2026-02-03|KRW-ETH")]
    assert evaluate_sensor(own, "on_stale_chain").run_requests[0].run_key == tick.run_requests[0].run_key
    assert own.run(*ranges(tick)[0]).success
    assert evaluate_sensor(own, "on_stale_chain").run_requests == []
    after = own.outcome()
    changed = {key for key, link in after["backtests/sma_cross"].items() if link != before["backtests/sma_cross"][key]}
    assert changed == {f"2026-02-0{day}|KRW-ETH" for day in (1, 2, 3)}


def test_on_stale_chain_waits_while_a_run_is_at_work(own):
    """It would otherwise ask for days that are being folded this moment."""
    assert own.run("2026-02-01|KRW-BTC").success
    assert own.run("2026-01-30|KRW-BTC", "2026-01-31|KRW-BTC").success
    run = own.instance.add_run(dg.DagsterRun(job_name="rehearse_days", status=dg.DagsterRunStatus.STARTED))
    assert "a run is at work" in evaluate_sensor(own, "on_stale_chain").skip_message
    own.instance.report_run_failed(run)
    assert ranges(evaluate_sensor(own, "on_stale_chain")) == [("2026-02-01|KRW-BTC", "2026-02-01|KRW-BTC")]


def test_a_new_file_is_a_strategy_and_a_new_knob_makes_its_days_stale(own):
    """Assets appear in all rooms, one backfill fills them, and another default refolds that strategy only."""
    own.installation.settings.strategies_folder.mkdir()
    file = own.installation.settings.strategies_folder / "paced.py"
    rehearse(own)
    before = own.outcome()
    file.write_text(PACED)
    keys = {key.to_user_string() for key in defs().resolve_asset_graph().get_all_asset_keys()}
    assert {f"{room}/paced" for room in ("signals", "backtests", "positions", "performance")} <= keys
    assert ranges(evaluate_schedule(own, datetime(2026, 2, 4, 0, 10, tzinfo=UTC))) == [
        ("2026-02-03|KRW-BTC", "2026-02-03|KRW-ETH")
    ]
    rehearse(own)
    assert own.run(job="publish_performance").success
    assert evaluate_sensor(own, "on_stale_chain").run_requests == []
    rows = own.rooms.lake.read_whole("performance/paced")
    assert rows["trades"].to_list() == [9, 9]
    file.write_text(PACED.replace("pace: int = 6", "pace: int = 3"))
    assert ranges(evaluate_sensor(own, "on_stale_chain")) == [(f"{START}|KRW-BTC", f"{LAST}|KRW-ETH")]
    rehearse(own)
    assert evaluate_sensor(own, "on_stale_chain").run_requests == []
    assert own.outcome() == before


def test_a_days_record_names_what_it_was_made_of(own):
    """Lineage by version: the day's candles and its signals, and the code of the strategy."""
    rehearse(own, last=START)
    made = {asset: own.events(asset)[0] for asset in ("candles/minute", "signals/sma_cross", "backtests/sma_cross")}
    assert len({event.partition for event in made.values()}) == 1
    version = {asset: event.tags["dagster/data_version"] for asset, event in made.items()}
    tags = made["backtests/sma_cross"].tags
    assert tags["dagster/input_data_version/candles/minute"] == version["candles/minute"]
    assert tags["dagster/input_data_version/signals/sma_cross"] == version["signals/sma_cross"]
    node = defs().resolve_asset_graph().get(dg.AssetKey(["backtests", "sma_cross"]))
    assert tags["dagster/code_version"] == node.code_version
    assert json.loads(json.dumps(node.metadata["parameters"].value)) == {"timeframe": "1h", "fast": 10, "slow": 50}


def test_a_partition_answers_what_data_what_code_which_run(own):
    """On each day of each room; beside the newest day a few rows and a curve, both seen without a click."""
    result = rehearse(own)
    candles = {event.partition: event.tags["dagster/data_version"] for event in own.events("candles/minute")}
    for room in ("candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"):
        for event in own.events(room):
            told = {name: of.value for name, of in event.metadata.items()}
            assert told.get("candles", told.get("content_hash")) == candles[event.partition], room
            assert told["data_version"] == event.tags["dagster/data_version"]
            assert told["code_version"] == event.tags["dagster/code_version"]
            assert told["run"] == result.run_id
            assert re.fullmatch(r"2\d{3}-\d\d-\d\d [\d:]{8} UTC \(\d\d-\d\d \d\d:\d\d KST\)", told["stored_at"])
            assert ("preview" in told) == ("plot" in told) == event.partition.startswith(str(LAST)), room
            if "plot" in told:
                assert len(told["plot"]) < 1_000
                assert told["preview"].startswith("| ")
