"""Monte Carlo: what else might have happened, had the same returns come in another order.

What lives here: the stationary bootstrap of daily returns or of trades' returns. What stays out: whether a result is
luck (`overfitting`), and drawing it (`tearsheet`).

Stretches of days are drawn with their order (Politis and Romano, 1994), for losing days come together; trades are drawn
one by one. The seed stands beside the answer: the same question has the same answer.
"""

from typing import Any, NamedTuple

import numpy as np

from coinhts_core.backtests.undefined import Floats, Undefined
from coinhts_core.compiled import compiled

PATHS = 2_000
_PERCENTILES = (5.0, 50.0, 95.0)


class Spread(NamedTuple):
    """What 5 %, half and 95 % of the paths stay below."""

    low: float
    middle: float
    high: float


class Paths(NamedTuple):
    """Where paths end and how deep they fall, as returns; how many, and what they were drawn with."""

    end: Spread
    worst_drawdown: Spread
    drawn: int
    block: float
    seed: int


def bootstrap(returns: Floats, *, paths: int = PATHS, block: float | None = None, seed: int = 0) -> Paths | Undefined:
    """Paths as long as the returns given, of stretches whose mean length is `block`, the cube root when not said."""
    if len(returns) < 2:  # noqa: PLR2004 - one return has one order
        return Undefined(f"2 returns are needed, there are {len(returns)}")
    if not (returns >= -1.0).all():
        return Undefined("more than everything was lost")
    mean = max(round(len(returns) ** (1 / 3)), 1) if block is None else max(block, 1.0)
    ends, falls = _walked(np.ascontiguousarray(returns), paths, 1.0 / mean, np.random.default_rng(seed))
    if not np.isfinite(ends).all():
        return Undefined("a path is beyond what a number can hold")
    end, fall = (Spread(*np.percentile(of, _PERCENTILES).tolist()) for of in (ends, falls))
    return Paths(end, fall, paths, float(mean), seed)


@compiled
def _walked(returns: Floats, paths: int, leaving: float, chance: Any) -> tuple[Floats, Floats]:
    """Each path's total return and deepest fall below its highest worth so far."""
    count = len(returns)
    ends, falls = np.empty(paths), np.empty(paths)
    for path in range(paths):
        worth, peak, deepest, at = 1.0, 1.0, 0.0, 0
        for step in range(count):
            at = int(chance.random() * count) if step == 0 or chance.random() < leaving else (at + 1) % count
            worth *= 1.0 + returns[at]
            peak = max(peak, worth)
            deepest = min(deepest, worth / peak - 1.0)
        ends[path], falls[path] = worth - 1.0, deepest
    return ends, falls
