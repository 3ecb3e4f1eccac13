"""The charts of a tearsheet.

What lives here: one function a chart, from a sheet to a figure. What to add: a chart, and its place in `page`. What
stays out: coordinates and axes (`plots`), candles (`candle_chart`).
"""

from datetime import UTC, datetime, time

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from coinhts_core.backtests.metrics import YEAR, drawdown, returns
from coinhts_core.backtests.report import percent
from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.plots import (
    HEIGHT,
    WIDTH,
    Scale,
    Tick,
    drawing,
    line,
    nothing,
    thinned,
    time_ticks,
)
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.undefined import ROUNDING, Floats, Undefined

ROLLING_DAYS = 90
MOST_BARS = 30  # of the distribution
_SHALLOWEST = -0.01  # drawdown that fills the drawing
_NO_DAYS = "There is no day to draw."


def equity(of: Sheet) -> Markup:
    """Both bounds, and what the benchmarks did with the same cash."""
    caption = "Equity and benchmarks, KRW, at day ends (00:00 UTC, 09:00 KST)"
    if not of.days:
        return nothing("equity", caption, _NO_DAYS)
    curves = [("main", of.strategy, of.equity)]
    if of.has_two_bounds and of.optimistic is not None:
        curves = [("main", f"{of.strategy}, pessimistic", of.equity)]
        curves += [("optimistic", f"{of.strategy}, optimistic", of.optimistic)]
    curves += [(f"benchmark-{place}", name, curve) for place, (name, curve) in enumerate(of.benchmarks.items())]
    scale = Scale.of(*(curve for _, _, curve in curves))
    words = {kind: f"{name} {_change(curve)}" for kind, name, curve in curves}
    return drawing(
        "equity",
        f"From {of.days[0]} to {of.days[-1]}: {'; '.join(words.values())}",
        [_curve(curve, scale, kind) for kind, _, curve in reversed(curves)],
        across=_days(of),
        down=scale.amounts(),
        caption=caption,
        legend=words,
    )


def falls(of: Sheet) -> Markup:
    """How far below its highest the equity was."""
    caption = "Drawdown at day ends, % below the highest equity before"
    if not of.days:
        return nothing("drawdown", caption, _NO_DAYS)
    below = drawdown(of.equity)
    scale = Scale.of(below, np.array([_SHALLOWEST]), anchor=0.0)
    chosen = thinned(below)
    course = line(_places(chosen, len(below)), scale.heights(below[chosen]))
    deepest = int(np.argmin(below))
    said = f"Deepest drawdown {percent(float(below[deepest]))}"
    if deepest:
        said += f" at the end of {of.days[deepest - 1]}"
    area = tag("path", class_="loss-area", d=Markup(f"{course}L{WIDTH} 0L0 0Z"))
    shapes = [area, tag("path", class_="line loss", d=course)]
    return drawing("drawdown", said, shapes, across=_days(of), down=_percents(scale), caption=caption)


def rolling_sharpe(of: Sheet) -> Markup:
    """Whether the whole's Sharpe is that of its parts."""
    caption = f"Sharpe of the last {ROLLING_DAYS} days (daily returns, a year of {YEAR} days)"
    daily = returns(of.equity)
    if isinstance(daily, Undefined):
        return nothing("rolling-sharpe", caption, f"Undefined: {daily}.")
    if len(daily) <= ROLLING_DAYS:
        reason = f"There are {len(daily)} days; {ROLLING_DAYS + 1} are needed."
        return nothing("rolling-sharpe", caption, reason)
    rolling = _rolling(daily)
    scale = Scale.of(rolling, np.zeros(1))
    chosen = np.arange(len(rolling)) if np.isnan(rolling).any() else thinned(rolling)
    places = _places(chosen + ROLLING_DAYS, len(of.equity))
    shapes = [
        tag("path", class_="zero", d=_level(scale, 0.0)),
        tag("path", class_="line main", d=line(places, scale.heights(rolling[chosen]))),
    ]
    known = rolling[np.isfinite(rolling)]
    said = f"Between {known.min():.2f} and {known.max():.2f}, last {known[-1]:.2f}" if len(known) else "Undefined"
    down = [scale.tick(value, f"{value:.3g}") for value in scale.ticks()]
    return drawing("rolling-sharpe", said, shapes, across=_days(of), down=down, caption=caption)


def distribution(of: Sheet) -> Markup:
    """How often trades returned how much; of many, the farthest hundredth part on either side is in the end bars."""
    caption = "Returns of closed trades, after fees"
    found = of.trades["return"].drop_nulls().to_numpy()
    if not len(found):
        return nothing("distribution", caption, "No trade was closed.")
    edges = _edges(found)
    counts = np.histogram(np.clip(found, edges[0], edges[-1]), edges)[0]
    scale = Scale.of(counts.astype(float), anchor=0.0)
    width = WIDTH / len(counts)
    heights = scale.heights(counts.astype(float))
    shapes = []
    for place in np.flatnonzero(counts).tolist():
        box = f"M{place * width + width * 0.08:.1f} {HEIGHT}V{heights[place]:.1f}h{width * 0.84:.1f}V{HEIGHT}z"
        kind = "gain-fill" if edges[place] >= 0.0 else "loss-fill"
        shapes.append(tag("path", class_=kind, d=Markup(box)))
    every, zero = -(-len(edges) // 6), int(np.argmin(np.abs(edges)))
    places = range(zero % every, len(edges), every)
    across = [Tick(place / len(counts), f"{edges[place] * 100:.4g}%") for place in places]
    down = [scale.tick(value, f"{value:,.0f}") for value in scale.ticks() if value == int(value)]
    said = (
        f"{len(found)} trades between {percent(float(found.min()))} and {percent(float(found.max()))}, "
        f"median {percent(float(np.median(found)))}"
    )
    is_clipped = found.min() < edges[0] or found.max() > edges[-1]
    note = "The first and the last bar also count what is beyond them." if is_clipped else ""
    return drawing("distribution", said, shapes, across=across, down=down, caption=caption, note=note)


def _curve(values: Floats, scale: Scale, kind: str) -> Markup:
    chosen = thinned(values)
    course = line(_places(chosen, len(values)), scale.heights(values[chosen]))
    return tag("path", class_=f"line {kind}", d=course)


def _places(chosen: NDArray[np.intp], count: int) -> Floats:
    return np.asarray(chosen / max(count - 1, 1) * WIDTH, dtype=float)


def _change(curve: Floats) -> str:
    return percent(float(curve[-1] / curve[0] - 1.0)) if curve[0] > 0.0 else ""


def _days(of: Sheet) -> list[Tick]:
    """Days end at the place of their number: 0 is where the first one begins."""
    begins = [datetime.combine(day, time(), UTC) for day in of.days]
    return [Tick(place / len(of.days), words) for place, words in time_ticks(begins)]


def _percents(scale: Scale) -> list[Tick]:
    return [scale.tick(value, f"{value * 100:.4g}%") for value in scale.ticks()]


def _level(scale: Scale, value: float) -> Markup:
    return Markup(f"M0 {scale.heights(np.array([value]))[0]:.1f}H{WIDTH}")


def _rolling(daily: Floats) -> Floats:
    windows = sliding_window_view(daily, ROLLING_DAYS)
    deviations = windows.std(axis=1, ddof=1)
    ratios: Floats = np.full(len(windows), np.nan)
    np.divide(windows.mean(axis=1) * np.sqrt(YEAR), deviations, out=ratios, where=deviations > ROUNDING)
    return ratios


def _edges(found: Floats) -> Floats:
    """Bars of a round width, one of them beginning at 0."""
    low, high = np.percentile(found, [1.0, 99.0])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    step = Scale(low, high if high > low else low + 0.01).step(MOST_BARS)
    first, last = int(np.floor(low / step)), int(np.ceil(high / step))
    return np.array([count * step for count in range(first, max(last, first + 1) + 1)])
