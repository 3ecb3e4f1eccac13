import json
import subprocess
import sys
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256

import pytest

from coinhts_core.days import DayRange
from coinhts_core.errors import (
    RunFailedError,
)
from coinhts_core.lineup import read_lineup
from coinhts_core.settings import read_settings
from coinhts_pipeline.backfill import Runner, behind, execute, plan, plan_stale
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import PROJECT, open_installation

START, LAST = date(2026, 1, 27), date(2026, 2, 5)
DAYS = list(DayRange(START, LAST))
UNIVERSE = {"symbols": "KRW-BTC,KRW-ETH", "start_date": str(START)}
EIGHT = ["--timerange", f"{DAYS[0]}-{DAYS[3]}"]  # partitions
# Both levels within reach of an hour, so that its minutes order what happens.
ACCOUNT = (
    'account = { stop_loss = 0.006, take_profit = 0.006, trailing_stop = 0.005, sizing = "fraction", fraction = 0.5 }'
)
CROSS = f"[sma_cross]\nparameters = {{ fast = 2, slow = 5 }}\n{ACCOUNT}\n"
BREAKOUT = f"[volume_zone_breakout]\nparameters = {{ volume_window = 12 }}\n{ACCOUNT}\n"
CLOCK = """
from typing import ClassVar
import numpy as np
from coinhts_core.strategies import Strategy


class Clock(Strategy):
    '''In and out by the clock.'''

    enabled: ClassVar[bool] = True
    warmup: ClassVar[int] = 0

    def decide(self, bars):
        hour = (bars.opened_at // 3_600_000_000) % 12
        return np.select([hour == 0, hour == {hour}], [1, -1]).astype(np.int8)
"""
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
    planned = plan(installation, installation.rooms.chosen(None), START, last)
    execute(Runner(installation, defs()), planned, progress)
    return planned


def complete_stale(house):
    installation = house.installation
    planned = plan_stale(installation, installation.rooms.chosen(None))
    execute(Runner(installation, defs()), planned)
    return planned


@pytest.fixture(scope="session")
def open_home(open_house, tmp_path_factory):
    """Open a home of two coins in which these sections of `strategies.toml` run, and nothing else."""

    @contextmanager
    def home_of_its_own(*sections, **files):
        home = tmp_path_factory.mktemp("home")
        (home / "strategies").mkdir()
        for name, text in files.items():
            (home / "strategies" / f"{name}.py").write_text(text)
        said = "".join(sections)
        resting = [name for name in read_lineup() if f"[{name}]" not in said]
        (home / "strategies.toml").write_text(said + "".join(f"[{name}]\nenabled = false\n" for name in resting))
        with open_house(home, runs_all=True, **UNIVERSE) as house:
            yield house

    return home_of_its_own


@pytest.fixture(scope="module")
def one_pass(open_home):
    """Give what one pass of two strategies over all days ends with, each by itself."""
    with open_home(CROSS, BREAKOUT) as house:
        assert len(bring_up_to(house, LAST).blocks) == 1
        return house.outcome(), stored_of(house, "volume_zone_breakout")


@pytest.fixture
def undisturbed(one_pass):
    """Give what sma_cross ends with."""
    return one_pass[0]


@pytest.fixture
def fresh(open_home):
    with open_home(CROSS) as house:
        yield house


@pytest.fixture
def told(answer):
    """Run a command and give its document."""

    def tell(*words):
        code, out, err = answer(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return tell


def stored_of(house, name):
    """What the lake holds of a strategy, by asset and coin."""
    rooms = house.rooms
    return {
        (room, of): rooms.lake.heads(f"{room}/{name}", of) for room in ("signals", "backtests") for of in rooms.symbols
    }


def stale_days():
    """What a process that begins now would say is stale, by coin."""
    with open_installation(read_settings()) as installation:
        planned = plan_stale(installation, installation.rooms.chosen(None))
    return {
        symbol: days for block in planned.blocks for symbol in block.symbols for days in [(block.first, block.last)]
    }


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


@pytest.mark.slow
def test_runs_of_single_days_in_any_order_at_once_end_the_same_after_stale(open_home, one_pass):
    """As the UI's dialog may launch them: four processes, candles and all in each run, nothing ordered."""
    with open_home(CROSS, BREAKOUT) as house:
        work_at_once([*(f"{day}|KRW-BTC" for day in DAYS), *(f"{day}|KRW-ETH" for day in DAYS[-3:])])
        assert "waiting" in house.outcome()["backtests/sma_cross"].values()
        assert complete_stale(house).partitions > 0
        bring_up_to(house, LAST)
        assert (house.outcome(), stored_of(house, "volume_zone_breakout")) == one_pass
        assert complete_stale(house).blocks == []


def work_at_once(keys):
    """Each symbol-day in a run of its own, in no order, by four processes."""
    keys.sort(key=lambda key: sha256(key.encode()).digest())
    command = [sys.executable, "-c", _ONE_RUN_A_DAY]
    workers = [
        subprocess.Popen([*command, *keys[place::4]], cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        for place in range(4)
    ]
    told = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told


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
    registered = fresh.installation.rooms.chosen("KRW-ETH")
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


def test_a_knob_that_changed_is_stale_and_changed_back_it_is_not(fresh, told):
    """Said before anything is done, undone by changing back, and folded again only on the coin it is for."""
    both = dict.fromkeys(("KRW-BTC", "KRW-ETH"), (DAYS[0], DAYS[3]))
    told("backfill", *EIGHT)
    before = fresh.outcome()
    told("strategy", "set", "sma_cross", "fast=3")
    assert stale_days() == both
    told("strategy", "set", "sma_cross", "fast=2")
    assert stale_days() == {}
    told("strategy", "set", "sma_cross", "account.cash=5000000", "--symbol", "KRW-ETH")
    assert told("backfill", "--stale")["runs"] == [
        {"symbols": ["KRW-ETH"], "first": str(DAYS[0]), "last": str(DAYS[3])}
    ]
    after = fresh.outcome()
    changed = {
        key for key, version in after["backtests/sma_cross"].items() if version != before["backtests/sma_cross"][key]
    }
    assert changed == {f"{day}|KRW-ETH" for day in DAYS[:4]}
    assert after["signals/sma_cross"] == before["signals/sma_cross"]
    told("strategy", "set", "sma_cross", "account.cash=", "--symbol", "KRW-ETH")
    assert stale_days() == {"KRW-ETH": both["KRW-ETH"]}
    assert told("backfill", "--stale")["partitions"] == 4
    assert (fresh.outcome(), stale_days()) == (before, {})


def test_a_second_set_of_knobs_is_absent_and_not_stale(fresh, told):
    """It is done by the next backfill, and what was current stays as it is."""
    told("backfill", *EIGHT)
    before = fresh.outcome()
    told("strategy", "set", "sma_fast", "--of", "sma_cross", "fast=2", "slow=3")
    assert stale_days() == {}
    assert told("backfill", *EIGHT)["partitions"] == 8
    assert fresh.outcome() == before
    assert [len(days) for days in stored_of(fresh, "sma_fast").values()] == [4] * 4
    assert told("backfill", *EIGHT)["partitions"] == 0


def test_an_edited_strategy_is_folded_again_and_one_with_a_better_comment_is_not(open_home, told, coinhts):
    """The next process sees it."""
    with open_home(commented=CLOCK.format(hour=3), changed=CLOCK.format(hour=3)) as house:
        told("backfill", *EIGHT)
        before = [stored_of(house, name) for name in ("commented", "changed")]
        folder = house.installation.settings.strategies_folder
        (folder / "commented.py").write_text(f"# by the clock\n{CLOCK.format(hour=3)}")
        (folder / "changed.py").write_text(CLOCK.format(hour=4))
        settings = {name: house.environ[f"COINHTS_{name.upper()}"] for name in ("home", "postgres_url", *UNIVERSE)}
        done = coinhts("backfill", "--stale", "--json", **settings)
        assert json.loads(done.stdout)["partitions"] == 8, done.stderr
        after = [stored_of(house, name) for name in ("commented", "changed")]
        assert after[0] == before[0]
        assert not [key for key, days in after[1].items() if days.items() & before[1][key].items()]


def test_a_start_moved_later_and_back_ends_the_same(fresh, undisturbed, told, monkeypatch):
    """What is stored from the start on is folded again; earlier days are collected with those that need them."""
    told("backfill", *EIGHT)
    monkeypatch.setenv("COINHTS_START_DATE", str(DAYS[2]))
    assert told("backfill", "--stale")["runs"][0]["first"] == str(DAYS[2])
    later = fresh.outcome()
    assert stale_days() == {}
    assert told("backfill", "--timerange", f"{DAYS[2]}-{LAST}")["partitions"] == 12
    monkeypatch.setenv("COINHTS_START_DATE", str(DAYS[0]))
    assert told("backfill", "--stale")["partitions"] == 16  # the two days before are current again
    assert fresh.outcome() == undisturbed
    assert (
        later["backtests/sma_cross"][f"{DAYS[2]}|KRW-BTC"] != undisturbed["backtests/sma_cross"][f"{DAYS[2]}|KRW-BTC"]
    )
    monkeypatch.setenv("COINHTS_START_DATE", str(DAYS[0] - timedelta(days=2)))
    planned = told("backfill", "--stale")
    assert planned["partitions"] == 24
    assert "waiting" not in fresh.outcome()["backtests/sma_cross"].values()
    assert stale_days() == {}


def test_a_coin_that_is_dropped_rests_and_back_again_catches_up(fresh, undisturbed, told, answer, monkeypatch):
    """Nothing of it is done or called stale meanwhile, and all of it can be read."""
    told("backfill", *EIGHT)
    monkeypatch.setenv("COINHTS_SYMBOLS", "KRW-BTC")
    told("strategy", "set", "sma_cross", "account.cash=5000000")
    assert told("backfill", "--stale")["runs"][0]["symbols"] == ["KRW-BTC"]
    told("strategy", "set", "sma_cross", "account.cash=")
    assert answer("backfill", "--symbols", "KRW-ETH")[0] == 1
    assert told("backfill", "--timerange", f"{START}-{LAST}")["partitions"] == 10
    symbols = fresh.rooms.symbols
    assert [symbol for symbol, of in symbols.items() if not of.is_active] == ["KRW-ETH"]
    assert fresh.rooms.lake.read("backtests/sma_cross", "KRW-ETH", START, LAST).height == 4
    monkeypatch.setenv("COINHTS_SYMBOLS", UNIVERSE["symbols"])
    assert told("backfill", "--timerange", f"{START}-{LAST}")["runs"] == [
        {"symbols": ["KRW-ETH"], "first": str(DAYS[4]), "last": str(LAST)}
    ]
    assert fresh.outcome() == undisturbed
