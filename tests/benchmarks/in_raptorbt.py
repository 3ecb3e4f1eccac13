"""raptorbt at the bench: crossings in its own words, with the metrics it always gives.

What lives here: its tasks. What stays out: breakouts; its arrays know no time that is up.
"""

import numpy as np
import raptorbt
from at_work import serve

_A_YEAR = 525_600.0
_AT_A_TIME = 50


def crossings(parts, points, **account):
    """One pair by a call of its own, many in batches that share their averages."""
    config = _config(account)
    call_of = _single if len(points) == 1 else _batches
    return [call_of(part, points, config) for part in parts], _told


def coins(parts, point, **account):
    """One pair, coin after coin."""
    calls = [_single(part, [point], _config(account)) for part in parts]
    return [lambda: [result for call in calls for result in call()]], _told


def _single(part, points, config):
    ((fast, slow),) = points

    def call():
        entries, exits = _crossed(raptorbt.sma(part["close"], fast), raptorbt.sma(part["close"], slow))
        result = raptorbt.run_single_backtest(*_columns(part), entries, exits, 1, 1.0, "COIN", config)
        return [_metrics(result)]

    return call


def _batches(part, points, config):
    def call():
        averages = {window: raptorbt.sma(part["close"], window) for window in {of for pair in points for of in pair}}
        results = []
        for first in range(0, len(points), _AT_A_TIME):
            items = [
                raptorbt.BatchSingleItem(str(at), *_crossed(averages[fast], averages[slow]))
                for at, (fast, slow) in enumerate(points[first : first + _AT_A_TIME])
            ]
            results += [_metrics(of) for _, of in raptorbt.batch_single_backtest(*_columns(part), items, config)]
        return results

    return call


def _crossed(quick, calm):
    """Whether the quick average rose above the calm one, and whether it fell below, where both stood a bar before."""
    stands, is_known = quick > calm, np.isfinite(calm)
    is_known[1:] &= is_known[:-1].copy()
    is_known[0] = False
    was = np.concatenate(([False], stands[:-1]))
    return stands & ~was & is_known, ~stands & was & is_known


def _config(account):
    return raptorbt.BacktestConfig(
        initial_capital=account["cash"],
        fees=account["fee_rate"],
        slippage=0.0,
        fill_timing="next_bar_open",
        periods_per_year=_A_YEAR,
    )


def _columns(part):
    return (part["opened_at"] * 1_000, *(part[name] for name in ("open", "high", "low", "close", "volume")))


def _metrics(result):
    of = result.metrics
    figures = (of.total_return_pct, of.max_drawdown_pct, of.win_rate_pct, of.sharpe_ratio)
    return of.end_value, of.total_closed_trades, figures


def _told(outcomes):
    results = [of for results in outcomes for of in results]
    return {"final": [final for final, _, _ in results], "trades": [trades for _, trades, _ in results]}


if __name__ == "__main__":
    serve({"crossings": crossings, "coins": coins})
