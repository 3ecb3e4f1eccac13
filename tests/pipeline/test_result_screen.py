from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.document import document_of
from coinhts_core.backtests.overfitting import Counted, badge_of
from coinhts_core.results.comparison import compared
from coinhts_core.results.retention import Answer, judged
from coinhts_core.strategies import load
from coinhts_pipeline.result_screen import comparison, listing, retention, show
from tests.core.backtests.candles import candles, walk
from tests.core.results.conftest import ran
from tests.core.results.test_comparison import held


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


def test_a_table_shows_its_first_rows(capsys):
    """Figures in their units, missing ones as nothing."""
    rows = [{"fast": fast, "total_return": 0.1 if fast else None, "note": None} for fast in range(25)]
    show({"kind": "sweep", "rows": rows})
    shown = capsys.readouterr().out
    assert "sweep, 25 rows" in shown
    assert "+10.00%" in shown
    assert "and 5 more" in shown
    show({"kind": "walkforward", "rows": []})
    assert "walkforward, 0 rows" in capsys.readouterr().out


def test_a_list_has_a_line_a_result(capsys):
    """What was run and what it came to, whether it is pinned, and the whole short id on the narrowest terminal."""
    kept, _ = held(ran())
    listing([kept, replace(kept, is_pinned=True, kind="sweep")])
    shown = capsys.readouterr().out
    assert shown.count(kept.id[:12]) == 2
    words = " ".join(shown.split())
    assert "sweep of" in words
    assert "pinned" in words
    assert "KST" in words
    listing([])
    assert "no such result is kept" in capsys.readouterr().out


def test_a_comparison_shows_the_cause_what_changed_and_both_curves(capsys):
    """Figures that are the same are left out; where nothing changed there are only the sentence and the curves."""
    one, other = held(ran()), held(ran(fast=4))
    comparison(compared(one, other))
    shown = capsys.readouterr().out
    assert "the cause is parameters" in shown
    assert "fast 3 → 4" in shown
    assert "Total return" in shown
    assert shown.count("of 100 at first, 2026-01-01 to 2026-01-13") == 2
    comparison(compared(one, one))
    shown = capsys.readouterr().out
    assert "nothing differs" in shown
    assert "Total return" not in shown


def test_a_report_says_what_may_go_and_that_nothing_is_gone(capsys):
    """And what is gone, when it is."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    answers = [
        Answer(f"{number:064x}", "q", "sma_cross", now - timedelta(days=90 - number), is_pinned=False)
        for number in (1, 2)
    ]
    verdicts = judged(answers, now, timedelta(days=30))
    retention(verdicts, [])
    shown = capsys.readouterr().out
    assert "1 may go, 1 stay\n" in shown
    assert "nothing was removed" in shown
    retention(verdicts, [answers[0].id])
    shown = capsys.readouterr().out
    assert "1 are removed" in shown
    assert "nothing was removed" not in shown
    retention([], [])
    assert "0 may go, 0 stay" in capsys.readouterr().out


def test_a_badge_is_the_last_word(capsys):
    """Its sentence, with what it counted."""
    result = run({"KRW-BTC": candles(walk(300))}, load("sma_cross", fast=3, slow=8))
    badge = badge_of(result.metrics, 12, Counted(1_240, 0.001, 900))
    show(document_of(result), badge=badge)
    assert badge.sentence in " ".join(capsys.readouterr().out.split())
