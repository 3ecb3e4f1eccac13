from datetime import UTC, date, datetime

from coinhts_core.backtests import run
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk


def test_warm_up_bars_are_seen_and_not_traded():
    """From the first day on the same decisions as with all bars, and the cash is whole when it begins."""
    frame, strategy = candles(walk(500)), load("sma_cross", fast=3, slow=20)
    whole, later = run(frame, strategy), run(frame, strategy, first_day=date(2026, 1, 8))
    assert later.symbols[0].decisions.tolist() == whole.symbols[0].decisions.tolist()
    assert later.equity["opened_at"][0] >= datetime(2026, 1, 7, 23, tzinfo=UTC)
    assert later.equity["equity"][0] == later.account.cash
    assert later.trades["opened_at"].min() > datetime(2026, 1, 8, tzinfo=UTC)


def test_the_rule_book_changes_with_the_days():
    """Bars before and behind a change of the book are one course, cut nowhere."""
    start = datetime(2025, 7, 25, tzinfo=UTC)
    result = run(candles(walk(400) * 1_000, start=start), load("sma_cross", fast=3, slow=8))
    whole = run(candles(walk(400) * 1_000), load("sma_cross", fast=3, slow=8))
    assert result.equity["equity"].to_list() == whole.equity["equity"].to_list()
