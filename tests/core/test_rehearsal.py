import json
from datetime import timedelta
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.chain import BACKTESTS, NOT_LISTED, WAITING, first_link, next_link
from coinhts_core.backtests.fold import State, fold_day
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.errors import BadParameterError
from coinhts_core.lake.commits import DayEntry
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.rules import rules_on
from coinhts_core.signals import SIGNALS
from coinhts_core.strategies import load, source_file, strategy_names
from tests.core.conftest import Desk

WORDS = {WAITING, NOT_LISTED}
# quick enough that each trades within the desk's eight days
KNOBS = {
    "bollinger_breakout": {"window": 5, "deviations": 1.0},
    "donchian_breakout": {"window": 3, "vol_window": 3, "vol_multiplier": 0.5, "hold_period_bars": 5},
    "macd_trend": {"fast": 2, "slow": 3, "signal": 2},
    "multi_timeframe": {"window": 6, "hours": 3, "days": 2},
    "rsi_reversion": {"period": 2, "oversold": 45.0, "overbought": 55.0},
    "sma_cross": {"fast": 2, "slow": 5},
    "volume_long_candle": {"vol_ma_window": 3, "vol_multiplier": 1.0, "body_pct": 0.01},
    "volume_zone_breakout": {"volume_window": 10, "hold_period_bars": 4},
    "weinstein_stage": {"window": 10, "slope_window": 1, "timeframe": "4h"},
}
EARLIER = 100  # days whose day bars are known before the first
TIMEFRAMES = ("5m", "15m", "1h", "4h", "1d", "1w")

levels = st.sampled_from([None, 0.003, 0.01, 0.05])
sizings = st.sampled_from(
    [
        {},
        {"sizing": "fraction", "fraction": 0.4},
        {"sizing": "fixed", "fixed_krw": 3e6},
        {"sizing": "volatility", "target_volatility": 0.3, "volatility_bars": 5},
    ]
)
accounts = st.builds(
    lambda sizing, **options: Account(**options, **sizing),
    sizings,
    stop_loss=levels,
    take_profit=levels,
    trailing_stop=levels,
    max_hold_bars=st.sampled_from([None, 1, 3, 30]),
    slippage_bps=st.sampled_from([0.0, 7.0]),
)
places = st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True)
verbs = st.sampled_from(
    ["run", "decide", "fold", "collect", "damage", "collect_day_bars", "revise", "collect_earlier", "reopen"]
)
works = st.lists(st.tuples(verbs, places), max_size=10)
pieces = st.permutations(range(8)).flatmap(
    lambda order: st.integers(1, 8).map(lambda size: [order[at : at + size] for at in range(0, 8, size)])
)


class Worker(Desk):
    """Does the days' work in whatever order it is told to; what was published last is what the exchange says."""

    def __init__(self, folder, entry):
        super().__init__(folder)
        self.folder = folder
        self.entry = entry
        self.before = [self.days[0] - timedelta(days=place) for place in range(1, EARLIER + 1)]
        self.change(first_day=self.before[-1])

    def collect(self, days, asked_at=None, cut=None):
        super().collect(days, asked_at, cut)

    def collect_day_bars(self, days, asked_at=None, times=1.0):
        super().collect_day_bars(days, asked_at, times)

    def collect_earlier(self, days):
        """Day bars of a stretch before the anchor, one for each of the days."""
        at = days[0].day
        self.collect_day_bars(self.before[at : at + 3 * len(days)])

    def collect_all(self):
        self.collect(self.days)
        self.collect_day_bars([*self.before, *self.days])

    def damage(self, days):
        self.collect(days, cut=200)

    def revise(self, days):
        self.collect_day_bars(days, times=2.0)

    def reopen(self, days):
        """A process was killed; another one knows nothing of what it had read."""
        del days
        self.lake = Lake.open(str(self.folder))

    def do(self, verb, places):
        getattr(self, verb)([self.days[place] for place in places])


def end_of(entry, work=(), pieces=(range(8),)):
    """What is stored after any work, when candles are complete and the days are decided and folded in pieces."""
    with TemporaryDirectory() as folder:
        worker = Worker(folder, entry)
        for verb, places in work:
            worker.do(verb, places)
        worker.collect_all()
        for verb, order in (("decide", pieces), ("fold", pieces[::-1])):
            for piece in order:
                worker.do(verb, piece)
        span = worker.registered.symbol, worker.days[0], worker.days[-1]
        rows = [worker.lake.read(f"{room}/{entry.name}", *span).rows() for room in ("signals", "backtests")]
        return worker.outcome(), rows


def versions(entries):
    return [entry.data_version for entry in entries.values()]


def check_any_work(name, example):
    timeframe, account, work, order = example
    entry = Entry(name, strategy_of(name, timeframe), account, source_file(name))
    found, undisturbed = end_of(entry, work, order), end_of(entry)
    assert found == undisturbed
    assert not WORDS & set(versions(found[0][1]))


def strategy_of(name, timeframe):
    return load(name, **{**KNOBS.get(name, {}), "timeframe": timeframe})


def takes(name, timeframe):
    """One that looks at longer bars needs short ones."""
    try:
        strategy_of(name, timeframe)
    except BadParameterError:
        return False
    return True


def examples_for(data, name):
    timeframes = [timeframe for timeframe in TIMEFRAMES if takes(name, timeframe)]
    return data.draw(st.tuples(st.sampled_from(timeframes), accounts, works, pieces))


@pytest.mark.parametrize("name", strategy_names())
@settings(max_examples=2)
@given(data=st.data())
def test_whatever_was_done_before_the_days_end_the_same(name, data):
    """Any strategy, account and order of work, candles damaged and mended, processes killed: rows and versions."""
    check_any_work(name, examples_for(data, name))


@pytest.mark.slow
@pytest.mark.parametrize("name", strategy_names())
@settings(max_examples=100)
@given(data=st.data())
def test_whatever_was_done_before_the_days_end_the_same_at_length(name, data):
    """The same, many more times."""
    check_any_work(name, examples_for(data, name))


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_what_one_pass_gives(desk, one_pass, seed):
    """Day by day, shuffled, some of them twice: the same rows, marks and versions."""
    desk.collect(desk.days)
    days = desk.days + desk.days[:3]
    Random(seed).shuffle(days)  # noqa: S311 - a shuffle, not a secret
    for day in days:
        desk.run([day])
    assert desk.outcome() == one_pass(desk.days)


def test_pieces_give_what_one_pass_gives(desk, one_pass):
    """Ranges that overlap, and steps that are not in step."""
    desk.collect(desk.days)
    desk.fold(desk.days[2:5])
    desk.decide(desk.days[:4])
    desk.run(desk.days[3:])
    desk.run(desk.days[:4])
    assert desk.outcome() == one_pass(desk.days)


def test_candles_in_any_order_end_with_the_same(desk, one_pass):
    """A day whose chain lacks a day waits, and is completed once that day is there."""
    for day in reversed(desk.days):
        desk.collect([day])
        desk.run([day])
    assert versions(desk.stored("backtests")) == [desk.stored("backtests")[desk.days[0]].data_version] + [WAITING] * 7
    desk.run(desk.days)
    assert desk.outcome() == one_pass(desk.days)


def test_a_missing_day_makes_all_later_days_wait(desk):
    """They are materialised empty; the days before it are complete."""
    desk.collect([*desk.days[:3], *desk.days[4:]])
    desk.run(desk.days)
    for room in ("signals", "backtests"):
        entries = list(desk.stored(room).values())
        assert not WORDS & set(versions(dict(enumerate(entries[:3]))))
        assert {(entry.data_version, entry.rows, entry.made_from) for entry in entries[3:]} == {(WAITING, 0, None)}
    assert desk.rehearsal().days == desk.days[:3]


def test_the_chain_is_the_formula(desk):
    """Each stored version is the link worked out from hashes, terms and rules alone."""
    desk.collect(desk.days)
    desk.run(desk.days)
    link = first_link("sma_cross", "KRW-BTC", desk.registered.anchor)
    candles = desk.lake.heads(MINUTES, desk.registered.symbol)
    for day in desk.days:
        hashes = candles[day].content_hash, desk.stored("signals")[day].content_hash
        link = next_link(link, *hashes, desk.entry.terms, rules_on(day).as_facts())
        assert desk.stored("backtests")[day].data_version == link


def test_a_days_state_is_handed_to_the_next(desk):
    """Equity opens where it closed, and something was traded."""
    desk.collect(desk.days)
    desk.run(desk.days)
    rows = desk.lake.read("backtests/sma_cross", desk.registered.symbol, desk.days[0], desk.days[-1])
    assert rows["equity_open_krw"].to_list() == [1e7, *rows["equity_close_krw"][:-1]]
    assert sum(len(json.loads(fills)) for fills in rows["fills"]) > 4
    states = [State.from_facts(json.loads(state)) for state in rows["state"]]
    assert [state.equity_krw for state in states] == rows["equity_close_krw"].to_list()


@pytest.mark.parametrize("made_from", [None, "0" * 64])
def test_decisions_made_from_something_else_are_not_used(desk, one_pass, made_from):
    """A stored day is a cache: whatever it says, another mark makes it void."""
    desk.collect(desk.days)
    desk.decide(desk.days)
    day = desk.days[4]
    lie = desk.lake.read("signals/sma_cross", desk.registered.symbol, day, day).drop("day")
    lie = lie.with_columns(side=lie["side"] * 0 + 1)
    desk.lake.publish("signals/sma_cross", desk.registered.symbol, {day: DayRows.of(SIGNALS, lie, made_from=made_from)})
    desk.fold(desk.days)
    assert desk.stored("backtests") == one_pass(desk.days)[1]
    desk.decide(desk.days)
    assert desk.outcome() == one_pass(desk.days)


def test_decisions_made_from_the_same_are_not_made_again(desk):
    """The lake's own entry is handed back; only what is new has rows to write."""
    desk.collect(desk.days)
    desk.decide(desk.days[2:5])
    found = desk.rehearsal().signals(desk.days)
    assert [day for day, of in found.items() if isinstance(of, DayEntry)] == desk.days[2:5]
    assert desk.rehearsal().signal_entries(desk.days)[desk.days[3]] == desk.stored("signals")[desk.days[3]]


@pytest.mark.parametrize(
    "change", [{"fast": 3, "slow": 5}, {"fast": 2, "slow": 5, "account": Account(cash=5e6)}], ids=["knob", "account"]
)
def test_another_knob_or_account_is_another_chain(desk, one_pass, change):
    """Nothing stored for one is used for the other, and nothing stored before matters."""
    desk.collect(desk.days)
    desk.run(desk.days)
    before = versions(desk.stored("backtests"))
    desk.entry = desk.entry_of(**change)
    desk.run(desk.days)
    assert not set(before) & set(versions(desk.stored("backtests")))
    assert desk.outcome() == one_pass(desk.days, entry=desk.entry)


def test_a_repaired_day_changes_the_days_that_saw_it(desk, one_pass):
    """Decisions as far as the window reaches, the chain from there to its end."""
    desk.collect(desk.days)
    desk.collect([desk.days[3]], asked_at=None, cut=100)
    desk.run(desk.days)
    damaged = desk.outcome()
    desk.collect([desk.days[3]], asked_at=None)
    desk.run(desk.days)
    repaired = desk.outcome()
    assert repaired == one_pass(desk.days)
    changed = [[day for day in desk.days if was[day] != now[day]] for was, now in zip(damaged, repaired, strict=True)]
    assert changed == [desk.days[3:5], desk.days[3:]]


def test_days_outside_the_listing_have_no_link(desk):
    """Before the anchor and after the delisting: empty, and said so; nothing waits for them."""
    desk.change(anchor=desk.days[2], delisted_on=desk.days[5])
    desk.collect(desk.days)
    desk.run(desk.days)
    for room in ("signals", "backtests"):
        assert [of.data_version == NOT_LISTED for of in desk.stored(room).values()] == [True] * 2 + [False] * 4 + [
            True
        ] * 2
        assert {of.rows for of in desk.stored(room).values() if of.data_version == NOT_LISTED} == {0}
    assert WAITING not in versions(desk.stored("backtests"))


def test_a_moved_start_is_another_chain(desk, one_pass):
    """From the new anchor on, flat and with the starting cash; nothing is deleted."""
    desk.collect(desk.days)
    desk.run(desk.days)
    early = desk.outcome()
    desk.change(anchor=desk.days[2])
    desk.run(desk.days)
    late = desk.outcome()
    assert late == one_pass(desk.days, registered=desk.registered)
    assert not set(versions(early[1])) & set(versions(late[1]))
    desk.change(anchor=desk.days[0])
    desk.run(desk.days)
    assert desk.outcome() == early


def test_without_candles_everything_waits(desk):
    """An empty lake is no error."""
    desk.run(desk.days)
    assert set(versions(desk.stored("backtests"))) == set(versions(desk.stored("signals"))) == {WAITING}
    rehearsal = desk.rehearsal()
    assert (rehearsal.days, len(rehearsal.bars), rehearsal.candle_versions()) == ([], 0, {})
    assert rehearsal.first_to_buy > 0


def test_bars_are_those_of_the_days_and_a_quiet_day_has_none(desk):
    """It still counts, and what is behind it is known."""
    desk.collect(desk.days)
    desk.collect([desk.days[1]], asked_at=None, cut=0)
    rehearsal = desk.rehearsal()
    assert len(rehearsal.bars) == 24 * 7
    assert rehearsal.days == list(rehearsal.candle_versions()) == desk.days


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stop_loss": 0.004, "take_profit": 0.004, "sizing": "fraction", "fraction": 0.5},
        {"trailing_stop": 0.01, "take_profit": 0.02, "sizing": "volatility", "target_volatility": 0.3},
    ],
)
def test_a_run_over_the_same_candles_tells_the_same(tmp_path, name, options):
    """What a script rehearses in one go and what assets store day by day is one thing; each strategy trades."""
    entry = Entry(name, load(name, **KNOBS[name]), Account(**options), source_file(name))
    desk = Worker(tmp_path / "lake", entry)
    desk.collect_all()
    stored = desk.rehearsal().backtests([desk.days[-1]])[desk.days[-1]].frame
    symbol, first, last = desk.registered.symbol, desk.registered.first_day, desk.days[-1]
    minutes, days = (desk.lake.read(asset, symbol, first, last) for asset in (MINUTES, DAYS))
    timeframe = entry.strategy.timeframe
    result = run(
        {"KRW-BTC": minutes},
        entry.strategy,
        entry.account,
        timeframe=timeframe,
        days={"KRW-BTC": days},
        first_day=desk.days[0],
    )
    assert result.equity["equity"][-1] == stored["equity_close_krw"][0]
    state = json.loads(stored["state"][0])
    assert result.trades.height == state["entries"] - (state["position"] is not None)
    assert state["entries"] > 0
    assert result.outcome.ambiguous == state["ambiguous"]


def test_a_fold_goes_on_from_the_nearest_stored_state(desk, one_pass, monkeypatch):
    """A day costs a day: only what follows the last state that is expected now is folded again."""
    desk.collect(desk.days)
    desk.run(desk.days[:5])
    folded = []
    monkeypatch.setattr(
        "coinhts_core.rehearsal.fold_day", lambda state, day, *of: folded.append(day) or fold_day(state, day, *of)
    )
    desk.run([desk.days[6]])
    assert len(folded) == 2
    desk.run([desk.days[2]])
    assert len(folded) == 3
    desk.run(desk.days)
    assert desk.outcome() == one_pass(desk.days)


def test_a_stored_state_of_another_chain_is_not_gone_on_from(desk, one_pass):
    """Its link is not the one expected, whatever it says."""
    desk.collect(desk.days)
    desk.run(desk.days[:5])
    lie = desk.rehearsal().backtests([desk.days[4]])[desk.days[4]].frame
    state = {**json.loads(lie["state"][0]), "cash_krw": 1e12}
    rows = lie.with_columns(state=pl.lit(json.dumps(state)))
    asset, symbol = f"backtests/{desk.entry.name}", desk.registered.symbol
    desk.lake.publish(asset, symbol, {desk.days[4]: DayRows.of(BACKTESTS, rows, data_version="0" * 64)})
    desk.run(desk.days[5:])
    desk.run([desk.days[4]])
    assert desk.outcome() == one_pass(desk.days)
