from contextlib import nullcontext

import pytest

from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.results.swept import Heatmap
from coinhts_pipeline import screen
from coinhts_pipeline.sweep_screen import counted, show_best, show_heatmap

SWEEP = {
    "id": "ab" * 32,
    "kind": "sweep",
    "strategy": "sma_cross",
    "grid": {"fast": [1, 2], "stop_loss": [None, 0.1]},
    "rows": [
        {"symbol": "KRW-BTC", "fast": fast, "stop_loss": stop, "total_return": gain, "sharpe": sharpe,
         "max_drawdown": -0.1, "trades": 7, "win_rate": 0.5, "final_equity_krw": 12_345_678.0}
        for fast, stop, gain, sharpe in [(1, None, 0.1, 1.5), (2, 0.1, 0.3, None)]
    ],
}  # fmt: skip


def test_the_best_rows_show_knobs_and_figures(capsys):
    """Of those that have the figure; and where to look next."""
    show_best(SWEEP, "sharpe", 5)
    told = capsys.readouterr().out
    assert "2 combinations" in told
    assert ["KRW-BTC", "1", "none", "1.50", "+10.00%", "-10.00%", "7", "50.00%"] in [
        line.split() for line in told.splitlines()
    ]
    assert "+30.00%" not in told
    assert f"coinhts sweep heatmap {'ab' * 6}" in " ".join(told.split())
    show_best(SWEEP, "final_equity_krw", 1)
    assert "1.235e+07" in capsys.readouterr().out


def test_what_has_no_best_rows_is_refused_before_anything_is_shown(capsys):
    """No rows, no sweep, no such figure."""
    for of, by in ((SWEEP | {"rows": []}, "sharpe"), (SWEEP | {"kind": "backtest"}, "sharpe")):
        with pytest.raises(RefusedError):
            show_best(of, by, 5)
    with pytest.raises(BadRequestError):
        show_best(SWEEP, "shape", 5)
    assert not capsys.readouterr().out


def test_the_darker_the_higher(capsys):
    """A dash where there is no figure; one value is no map, and no error."""
    show_heatmap(Heatmap("sharpe", "fast", "slow", [1, 2], [0.5, None], [[1.0, 2.0], [None, 3.0]]))
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[-2:] == [["0.5", "1.00", "2.00", "▒"], ["none", "\N{EN DASH}", "3.00", "█"]]
    show_heatmap(Heatmap("sharpe", "fast", "slow", [1], [2], [[1.0]]))
    assert "1.00" in capsys.readouterr().out


@pytest.mark.parametrize("steps", [[4], [1, 2, 4], []])
def test_progress_counts_what_is_done(steps, monkeypatch):
    """One step a combination, however many are done at a time."""
    seen = []
    monkeypatch.setattr(screen, "progress", lambda _what, _total: nullcontext(seen.append))
    with counted(4) as progress:
        for done in steps:
            progress(done, 4)
    assert len(seen) == max(steps, default=0)
    assert seen[-1:] == ["4 of 4"] * bool(steps)
