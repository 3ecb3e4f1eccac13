import os
import subprocess
import sys
from datetime import date, timedelta
from hashlib import sha256

import pytest

from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.errors import (
    BadMarketError,
    BadTimeRangeError,
    FutureRangeError,
    NotFollowedError,
    RunFailedError,
    UnknownMarketError,
)
from coinhts_pipeline.backfill import Runner, behind, execute, plan, plan_stale, wanted_days, wanted_symbols
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import PROJECT

START, LAST = date(2026, 1, 27), date(2026, 2, 5)
DAYS = list(DayRange(START, LAST))
UNIVERSE = {"symbols": "KRW-BTC,KRW-ETH", "start_date": str(START)}
_ONE_RUN_A_DAY = """
import sys
from coinhts_core.settings import read_settings
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import open_installation
with open_installation(read_settings()) as installation:
    job = defs().resolve_job_def("rehearse_days")
    for key in sys.argv[1:]:
        assert job.execute_in_process(instance=installation.instance, partition_key=key).success
"""


def bring_up_to(house, last, progress=None):
    installation = house.installation
    planned = plan(installation, wanted_symbols(installation, None), START, last)
    execute(Runner(installation, defs()), planned, progress)
    return planned


def complete_stale(house):
    installation = house.installation
    planned = plan_stale(installation, wanted_symbols(installation, None))
    execute(Runner(installation, defs()), planned)
    return planned


@pytest.fixture(scope="module")
def undisturbed(open_house):
    """Give what one pass over all days ends with."""
    with open_house(**UNIVERSE) as house:
        assert len(bring_up_to(house, LAST).blocks) == 1
        return house.outcome()


@pytest.fixture
def fresh(open_house):
    with open_house(**UNIVERSE) as house:
        yield house


def test_one_pass_is_one_run_and_versions_agree_in_all_places(undisturbed):
    """Dagster and the lake tell the same versions, none waits, and something was held over the month's end."""
    keys = {f"{day}|KRW-{coin}" for day in DAYS for coin in ("BTC", "ETH")}
    for asset in ("candles/minute", "signals/sma_cross", "backtests/sma_cross"):
        assert undisturbed[asset].keys() == keys
        assert undisturbed[asset] == undisturbed[f"{asset} in the lake"]
        assert "waiting" not in undisturbed[asset].values()
    assert undisturbed["positions/sma_cross"].keys() == keys
    assert {"2026-01-31|KRW-BTC", "2026-02-01|KRW-BTC"} & undisturbed["positions"].keys()


@pytest.mark.parametrize("order", ["three pieces, the last first", "day by day, shuffled"])
def test_the_order_of_work_does_not_matter_where_candles_are_there(fresh, undisturbed, order):
    """A day is a function of candles, configuration and code, whatever was worked out before it."""
    assert fresh.run(f"{START}|KRW-BTC", f"{LAST}|KRW-ETH", only=["candles/minute"]).success
    pieces = [(DAYS[5], DAYS[9]), (DAYS[2], DAYS[4]), (DAYS[0], DAYS[1])]
    if order == "day by day, shuffled":
        pieces = [(day, day) for day in DAYS]
        pieces = [pieces[place] for place in (6, 1, 9, 3, 0, 8, 2, 5, 7, 4)]
    for first, last in pieces:
        assert fresh.run(f"{first}|KRW-BTC", f"{last}|KRW-ETH").success
    assert fresh.outcome() == undisturbed
    assert complete_stale(fresh).blocks == []


def test_pieces_from_the_first_absent_day_on_end_the_same(fresh, undisturbed):
    """Each piece says `to the end asked`, and what is current already is left alone."""
    partitions = [bring_up_to(fresh, last).partitions for last in (DAYS[2], DAYS[5], LAST)]
    assert partitions == [6, 6, 8]
    assert fresh.outcome() == undisturbed
    assert bring_up_to(fresh, LAST).blocks == []


def test_runs_of_single_days_in_any_order_at_once_end_the_same_after_stale(fresh, undisturbed):
    """As the UI's dialog may launch them: four processes, candles and all in each run, nothing ordered."""
    keys = [f"{day}|KRW-{coin}" for coin in ("BTC", "ETH") for day in DAYS]
    keys.sort(key=lambda key: sha256(key.encode()).digest())
    command = [sys.executable, "-c", _ONE_RUN_A_DAY]
    workers = [
        subprocess.Popen([*command, *keys[place::4]], cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        for place in range(4)
    ]
    told = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told
    assert "waiting" in fresh.outcome()["backtests/sma_cross"].values()
    assert complete_stale(fresh).partitions > 0
    assert fresh.outcome() == undisturbed
    assert complete_stale(fresh).blocks == []


def test_days_that_wait_say_so_and_are_completed_later(fresh, undisturbed):
    """A day whose chain lacks candles is recorded as waiting, and every check that stands on it names it."""
    result = fresh.run(f"{DAYS[3]}|KRW-BTC", f"{DAYS[4]}|KRW-BTC")
    assert result.success
    waiting = {f"{day}|KRW-BTC": "waiting" for day in DAYS[3:5]}
    for asset in ("signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"):
        assert fresh.outcome()[asset] == waiting
    checks = fresh.checks(result)
    named = [f"{day} KRW-BTC" for day in DAYS[3:5]]
    for name in ("decisions_are_not_waiting", "days_are_not_waiting"):
        assert (checks[name].passed, checks[name].metadata["days"].value) == (False, named)
    assert checks["days_are_complete"].passed
    bring_up_to(fresh, LAST)
    assert fresh.outcome() == undisturbed


def test_chain_is_current_names_the_days_that_a_later_run_left_behind(fresh):
    """Candles that came after their day was asked for make it stale, until it is folded again."""
    assert fresh.run(f"{DAYS[1]}|KRW-ETH").success
    checked = fresh.checks(fresh.run(f"{DAYS[0]}|KRW-ETH"))["chain_is_current"]
    assert not checked.passed
    assert checked.metadata[f"{DAYS[1]} KRW-ETH"].value == "sma_cross waited for candles"
    assert complete_stale(fresh).partitions == 1
    checked = fresh.checks(fresh.run(f"{DAYS[1]}|KRW-ETH"))["chain_is_current"]
    assert checked.passed


def test_progress_hears_of_every_partition_and_a_second_pass_of_none(fresh):
    """The bar counts what was planned, and stands still when all is current."""
    heard = []
    planned = bring_up_to(fresh, DAYS[1], heard.append)
    assert planned.partitions == 4
    assert sorted(set(heard)) == [
        "backtests/sma_cross",
        "candles/minute",
        "positions/sma_cross",
        "signals/sma_cross",
    ]
    assert len(heard) == planned.steps == 16
    heard.clear()
    assert bring_up_to(fresh, DAYS[1], heard.append).steps == 0
    assert heard == []


def test_a_hole_is_filled_from_the_first_absent_day(fresh):
    """Whatever was asked for, the days before it that are missing come along."""
    assert fresh.run(f"{DAYS[0]}|KRW-BTC", f"{DAYS[0]}|KRW-ETH").success
    registered = wanted_symbols(fresh.installation, "KRW-ETH")
    planned = plan(fresh.installation, registered, DAYS[3], DAYS[3])
    assert [(block.symbols, block.first, block.last) for block in planned.blocks] == [(("KRW-ETH",), DAYS[1], DAYS[3])]


def test_a_failed_run_is_told_in_one_sentence_and_the_days_before_it_stay(fresh):
    """The lake's folder of the second symbol cannot be written: the first symbol's days are there."""
    lake = fresh.installation.settings.home / "lake" / "candles" / "minute"
    lake.mkdir(parents=True)
    (lake / "symbol=KRW-ETH").touch()
    with pytest.raises(RunFailedError, match=r"run .* failed in candles__minute: "):
        bring_up_to(fresh, DAYS[1])
    assert sorted(fresh.outcome()["candles/minute"]) == [f"{day}|KRW-BTC" for day in DAYS[:2]]
    (lake / "symbol=KRW-ETH").unlink()
    assert bring_up_to(fresh, DAYS[1]).partitions == 4


def test_what_lies_ahead_is_told_in_words(house):
    """The doctor and `up` say how much there is to collect."""
    assert behind(house.installation).endswith(
        "symbol-days to collect or fold (0 of them stale); `coinhts backfill` does it"
    )


def test_asked_days_lie_between_the_start_and_yesterday():
    """Open ends mean the start and the last complete day."""
    yesterday = last_complete_day(now())
    assert wanted_days(None, START) == DayRange(START, yesterday)
    assert wanted_days("20260201-", START) == DayRange(date(2026, 2, 1), yesterday)
    assert wanted_days("-20260201", START) == DayRange(START, date(2026, 2, 1))
    with pytest.raises(BadTimeRangeError, match="begins before COINHTS_START_DATE, which is 2026-01-27"):
        wanted_days("20260101-20260201", START)
    with pytest.raises(FutureRangeError):
        wanted_days(None, now().date() + timedelta(days=1))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("KRW-DOGG", UnknownMarketError),
        ("KRW-SOL", NotFollowedError),
        ("KRW-BTC,../../etc", BadMarketError),
        (",", BadMarketError),
    ],
)
def test_asked_symbols_are_followed_ones(house, asked, error):
    """Anything else is refused before a run begins; asking for nothing at all is no way to ask for everything."""
    with pytest.raises(error):
        wanted_symbols(house.installation, asked)


def test_symbols_may_be_spelled_as_people_do_and_twice(house):
    """Each is taken once."""
    found = wanted_symbols(house.installation, "btc_krw,KRW-BTC, KRW-ETH")
    assert [registered.symbol for registered in found] == ["KRW-BTC", "KRW-ETH"]
    assert os.environ["COINHTS_HOME"]
