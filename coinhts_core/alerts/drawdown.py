"""Drawdown: how far an account has fallen below its highest, and when that is worth an alert.

What lives here: the fall, its level by the thresholds that govern it, and what of it is new. What stays out: where the
equity comes from, and closing positions.
"""

from collections.abc import Mapping, Sequence

from coinhts_core.alerts.alert import LEVELS, Level
from coinhts_core.governance import Governance


def fallen(equity: Sequence[float]) -> float:
    """The last amount below the highest so far, a fraction from 0 to 1."""
    highest = max(equity, default=0.0)
    return 1.0 - equity[-1] / highest if highest > 0.0 else 0.0


def level_of(fall: float, rules: Governance) -> Level | None:
    thresholds: list[tuple[float, Level]] = [
        (rules.drawdown_critical_pct, "critical"),
        (rules.drawdown_error_pct, "error"),
        (rules.drawdown_warning_pct, "warning"),
    ]
    return next((level for threshold, level in thresholds if round(fall * 100, 9) >= threshold), None)


def newly_fallen(levels: Mapping[str, Level | None], told: Mapping[str, Level]) -> dict[str, Level]:
    """What fell to a level that was not told yet."""
    return {
        name: level
        for name, level in levels.items()
        if level and (name not in told or LEVELS.index(level) > LEVELS.index(told[name]))
    }


def still_fallen(levels: Mapping[str, Level | None], told: Mapping[str, Level]) -> dict[str, Level]:
    """The deepest level told of each, until it is above all thresholds again; only then is a new fall news."""
    return {name: level for name, level in told.items() if levels.get(name)} | newly_fallen(levels, told)
