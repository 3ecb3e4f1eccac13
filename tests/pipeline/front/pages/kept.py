"""Results as the ledger tells them, whatever people called things."""

from dataclasses import replace
from datetime import UTC, date, datetime

from coinhts_core.results.kept import Kept
from tests.pipeline.front.pages.tags import EVIL

RUN = Kept(
    "ab" * 32, "q", "backtest", "sma_cross", "account", ("KRW-BTC", "KRW-ETH"), "1h", date(2026, 1, 1),
    date(2026, 1, 31), 0.1234, -0.05, 1.5, 1_234, is_pinned=True, kept_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
    asked={"params": {"fast": 3, EVIL: EVIL}, "account": {"cash": 1e7, "stop_loss": None}},
    metrics={"total_return": 0.1234, "sharpe": 1.5, "trades": 1_234, "skew": None},
)  # fmt: skip
BAD = replace(RUN, strategy=EVIL, symbols=(EVIL,), timeframe=EVIL, mode=EVIL, kind=EVIL)
