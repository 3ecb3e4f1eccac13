from dataclasses import replace
from datetime import date

import pytest

from coinhts_core.errors import BadRequestError
from coinhts_core.requests.furnish import furnish, identity
from coinhts_core.requests.request import read_request

ASKED = {"strategy": "sma_cross", "params": {"fast": 2, "slow": 5}, "end_date": "2026-01-03"}
OWN = '''
"""Mine."""

import numpy as np

from coinhts_core.strategies import Strategy


class Mine(Strategy):
    """Decide nothing."""

    @property
    def warmup(self):
        return {warmup}

    def decide(self, bars):
        return np.zeros(len(bars), dtype=np.int8)
'''


def furnished(known, **facts):
    return furnish(read_request(ASKED | facts), known)


def field_of(known, **facts):
    with pytest.raises(BadRequestError) as refused:
        furnished(known, **facts)
    return refused.value.field


def test_what_is_left_open_is_filled_in(known):
    """So that a request says all by itself."""
    of = furnished(known)
    assert of.request.facts() == {
        **ASKED,
        "kind": "backtest",
        "symbols": ["KRW-BTC"],
        "start_date": "2026-01-01",
        "timeframe": "1h",
        "account": of.account.facts(),
    }
    assert (of.strategy.fast, of.strategy.slow, str(of.days)) == (2, 5, "2026-01-01..2026-01-03")


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"timeframe": "4h", "account": {"stop_loss": 0.1, "rules": None}},
        {"kind": "sweep", "params": {}, "grid": {"fast": [2, 3], "stop_loss": [0.1, 0.2]}},
        {"kind": "walkforward", "params": {"slow": 9}, "grid": {"fast": [2, 3]}, "folds": 1, "end_date": "2026-01-06"},
    ],
)
def test_furnished_again_it_is_the_same(known, with_lineup, facts):
    """Whatever the lineup says by then: what is asked is what was asked."""
    once = furnished(with_lineup, **facts)
    again = furnish(read_request(once.request.facts()), known)
    assert (again.request, again.identity) == (once.request, once.identity)
    assert again.grid == once.grid


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            {"kind": "walkforward", "grid": {"fast": [2, 3]}, "end_date": "2026-01-06", "folds": 1},
            {"ratio": 3.0, "anchored": False, "by": "sharpe"},
        ),
        ({"kind": "sweep", "grid": {"fast": range(2, 8)}, "samples": 4}, {"samples": 4, "seed": 0}),
    ],
)
def test_how_combinations_are_found_is_said_where_nobody_said_it(with_lineup, facts, said):
    """So a question is the same whether it names what is usual or not."""
    grid = {name: list(values) for name, values in facts["grid"].items()}
    of = furnished(with_lineup, **{**facts, "params": {"slow": 9}, "grid": grid})
    assert said.items() <= of.request.facts().items()
    named = furnished(with_lineup, **{**facts, **said, "params": {"slow": 9}, "grid": grid})
    assert named.identity == of.identity


def test_a_set_of_the_lineup_brings_its_knobs(with_lineup):
    """And what is told otherwise goes before them."""
    of = furnish(read_request({"strategy": "quick", "params": {"slow": 12}, "end_date": "2026-01-03"}), with_lineup)
    assert (of.request.strategy, of.strategy.fast, of.strategy.slow) == ("sma_cross", 4, 12)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"strategy": "sma_crss"}, "strategy"),
        ({"params": {"fast": 0}}, "params.fast"),
        ({"params": {"fats": 3}}, "params.fats"),
        ({"params": {"fast": 9, "slow": 5}}, "params"),
        ({"params": {"fast": "many"}}, "params.fast"),
        ({"account": {"cash": -1}}, "account.cash"),
        ({"account": {"lever": 2}}, "account.lever"),
        ({"symbols": ["KRW-DOGE"]}, "symbols"),
        ({"start_date": "2025-12-31"}, "start_date"),
        ({"end_date": "2026-01-09"}, "end_date"),
        ({"start_date": "2026-01-07", "end_date": "2026-01-08"}, "symbols"),
        ({"kind": "walkforward", "params": {}, "grid": {"fast": [2]}, "folds": 9}, "folds"),
        ({"kind": "walkforward", "params": {}, "grid": {"fast": [2]}, "folds": 1, "ratio": 90.0}, "folds"),
        ({"kind": "sweep", "params": {}, "grid": {"fats": [1]}}, "grid.fats"),
        ({"kind": "sweep", "params": {}, "grid": {"fast": [9], "slow": [5]}}, "grid"),
        ({"kind": "sweep", "params": {}, "grid": {"fast": [0]}}, "grid.fast"),
    ],
)
def test_what_the_house_does_not_know_is_refused_by_name(known, facts, field):
    """A strategy, a knob, an option, a coin, a day."""
    assert field_of(known, **facts) == field


def test_too_much_at_once_is_refused(known):
    """It would not end in time."""
    grid = {"fast": list(range(1, 101)), "stop_loss": [of / 1_000 for of in range(1, 101)]}
    days = replace(known.days, last=date(2060, 1, 1))
    assert field_of(replace(known, days=days), end_date="2060-01-01") == "symbols"
    long = replace(known, days=replace(known.days, last=date(2030, 1, 1)))
    many = {"kind": "sweep", "params": {}, "grid": grid, "timeframe": "1m", "end_date": "2028-01-01"}
    assert field_of(long, **many) == "grid"


def test_another_question_candle_or_code_is_another_identity(known, booked_desk):
    """And nothing else is."""
    first = furnished(known)
    assert furnished(known, symbols=["KRW-BTC"], timeframe="1h").identity == first.identity
    others = [furnished(known, **facts).identity for facts in ({"params": {"fast": 3, "slow": 5}}, {"mode": "study"})]
    booked_desk.collect([booked_desk.days[5]])
    assert furnished(known).identity == first.identity  # it lies behind the last day that is asked for
    booked_desk.collect([booked_desk.days[1]], cut=900)
    seen = furnished(known)
    assert seen.code == first.code
    assert len({first.identity, seen.identity, *others, identity(first.request, first.seen, "other code")}) == 5


def test_a_strategy_of_ones_own_counts_with_its_code(known):
    """A change of its file is another question."""
    known.strategies.mkdir()
    file = known.strategies / "mine.py"
    file.write_text(OWN.format(warmup=1))
    asked = read_request({"strategy": "mine", "end_date": "2026-01-03"})
    assert furnish(asked, known).request.strategy == "mine"
    file.write_text("broken(")
    with pytest.raises(BadRequestError) as refused:
        furnish(asked, known)
    assert refused.value.field == "strategy"


def test_strategies_of_days_see_day_bars_as_well(known):
    """Which must be stored then."""
    with pytest.raises(BadRequestError, match="no candles/day of KRW-BTC is stored"):
        furnished(known, timeframe="1d")
