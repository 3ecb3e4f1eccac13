import pytest

from coinhts_core.backtests import Account
from coinhts_core.backtests.overfitting import Counted
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.walkforward import walk_forward
from coinhts_pipeline.walkforward_screen import counted, show
from coinhts_pipeline.walkforwards import badge_on, document_of
from tests.core.backtests.candles import candles, walk

FRAMES = {"KRW-BTC": candles(walk(960, 1) * 1_000), "KRW-ETH": candles(walk(960, 2) * 1_000)}


def shown(capsys, frames):
    of = walk_forward(frames, "sma_cross", {"fast": [2, 4], "slow": [12]}, Account(), folds=3)
    told = document_of(of)
    show(told, of.daily.tolist(), badge_on(told, len(of.unseen), Counted(1_240, 0.001, 1_000)))
    return of, " ".join(capsys.readouterr().out.split())


def test_a_line_a_window(capsys):
    """Its unseen days, the knobs, what was seen and what came; the coin only where there are several."""
    of, words = shown(capsys, {"KRW-BTC": FRAMES["KRW-BTC"]})
    for fold in of.folds:
        assert f"{fold.window.number} {fold.window.unseen.first} {fold.point.values[0]} " in words
        assert f"{fold.course.total_return:+.2%}" in words
    assert "3 rolling windows, the best of 2 combinations by sharpe" in words
    assert "symbol" not in words
    assert "equity of the unseen days" in words
    assert of.id[:12] in words


def test_several_coins_have_a_line_each(capsys):
    """And are named at the top."""
    _, words = shown(capsys, FRAMES)
    assert "on KRW-BTC, KRW-ETH" in words
    assert words.count(" KRW-ETH ") == 3


def test_the_badge_counts_what_it_counted(capsys):
    """In its sentence, at the end."""
    assert "1,240 combinations were tried, 1,000 of them of this strategy" in shown(capsys, FRAMES)[1]


@pytest.mark.parametrize(
    "word", ["nothing was chosen in 1", "fast: never chosen", f"efficiency {UNDEFINED}", "Trust: unknown"]
)
def test_what_is_missing_is_a_dash_or_a_sentence(capsys, word):
    """A market that never moves: no choice, no efficiency, no Sharpe ratio."""
    assert word in shown(capsys, candles([100.0] * 960))[1]


def test_progress_counts_windows():
    """Whoever computes says how many are done; off a terminal nothing is drawn."""
    with counted(3) as progress:
        progress(1, 3)
        progress(3, 3)
