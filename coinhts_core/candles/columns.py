"""What the columns of other people's candle files are called.

What lives here: `recognised`, which finds our columns among theirs. What to add: a name somebody uses, behind those
that say more exactly what they hold. What stays out: what stands in the columns (`stamps`, `amounts`).
"""

import re
from collections.abc import Mapping, Sequence

PRICES = ("open", "high", "low", "close")
AMOUNTS = (*PRICES, "volume", "turnover_krw")
REQUIRED = frozenset({"opened_at", *PRICES, "volume"})

# In order of preference. Upbit's `timestamp` is the last trade's moment, so whatever names the bar's opening wins.
# The index of a pandas frame has no name at all, or two underscores around one.
_NAMES: Mapping[str, Sequence[str]] = {
    "opened_at": (
        "opened_at", "candle_date_time_utc", "candle_date_time_kst", "open_time", "datetime", "date_time", "일시",
        "timestamp", "date", "날짜", "일자", "time", "시간", "index", "index_level_0", "",
    ),
    "open": ("open", "opening_price", "open_price", "시가"),
    "high": ("high", "high_price", "고가"),
    "low": ("low", "low_price", "저가"),
    "close": ("close", "trade_price", "close_price", "종가"),
    "volume": ("volume", "candle_acc_trade_volume", "volume_base", "vol", "거래량"),
    "turnover_krw": ("turnover_krw", "turnover", "candle_acc_trade_price", "quote_volume", "value", "거래대금"),
    "symbol": ("symbol", "market", "ticker", "code", "pair"),
}  # fmt: skip


def recognised(names: Sequence[str]) -> dict[str, int]:
    """Which of our columns stands at which place of theirs."""
    places = {_plain(name): place for place, name in reversed(list(enumerate(names)))}
    found = {ours: [places[name] for name in theirs if name in places] for ours, theirs in _NAMES.items()}
    return {ours: places[0] for ours, places in found.items() if places}


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")
