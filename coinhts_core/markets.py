"""Market codes and timeframes: the two words every room needs.

What lives here: `Market` (Upbit's own spelling, `KRW-BTC`) and `Timeframe`. What stays out: which markets
exist (`exchanges`), and prices' ticks (`rules`).
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Self

from coinhts_core.errors import BadMarketError, BadTimeframeError

_CODE = re.compile(r"[A-Z]{2,6}-[A-Z0-9]{1,16}", re.ASCII)
_QUOTES = ("KRW", "BTC", "USDT")


class Market(str):
    """A market's code: a plain string of one agreed shape, so that it can be a partition key and a path."""

    __slots__ = ()

    def __new__(cls, code: str) -> Self:
        if not _CODE.fullmatch(code):
            raise BadMarketError(text=code)
        return super().__new__(cls, code)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Understands KRW-BTC, krw-btc, BTC_KRW, BTC/KRW: behind `_` and `/` comes the quote, as KRW does."""
        code = re.sub(r"[_/]", "-", text.strip().upper(), count=1)
        base, _, quote = code.partition("-")
        if "-" not in text and quote in _QUOTES and base != "KRW":
            code = f"{quote}-{base}"
        if not _CODE.fullmatch(code):
            raise BadMarketError(text=text)
        return cls(code)


class Timeframe(StrEnum):
    """A bar's length. Days and weeks open at 00:00 UTC, as Upbit's do."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(text.strip().lower())
        except ValueError as error:
            raise BadTimeframeError(text=text, choices=", ".join(cls)) from error

    @property
    def minutes(self) -> int:
        return int(self[:-1]) * {"m": 1, "h": 60, "d": 1_440, "w": 10_080}[self[-1]]

    @property
    def length(self) -> timedelta:
        return timedelta(minutes=self.minutes)

    @property
    def is_of_days(self) -> bool:
        """Whether the exchange's own day bars make it."""
        return self.minutes >= Timeframe.D1.minutes
