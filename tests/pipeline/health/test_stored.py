import os
import subprocess
import sys
from datetime import timedelta
from fcntl import LOCK_EX, flock
from uuid import uuid4

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from coinhts_core.candles.frame import CANDLES, DAYS
from coinhts_core.candles.registry import registered_symbols
from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.lake.writer import DayRows
from coinhts_core.settings import read_settings
from coinhts_pipeline.claims import claim
from coinhts_pipeline.health import ledger as ledger_health
from coinhts_pipeline.health import stored as stored_health
from coinhts_pipeline.health.diagnosis import State
from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.resources import claims_folder

LAST = last_complete_day(now())
FIRST = LAST - timedelta(days=1)
_CLAIMER = """
import sys
from pathlib import Path
from coinhts_pipeline.claims import claim
claim(Path(sys.argv[1]), sys.argv[2])
"""


def found(check):
    return {finding.check: finding for finding in ledger_health.findings(read_settings())}[check]


@pytest.fixture(scope="module")
def recent(open_house):
    """Open a house of one coin that begins the day before yesterday and has collected and folded its first day."""
    with open_house(symbols="KRW-BTC", start_date=str(FIRST)) as house:
        assert {check: found(check).found for check in ("candles", "days")} == {
            "candles": "never collected: KRW-BTC; `coinhts backfill` collects them",
            "days": "2 symbol-days to collect or fold; `coinhts backfill` does it",
        }
        assert house.run(f"{FIRST}|KRW-BTC").success
        yield house


@pytest.fixture(autouse=True)
def _at_home(recent, monkeypatch):
    for name, value in recent.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lineup(recent):
    """Write another lineup; afterwards it is as it was."""
    file = recent.installation.settings.lineup_file
    before = file.read_text()
    yield lambda text: file.write_text(before + text)
    file.write_text(before)


@pytest.fixture
def begin(recent):
    """Begin runs as Dagster records them; at the end they are reported as ended."""
    begun = []

    def a_run():
        run = dg.DagsterRun(job_name="rehearse_days", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED)
        begun.append(run)
        return recent.instance.add_run(run).run_id

    yield a_run
    for run in begun:
        recent.instance.report_run_canceled(run)


@pytest.fixture
def up(recent):
    """Hold the home as `coinhts up` does, begun so many minutes ago."""
    file = recent.installation.settings.home / "up.lock"
    with file.open("a+") as lock:
        flock(lock, LOCK_EX)

        def since(minutes):
            began = (now() - timedelta(minutes=minutes)).timestamp()
            os.utime(file, (began, began))

        yield since
    file.unlink()


def test_days_that_are_behind_are_told(recent):
    """Candles up to the day before yesterday, of a coin that is followed."""
    assert recent
    assert found("symbols").found == "KRW-BTC"
    assert found("candles").state is State.WARNING
    assert found("candles").found.startswith("a day behind: KRW-BTC; `coinhts backfill` collects them")
    assert found("days").found == "1 symbol-days to collect or fold; `coinhts backfill` does it"
    assert found("runs").found == "0 in progress, none failed since yesterday"


def test_days_that_are_stale_are_told(lineup):
    """Other knobs make another chain."""
    lineup("[sma_cross]\nparameters = { fast = 5 }\n")
    finding = found("days")
    assert finding.state is State.WARNING
    assert finding.found == "1 symbol-days are stale or waited for candles; `coinhts backfill --stale` folds them"


def test_looking_through_many_days_may_take_long(monkeypatch):
    """That is nobody's fault, and ends the look all the same."""
    monkeypatch.setattr(stored_health, "_PATIENCE_S", 0.001)
    assert found("days").state is State.WARNING
    assert found("days").found.startswith("it did not answer within 0.001 s; ")


def test_days_that_are_not_whole_are_told(recent):
    """The exchange was asked and did not answer."""
    assert found("holes").state is State.OK
    ledger = recent.rooms.ledger
    with ledger.transaction() as connection:
        connection.execute(
            "INSERT INTO coverage (symbol, timeframe, day, answer, row_count, reason, asked_at) "
            "VALUES ('KRW-BTC', '1m', %s, 'unavailable', 0, 'down', now())",
            (LAST,),
        )
    finding = found("holes")
    with ledger.transaction() as connection:
        connection.execute("DELETE FROM coverage WHERE day = %s", (LAST,))
    assert finding.state is State.WARNING
    assert "1 with exchange down; `coinhts data repair` asks for them again" in finding.found


def test_day_bars_that_are_old_are_told(recent, lineup):
    """Only where a strategy decides on them."""
    assert found("day bars").found == "no strategy looks at them"
    lineup('[slow]\nstrategy = "sma_cross"\ntimeframe = "1d"\n')
    assert found("day bars").state is State.WARNING
    assert found("day bars").found.startswith(f"older than {LAST}, and slow needs them: KRW-BTC; ")
    bars = recent.rooms.exchange.days("KRW-BTC", LAST, LAST)
    rows = {LAST: DayRows.of(CANDLES, bars, asked_at=now())}
    recent.rooms.lake.publish(DAYS, "KRW-BTC", rows, monthly=False)
    assert found("day bars").found == f"up to {LAST}"


def test_a_coin_that_was_delisted_is_told(recent):
    """It stays readable; the settings need not name it."""
    ledger = recent.rooms.ledger
    for day in (FIRST, None):
        with ledger.transaction() as connection:
            connection.execute("UPDATE symbols SET delisted_on = %s WHERE symbol = 'KRW-BTC'", (day,))
        finding = found("symbols")
        assert finding.state is (State.WARNING if day else State.OK)
        assert ("take them out of COINHTS_SYMBOLS" in finding.to_do) is bool(day)
    assert [of.delisted_on for of in registered_symbols(ledger)] == [None]


def test_a_coin_that_is_new_in_the_settings_is_told(monkeypatch):
    """The next command begins to follow it; the doctor only looks."""
    monkeypatch.setenv("COINHTS_SYMBOLS", "KRW-BTC,KRW-ETH")
    assert found("symbols").state is State.WARNING
    assert found("symbols").found == "not followed yet: KRW-ETH; `coinhts backfill` begins to"


def test_runs_left_by_the_dead_are_told(recent, begin):
    """A living one holds its claim, in the same file; looking at it takes nothing away."""
    folder = claims_folder(recent.installation.settings)
    living, dead = begin(), begin()
    claim(folder, living)
    subprocess.run([sys.executable, "-c", _CLAIMER, str(folder), dead], check=True, cwd=PROJECT)
    finding = found("runs")
    assert finding.state is State.WARNING
    assert finding.found.startswith(f"1 left by a process that is gone: {dead}; ")
    assert recent.instance.get_run_by_id(dead).status is dg.DagsterRunStatus.STARTED
    (folder / dead).unlink()


def test_a_run_has_time_to_be_claimed(begin, monkeypatch):
    """After that, one without a claim is nobody's."""
    run_id = begin()
    assert found("runs").found == "1 in progress, none failed since yesterday"
    monkeypatch.setattr(stored_health, "_TIME_TO_CLAIM", timedelta())
    assert run_id in found("runs").found


def test_runs_that_failed_are_told(recent):
    """Somebody should look at them."""
    run = recent.instance.add_run(dg.DagsterRun(job_name="rehearse_days", run_id=str(uuid4())))
    recent.instance.report_run_failed(run)
    assert found("runs").state is State.WARNING
    assert found("runs").found.startswith("1 failed since yesterday; look at them in the UI")
    recent.instance.delete_run(run.run_id)


def test_a_house_that_is_not_up_says_so_once_it_was():
    """Who only uses commands is not bothered."""
    assert found("daemon").state is State.OK
    file = read_settings().home / "up.lock"
    file.touch()
    finding = found("daemon")
    file.unlink()
    assert finding.state is State.WARNING
    assert finding.found.startswith("`coinhts up` is not on, so no schedule and no sensor runs; ")


def test_a_silent_daemon_is_a_failure(recent, up):
    """It has time to begin; then it must be heard of, and again."""
    up(1)
    assert found("daemon").state is State.OK
    up(9)
    assert found("daemon").state is State.FAILED
    assert found("daemon").found.startswith("silent for 9 minutes although `coinhts up` is on; look into ")
    beat(recent, minutes=5)
    assert found("daemon").found.startswith("silent for 5 minutes ")
    beat(recent, minutes=0)
    assert found("daemon").found.startswith("heard of ")


def test_a_daemon_in_trouble_is_told(recent, up):
    """By its own complaint, whose words are left to the UI."""
    up(1)
    beat(recent, minutes=0, errors=[SerializableErrorInfo("canary", [], "E")])
    assert found("daemon").state is State.WARNING
    assert found("daemon").found.startswith("in trouble: SENSOR; ")
    beat(recent, minutes=0)


def beat(house, minutes, errors=()):
    """Let the daemon of sensors be heard of, as Dagster writes it down."""
    at = (now() - timedelta(minutes=minutes)).timestamp()
    house.instance.add_daemon_heartbeat(DaemonHeartbeat(at, "SENSOR", "id", list(errors)))
