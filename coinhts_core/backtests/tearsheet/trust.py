"""How far a result may be trusted: its badge, the tests of luck behind it, and what else might have happened.

What lives here: one section. What to add: a test of luck, as a row. What stays out: the tests themselves
(`overfitting`, `montecarlo`); their seeds are those they begin with, so the same sheet gives the same bytes.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from coinhts_core.backtests import metrics
from coinhts_core.backtests.montecarlo import Paths, Spread, bootstrap
from coinhts_core.backtests.overfitting import Badge, Permuted, Rows, badge_of, permutation_test
from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet import tables, words
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.undefined import Undefined


def trust(of: Sheet) -> Markup:
    badge = badge_of(of.figures.values, len(of.days), of.counted)
    return joined(
        tag("p", badge.sentence, class_="badge"),
        tag(
            "div",
            tables.facts("Against luck", _against_luck(badge, _permuted(of))),
            tables.facts("Had the same returns come in another order (5 %, half, 95 %)", _paths(of)),
            class_="columns",
        ),
    )


def _against_luck(badge: Badge, permuted: Permuted | Undefined) -> dict[str, str]:
    if isinstance(permuted, Undefined):
        drawn = {"Trades at other moments": f"{UNDEFINED} ({permuted})"}
    else:
        name = f"Trades at other moments that did as well, of {permuted.permutations:,} (seed {permuted.seed})"
        drawn = {name: words.share(permuted.p)}
    return {
        "Combinations tried": UNDEFINED if badge.trials is None else f"{badge.trials:,}",
        "Sharpe that the best of them would show by luck": _ratio(badge.best_of_luck),
        "Sharpe above 0 (PSR)": _share(badge.probabilistic_sharpe),
        "Sharpe above luck (deflated)": _share(badge.deflated_sharpe),
        **drawn,
    }


def _permuted(of: Sheet) -> Permuted | Undefined:
    """Trades at the opens of the bars they began and ended in."""
    if of.candles.is_empty():
        return Undefined("there are no candles of a single coin")
    closed = of.trades.drop_nulls(["opened_at", "closed_at"]).sort("opened_at")
    moments = of.candles["opened_at"].dt.epoch("us").to_numpy()
    entries, exits = (_bars(moments, closed[name]) for name in ("opened_at", "closed_at"))
    if (exits[:-1] > entries[1:]).any():
        return Undefined("trades overlap")
    return permutation_test(of.candles["open"].to_numpy(), entries, exits)


def _bars(moments: Rows, times: pl.Series) -> Rows:
    found = np.searchsorted(moments, times.dt.epoch("us").to_numpy(), side="right") - 1
    return np.clip(found, 0, len(moments) - 1).astype(np.int64)


def _paths(of: Sheet) -> Mapping[str, str]:
    daily = metrics.returns(of.equity)
    trades = of.trades["return"].drop_nulls().to_numpy()
    days = daily if isinstance(daily, Undefined) else bootstrap(daily)
    return {
        **_told("days", days),
        **_told("trades, as if each were made with everything", bootstrap(trades, block=1.0)),
    }


def _told(what: str, paths: Paths | Undefined) -> dict[str, str]:
    if isinstance(paths, Undefined):
        return {f"Of {what}": f"{UNDEFINED} ({paths})"}
    order = f"{paths.drawn:,} paths, {paths.block:.0f} at a time, seed {paths.seed}"
    return {f"Return of {what} ({order})": _spread(paths.end), f"Deepest fall of {what}": _spread(paths.worst_drawdown)}


def _spread(of: Spread) -> str:
    return ", ".join(map(percent, of))


def _ratio(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return UNDEFINED if value is None else words.share(value)
