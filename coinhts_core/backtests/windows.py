"""Windows: days that a walk-forward chooses in, and the days behind them that the choice is tried on.

What lives here: `Window` and `windows_over`, and the figures that a choice may follow. What stays out: choosing and
trading (`walkforward`).
"""

from datetime import date, timedelta
from typing import NamedTuple

from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError

FOLDS, RATIO, RANK = 5, 3.0, "sharpe"
RANKS = (
    "sharpe",
    "sortino",
    "calmar",
    "total_return",
    "annual_return",
    "max_drawdown",
    "profit_factor",
    "win_rate",
)
_FEWEST_SEEN = 2  # days; one has no course


class Window(NamedTuple):
    """Days to choose in, and unseen days right behind them."""

    number: int
    seen: DayRange
    unseen: DayRange


def windows_over(
    days: DayRange, folds: int = FOLDS, ratio: float = RATIO, *, is_anchored: bool = False
) -> list[Window]:
    """So many windows whose unseen parts are equally long, follow one another, and end with the days.

    The days to choose in are `ratio` times as many as the unseen ones, and what does not fill a day more for each
    window; when anchored they begin with the first day, and each window has more of them.
    """
    if folds < 1 or not ratio > 0.0:
        raise RefusedError(reason=f"{folds} windows at {ratio:g} to 1 cannot be cut; ask for 1 or more, above 0")
    unseen = int(len(days) // (folds + ratio))
    seen = len(days) - folds * unseen
    if unseen < 1 or seen < _FEWEST_SEEN:
        reason = f"{len(days)} days are too few for {folds} windows at {ratio:g} to 1; ask for fewer, or for more days"
        raise RefusedError(reason=reason)
    return [_window(number, days.first, seen, unseen, is_anchored=is_anchored) for number in range(1, folds + 1)]


def _window(number: int, first: date, seen: int, unseen: int, *, is_anchored: bool) -> Window:
    split = first + timedelta(days=seen + (number - 1) * unseen)
    begins = first if is_anchored else split - timedelta(days=seen)
    return Window(
        number,
        DayRange(begins, split - timedelta(days=1)),
        DayRange(split, split + timedelta(days=unseen - 1)),
    )
