from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.coverage import State
from coinhts_core.days import DayRange
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.inventory import take_inventory
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.defs import repairs
from coinhts_pipeline.defs.repairs import MOST_A_TICK, Patience

START = date(2026, 1, 30)
NOON = datetime(2026, 2, 4, 12, 0, tzinfo=UTC)
UNIVERSE = {"symbols": "KRW-BTC,KRW-ETH", "start_date": str(START)}
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
KEYS = ["2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC"]


@pytest.fixture
def own(open_house):
    """Give an installation of its own: two coins, nothing collected yet."""
    with open_house(**UNIVERSE) as house:
        yield house


@pytest.fixture
def watch(monkeypatch):
    """Set the sensor's watch."""

    def set_to(moment):
        monkeypatch.setattr(repairs, "now", lambda: moment)

    set_to(NOON)
    return set_to


class Sensor:
    """The sensor of a house, tick by tick, with the cursor that Dagster keeps for it."""

    def __init__(self, house):
        self.house, self.cursor = house, None

    def tick(self):
        repository = defs().get_repository_def()
        with dg.build_sensor_context(
            instance=self.house.instance, cursor=self.cursor, repository_def=repository
        ) as context:
            tick = repository.get_sensor_def("on_missing_candles").evaluate_tick(context)
        self.cursor = tick.cursor or self.cursor
        return tick

    def ranges(self):
        return [tuple(request.tags[tag] for tag in RANGE) for request in self.tick().run_requests]


def states(house, symbol="KRW-BTC", last=date(2026, 2, 3)):
    rooms = house.rooms
    registered = rooms.symbols[symbol]
    return take_inventory(rooms.lake, rooms.ledger, registered, DayRange(START, last)).states


def test_missing_days_are_asked_for_after_a_while_and_come(own, watch):
    """A day lost in the middle and those at the end, of each coin; then nothing is missing, and it says so."""
    assert own.run("2026-01-30|KRW-BTC", "2026-02-02|KRW-BTC").success
    assert own.run("2026-01-30|KRW-ETH", "2026-02-03|KRW-ETH").success
    with own.rooms.ledger.transaction() as connection:
        connection.execute("DELETE FROM coverage WHERE symbol = 'KRW-ETH' AND day = '2026-01-31'")
    sensor = Sensor(own)
    assert sensor.tick().skip_message == "2 symbol-days are missing; they wait for their turn"
    watch(NOON + timedelta(minutes=9))
    assert sensor.ranges() == []
    watch(NOON + timedelta(minutes=10))
    asked = sensor.ranges()
    assert asked == [("2026-02-03|KRW-BTC",) * 2, ("2026-01-31|KRW-ETH",) * 2]
    assert sensor.ranges() == []
    assert all(own.run(*each).success for each in asked)
    assert set(states(own).values()) == set(states(own, "KRW-ETH").values()) == {State.TRADED}
    watch(NOON + timedelta(hours=5))
    assert sensor.tick().skip_message == "no day is missing"
    assert Patience.read(sensor.cursor).asked == {}


def test_a_tick_that_is_repeated_asks_under_the_same_key(own, watch):
    """Dagster launches a key once: a daemon that dies before it keeps the cursor doubles nothing."""
    sensor = Sensor(own)
    sensor.tick()
    watch(NOON + timedelta(minutes=20))
    before = sensor.cursor
    first = sensor.tick()
    sensor.cursor = before
    assert [of.run_key for of in sensor.tick().run_requests] == [of.run_key for of in first.run_requests]
    assert len(first.run_requests) == 1


def test_an_exchange_that_stays_down_is_asked_about_one_day_at_a_time(own, watch, monkeypatch):
    """Each day waits longer from time to time; the first answer brings all the others."""
    minutes, down = SampleExchange.minutes, [True]

    def answered(self, symbol, day):
        if down:
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        return minutes(self, symbol, day)

    monkeypatch.setattr(SampleExchange, "minutes", answered)
    sensor, asked = Sensor(own), []
    for tick in range(8):
        watch(NOON + timedelta(minutes=10 * tick))
        asked.append(sensor.ranges())
        for each in asked[-1]:
            assert own.run(*each, only=["candles/minute"]).success
    assert asked[:3] == [
        [],
        [("2026-01-30|KRW-BTC", "2026-02-03|KRW-ETH")],
        [("2026-01-30|KRW-BTC",) * 2],
    ]
    assert all(first == last for [(first, last)] in asked[2:])
    assert set(states(own).values()) == {State.UNAVAILABLE}
    down.clear()
    watch(NOON + timedelta(hours=4))
    (probe,) = sensor.ranges()
    assert own.run(*probe).success
    watch(NOON + timedelta(days=1))
    assert all(own.run(*each).success for each in sensor.ranges())
    assert set(states(own).values()) == {State.TRADED}


def test_the_newest_day_is_the_daily_runs_until_one_o_clock(own, watch):
    """Older holes are asked for at midnight, too."""
    watch(datetime(2026, 2, 4, 0, 20, tzinfo=UTC))
    sensor = Sensor(own)
    sensor.tick()
    watch(datetime(2026, 2, 4, 0, 40, tzinfo=UTC))
    assert sensor.ranges() == [("2026-01-30|KRW-BTC", "2026-02-02|KRW-ETH")]
    watch(datetime(2026, 2, 4, 1, 0, tzinfo=UTC))
    sensor.cursor = Patience(NOON - timedelta(days=1)).written()
    assert sensor.ranges() == [("2026-01-30|KRW-BTC", "2026-02-03|KRW-ETH")]


def test_nothing_is_asked_for_during_a_block_or_a_run(own, watch, monkeypatch):
    """The one would be prolonged, the other done twice."""
    sensor = Sensor(own)
    sensor.tick()
    watch(NOON + timedelta(minutes=30))
    run = own.instance.add_run(dg.DagsterRun(job_name="rehearse_days", status=dg.DagsterRunStatus.STARTED))
    assert "a run is at work" in sensor.tick().skip_message
    own.instance.report_run_failed(run)
    with monkeypatch.context() as blocked:
        blocked.setattr(SampleExchange, "blocked_until", lambda _: NOON + timedelta(hours=1))
        assert sensor.tick().skip_message == "sample blocked us until 2026-02-04 13:00:00 UTC"
    assert len(sensor.ranges()) == 1


def revisit(house, moment):
    repository = defs().get_repository_def()
    with dg.build_schedule_context(
        instance=house.instance, scheduled_execution_time=moment, repository_def=repository
    ) as context:
        return repository.get_schedule_def("revisit_recent_days_daily").evaluate_tick(context)


def test_the_two_newest_days_are_looked_at_again(own, monkeypatch):
    """What the exchange tells differently is taken, and days that stood on it are folded in the same run."""
    three = datetime(2026, 2, 2, 3, 0, tzinfo=UTC)
    assert "never tells a day differently" in revisit(own, three).skip_message
    assert own.run("2026-01-30|KRW-BTC", "2026-02-01|KRW-ETH").success
    before = own.outcome()
    minutes = SampleExchange.minutes
    monkeypatch.setattr(SampleExchange, "needs_network", True)
    monkeypatch.setattr(
        SampleExchange, "minutes", lambda self, symbol, day: minutes(self, symbol, day)[: 1_000 + day.day]
    )
    (request,) = revisit(own, three).run_requests
    assert own.run(*(request.tags[tag] for tag in RANGE), config=request.run_config).success
    after = own.outcome()
    changed = {key for key, version in after["candles/minute"].items() if version != before["candles/minute"][key]}
    assert changed == {f"{day}|KRW-{coin}" for day in ("2026-01-31", "2026-02-01") for coin in ("BTC", "ETH")}
    assert {key for key, of in after["backtests/sma_cross"].items() if of != before["backtests/sma_cross"][key]} == (
        changed
    )
    assert request.run_key.startswith("2026-02-02T03:00:00+00:00")


PAUSES = st.sampled_from([0, 5, 10, 15, 20, 40, 500, 2_000])
MISSING = st.sampled_from([KEYS, KEYS[:1], KEYS[:1], []]).map(set)
HISTORY = st.lists(st.tuples(PAUSES, MISSING), min_size=6, max_size=30)


@given(HISTORY)
def test_no_day_is_asked_for_more_often_than_its_patience_allows(history):
    """Whatever comes and goes: never before the first wait, each time later, and the cursor keeps it all."""
    patience, moment, asked = Patience(), NOON, {}
    for minutes, missing in history:
        moment += timedelta(minutes=minutes)
        patience = Patience.read(patience.written()).seen(missing, moment)
        chosen = patience.chosen(missing, moment)
        patience = patience.after(chosen, moment) if chosen else patience
        assert set(chosen) <= missing
        assert len(chosen) <= MOST_A_TICK
        asked = {key: times for key, times in asked.items() if key in missing}
        for key in chosen:
            times = asked.setdefault(key, [])
            wait = min(timedelta(minutes=10) * 2 ** max(len(times) - 1, 0), timedelta(days=1))
            assert not times or moment - times[-1] >= wait
            times.append(moment)
        assert {key: len(times) for key, times in asked.items()} == {key: of[0] for key, of in patience.asked.items()}
    assert Patience.read(patience.written()) == patience


def test_many_missing_days_are_a_few_at_a_time():
    """The oldest first, and all of them in the end."""
    missing = {f"2026-{1 + n // 28:02}-{1 + n % 28:02}|KRW-BTC" for n in range(300)}
    patience, rounds = Patience(NOON - timedelta(days=1)), []
    while missing:
        patience = patience.seen(missing, NOON)
        rounds.append(patience.chosen(missing, NOON))
        patience = patience.after(rounds[-1], NOON)
        missing -= set(rounds[-1])
    assert [len(of) for of in rounds] == [120, 120, 60]
    assert max(rounds[0]) < min(rounds[1])
