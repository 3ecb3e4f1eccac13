import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.document import document_of
from coinhts_core.strategies import load
from coinhts_pipeline.result_screen import show
from tests.core.backtests.candles import candles, walk


@pytest.mark.parametrize("mode", ["account", "study"])
def test_figures_stand_in_their_units(capsys, mode):
    """Undefined ones are named once; what a reader should not overlook is a sentence."""
    result = run({"KRW-BTC": candles(walk(300))}, load("sma_cross", fast=3, slow=8), Account(), mode=mode)
    show(document_of(result), result.outcome.daily.tolist())
    shown = capsys.readouterr().out
    assert "sma_cross on KRW-BTC, 300 bars of 1h" in shown
    assert "undefined here: annual_return" in shown
    assert ("coin_hts samples" in shown) == (mode == "study")
    assert result.id[:12] in shown
