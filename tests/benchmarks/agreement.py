"""Whether contestants agree: the same trades, and the same money to a billionth.

What lives here: the judgement, and how breakouts are judged although vectorbt looks at a bar's levels before its time.
What stays out: timing (`rounds`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

_NEAR = 1e-9
_NEAR_WITH_TIME = 2e-2  # a point's money, where an order inside a few bars differs


class DisagreementError(Exception):
    """Contestants that do not tell the same, and where."""


def same(ours: Mapping[str, Any], **others: Mapping[str, Any]) -> None:
    """Of what only one tells nothing is asked."""
    for name, theirs in others.items():
        _same_trades(ours, theirs, name)
        _near(ours, theirs, name, _NEAR)


def same_breakouts(ours: Mapping[str, Any], **others: Mapping[str, Any]) -> None:
    """The same trades, on the same bars; at the bar at whose open the time is up, vectorbt may take a level instead.

    `tests/peers` shows that nothing else differs, bar by bar and to a billionth.
    """
    for name, theirs in others.items():
        _same_trades(ours, theirs, name)
        _near(ours, theirs, name, _NEAR_WITH_TIME)


def _same_trades(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> None:
    for what in ("trades", "bars"):
        if what in ours and what in theirs and not np.array_equal(ours[what], theirs[what]):
            place = int(np.argmax(np.asarray(ours[what]) != np.asarray(theirs[what])))
            msg = f"{what} of point {place}: {ours[what][place]}, {name} {theirs[what][place]}"
            raise DisagreementError(msg)


def _near(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str, near: float) -> None:
    apart = float(np.max(np.abs(np.asarray(ours["final"]) / np.asarray(theirs["final"]) - 1.0)))
    if not apart < near:
        msg = f"ours and {name} end {apart:.1e} apart"
        raise DisagreementError(msg)
