import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from coinhts_core.alerts.delivery import Round
from coinhts_core.alerts.heartbeat import last_beat
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.errors import ExchangeUnavailableError, LedgerUnreachableError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.governance import change
from coinhts_core.settings import read_settings
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.defs import alerts
from coinhts_pipeline.rooms import Rooms

START = date(2026, 1, 30)
MORNING = datetime(2026, 2, 2, 0, 30, tzinfo=UTC)
DAYS = ("2026-01-30|KRW-BTC", "2026-02-01|KRW-BTC")


@pytest.fixture(scope="module")
def _two_coins(open_house):
    with open_house(symbols="KRW-BTC,KRW-ETH", start_date=str(START)) as house:
        with house.installation.settings.lineup_file.open("a") as lineup:
            lineup.write("[sma_cross]\nparameters = { fast = 2, slow = 5 }\naccount = { fee_rate = 0.01 }\n")
        yield house


@pytest.fixture
def own(_two_coins, monkeypatch):
    """Give the module's installation: two coins, and nothing told yet."""
    for name, value in _two_coins.environ.items():
        monkeypatch.setenv(name, value)
    with _two_coins.rooms.ledger.transaction() as connection:
        connection.execute("TRUNCATE alerts, deliveries, settings")
    (_two_coins.installation.settings.home / "logs" / "alerts.jsonl").unlink(missing_ok=True)
    return _two_coins


@pytest.fixture(autouse=True)
def watch(monkeypatch):
    """Set the sensors' watch."""

    def set_to(moment):
        monkeypatch.setattr(alerts, "now", lambda: moment)

    set_to(MORNING)
    return set_to


class Sensor:
    """A sensor of a house, tick by tick, with the cursor that Dagster keeps for it."""

    def __init__(self, house, name):
        self.house, self.name, self.cursor = house, name, None

    def tick(self):
        repository = defs().get_repository_def()
        with dg.build_sensor_context(
            instance=self.house.instance, cursor=self.cursor, repository_def=repository
        ) as context:
            tick = repository.get_sensor_def(self.name).evaluate_tick(context)
        self.cursor = tick.cursor or self.cursor
        return tick


def told(house):
    """Every alert, the latest last."""
    outbox = Outbox.open(house.rooms.ledger, read_settings())
    return [of.letter for of in reversed(outbox.latest())]


def breaks(_, symbol, day):
    bug = f"a bug met {symbol} on {day}"
    raise RuntimeError(bug)


def test_a_failed_run_is_told_in_the_words_of_its_cause(own, monkeypatch):
    """With what it covered and where to look; what failed before somebody listened is no news."""
    monkeypatch.setattr(SampleExchange, "minutes", breaks)
    assert not own.run(*DAYS).success
    sensor = Sensor(own, "on_run_failure")
    sensor.tick()
    assert told(own) == []
    failed = own.run(*DAYS)
    sensor.tick()
    (letter,) = told(own)
    assert (letter.level, letter.title) == ("error", "run rehearse_days failed in candles__minute")
    assert letter.body.splitlines() == [
        "RuntimeError: a bug met KRW-BTC on 2026-01-30",
        "2026-01-30|KRW-BTC to 2026-02-01|KRW-BTC",
        f"http://127.0.0.1:3000/runs/{failed.run_id}",
    ]
    own.run(*DAYS)
    sensor.tick()
    assert [of.repeats for of in told(own)] == [1]


def test_an_attempt_that_is_tried_again_is_not_told(own, monkeypatch):
    """Only the last one is."""
    sensor = Sensor(own, "on_run_failure")
    sensor.tick()
    monkeypatch.setattr(SampleExchange, "minutes", breaks)
    for _ in range(2):
        own.instance.add_run_tags(own.run(*DAYS).run_id, {"dagster/will_retry": "true"})
    sensor.tick()
    assert told(own) == []
    own.run(*DAYS)
    sensor.tick()
    assert len(told(own)) == 1


def test_a_failed_run_is_told_without_a_ledger_too(own, monkeypatch):
    """Dagster's own storage may be elsewhere; the file takes it at once."""
    sensor = Sensor(own, "on_run_failure")
    sensor.tick()
    monkeypatch.setattr(SampleExchange, "minutes", breaks)
    own.run(*DAYS)

    def unreachable(*_):
        raise LedgerUnreachableError(address="localhost", reason="gone")

    monkeypatch.setattr(Rooms, "open", unreachable)
    sensor.tick()
    line = json.loads((read_settings().home / "logs" / "alerts.jsonl").read_text())
    assert line["title"] == "run rehearse_days failed in candles__minute"


def test_a_check_that_says_no_is_told_with_what_it_found(own, watch, monkeypatch):
    """An error again after a while, a warning once a day; what was found before somebody listened is no news."""
    minutes = SampleExchange.minutes

    def down_on_the_last_day(self, symbol, day):
        if day == date(2026, 2, 1):
            raise ExchangeUnavailableError(venue="sample", reason="maintenance")
        return minutes(self, symbol, day)

    monkeypatch.setattr(SampleExchange, "minutes", down_on_the_last_day)
    sensor = Sensor(own, "on_failed_check")
    sensor.tick()
    assert own.run(*DAYS).success
    sensor.tick()
    letters = {of.title: of for of in told(own)}
    assert {title: of.level for title, of in letters.items()} == {
        "candles/minute: not so that days are complete": "error",
        "signals/sma_cross: not so that decisions are not waiting": "warning",
        "backtests/sma_cross: not so that days are not waiting": "warning",
    }
    found = letters["candles/minute: not so that days are complete"].body
    assert "2026-02-01 KRW-BTC: sample did not answer (maintenance); try again later" in found
    watch(MORNING + timedelta(minutes=16))
    assert own.run(*DAYS).success
    sensor.tick()
    assert len(told(own)) == 4
    watch(MORNING + timedelta(days=2))
    evaluation = dg.AssetCheckEvaluation(dg.AssetKey("markets"), "it_is_so", passed=False, metadata={"why": "it rains"})
    again = Sensor(own, "on_failed_check")
    for count in (4, 5):
        own.instance.report_runless_asset_event(evaluation)
        again.tick()
        assert len(told(own)) == count
    assert told(own)[-1].body == "why: it rains"


def test_signals_of_the_newest_day_are_told_once(own, watch):
    """Of each coin as its day comes in, a day later those of that day; a history that is filled in is not told."""
    sensor, newest = Sensor(own, "on_new_signal"), date(2026, 2, 1)
    assert own.run(*DAYS).success
    sensor.tick()
    (letter,) = told(own)
    rows = own.rooms.lake.read("signals/sma_cross", "KRW-BTC", newest, newest).filter(side=1)
    assert letter.title.startswith("sma_cross: ")
    assert letter.body.count("KRW-BTC enter at ") == rows.height > 0
    assert f"{rows['decided_at'][0]:%Y-%m-%d %H:%M:%S} UTC (" in letter.body
    assert "KST)" in letter.body
    assert sensor.tick().skip_message == "no day of signals has changed"
    watch(MORNING + timedelta(hours=1))
    assert own.run("2026-01-30|KRW-BTC", "2026-02-01|KRW-ETH").success
    assert sensor.tick().skip_message == "looked at the signals of 2026-02-01"
    assert ["KRW-BTC" in of.body for of in told(own)] == [True, False]
    watch(MORNING + timedelta(days=1))
    assert own.run("2026-02-02|KRW-BTC").success
    sensor.tick()
    assert ["KRW-ETH" in of.body for of in told(own)] == [False, True, False]


def test_a_strategy_that_fell_is_told_once(own, watch):
    """By thresholds that can be set while it runs."""
    sensor = Sensor(own, "on_drawdown")
    assert own.run("2026-01-30|KRW-BTC", "2026-02-01|KRW-ETH").success
    assert sensor.tick().skip_message == "no performance was published"
    change(own.rooms.ledger, "drawdown_warning_pct", "1", "mina", MORNING)
    for name, value in (("error", "1"), ("critical", "90")):
        change(own.rooms.ledger, f"drawdown_{name}_pct", value, "mina", MORNING)
    equity = {
        symbol: own.rooms.lake.read("backtests/sma_cross", symbol, START, date(2026, 2, 1))["equity_close_krw"]
        for symbol in own.rooms.symbols
    }
    falls = {symbol: 1 - of[-1] / of.max() for symbol, of in equity.items()}
    fallen = [symbol for symbol, fall in falls.items() if fall >= 0.01]
    for minutes in (0, 20):
        watch(MORNING + timedelta(minutes=minutes))
        assert own.run(job="publish_performance").success
        assert sensor.tick().skip_message == f"{len(fallen)} of 2 have fallen"
    assert fallen
    (letter,) = told(own)
    assert letter.level == "error"
    assert all(f"sma_cross {symbol} is {falls[symbol]:.1%} below its highest" in letter.body for symbol in fallen)


def test_alerts_are_delivered_and_the_house_shows_that_it_lives(own, watch):
    """Once a day to people, at every tick to whoever watches."""
    sensor = Sensor(own, "on_alert")
    assert sensor.tick().skip_message == "1 sent, 0 failed"
    assert sensor.tick().skip_message == "0 sent, 0 failed"
    assert last_beat(read_settings()) == MORNING
    watch(MORNING + timedelta(days=1))
    assert sensor.tick().skip_message == "1 sent, 0 failed"
    assert last_beat(read_settings()) == MORNING + timedelta(days=1)
    lines = (read_settings().home / "logs" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["coinhts is alive"] * 2
    assert own
    assert Round(1, 2) + Round(3, 4) == Round(4, 6)
