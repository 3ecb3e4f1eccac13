"""Numbers and moments as a tearsheet prints them.

What lives here: one function a kind of value. What to add: a unit of `figures`. What stays out: where they stand.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone

from coinhts_core.backtests.figures import FIGURES, Unit
from coinhts_core.backtests.report import UNDEFINED, percent

KST = timezone(timedelta(hours=9), "KST")

_LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def figure(name: str, value: float | None) -> str:
    """A figure in its unit; one that is on no list as a plain number."""
    if value is None:
        return UNDEFINED
    return _PRINTED[FIGURES[name].unit if name in FIGURES else "ratio"](value)


def krw(value: float | None) -> str:
    """Whole won."""
    return UNDEFINED if value is None else f"{value:,.0f} KRW".replace("-0 ", "0 ")


def number(value: float | None) -> str:
    """Prices and volumes: whole from 1,000 on, below with as many of 8 decimals as there are."""
    if value is None:
        return UNDEFINED
    if abs(value) >= 1_000:  # noqa: PLR2004 - the boundary the sentence names
        return f"{value:,.0f}"
    return f"{value:.8f}".rstrip("0").rstrip(".")


def share(value: float) -> str:
    return f"{value:.2%}"


def short(value: float, step: float) -> str:
    """For an axis: 12.5M, with as many decimals as its step needs."""
    size, unit = next(((size, unit) for size, unit in _LARGE if max(abs(value), step) >= size), (1.0, ""))
    decimals = next((places for places in range(9) if _is_whole(step / size * 10**places)), 8)
    return f"{value / size:,.{decimals}f}{unit if value else ''}"


def knob(value: object) -> str:
    """What a strategy or an account was told."""
    return "none" if value is None else number(value) if isinstance(value, float) else str(value)


def in_utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def in_kst(at: datetime) -> str:
    return f"{at.astimezone(KST):%Y-%m-%d %H:%M} KST"


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6  # noqa: PLR2004 - rounding of a power of ten


def _count(value: float) -> str:
    return f"{value:,.0f}"


_PRINTED: Mapping[Unit, Callable[[float], str]] = {
    "return": percent,
    "share": share,
    "ratio": lambda value: f"{value:,.2f}",
    "krw": krw,
    "days": lambda value: f"{value:,.0f} days",
    "bars": lambda value: f"{value:,.1f} bars",
    "count": _count,
}
