from dataclasses import replace

from coinhts_core.backtests.overfitting import badge_of
from coinhts_pipeline.front.pages.walks import walk_page
from tests.pipeline.front.pages.kept import BAD, RUN
from tests.pipeline.front.pages.tags import EVIL, is_kept

BADGE = badge_of({}, 1)


def _walk(word):
    window = {
        "window": 1, "symbol": word, "unseen_first": "2026-01-19 00:00:00+00:00", "unseen_last": "2026-01-22",
        "knob": word, "seen_return": 0.1, "unseen_return": None, "efficiency": 0.5, "unseen_trades": 3,
    }  # fmt: skip
    return {
        "anchored": True, "windows": 4, "combinations": 1_234, "chosen_by": word, "efficiency": None,
        "grid": {"knob": []}, "winning_windows": 0.75, "warnings": [word], "rows": [window],
        "metrics": {"total_return": 0.25, "sharpe": None},
    }  # fmt: skip


def test_a_walk_is_told_window_by_window():
    """Seen beside unseen, and what came of all."""
    tags = is_kept(walk_page(replace(RUN, kind="walkforward"), _walk("fast"), BADGE))
    assert tags.said("dd")[-4:] == ["4, anchored", "1,234, chosen by fast", "\N{EN DASH}", "75%"]
    assert tags.said("td")[-6:] == ["+10.00%", "\N{EN DASH}", "0.50", "3", "+25.00%", "\N{EN DASH}"]
    assert "2026-01-19 to 2026-01-22" in tags.text
    assert "fast" in tags.said("li")
    assert BADGE.sentence in tags.said("p")


def test_nothing_that_a_walk_says_is_taken_for_markup():
    """Knobs, coins, warnings."""
    is_kept(walk_page(BAD, _walk(EVIL), BADGE))
