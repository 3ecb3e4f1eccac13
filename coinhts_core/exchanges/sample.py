"""The sample market: seeded, lifelike, and needing no network.

What lives here: a made-up past and future of a dozen coins. What to add: a coin, as a row of the table. What
stays out: chance that is not a function of the symbol and the minute.

The same values come out everywhere, to the last bit, because nothing here depends on a library's generator or
on a processor's exp or log: a counter is hashed with whole numbers, and floats only meet + - * / and sqrt,
which IEEE 754 fixes, in an order that is fixed, too. A coin's days are one path from the day the market
opened; inside a day the minutes are a bridge from where the day before ended to where the day ends, so that
any day can be had alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from itertools import groupby
from math import sqrt
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.resample import resample
from coinhts_core.errors import UnknownMarketError
from coinhts_core.exchanges import Exchange, MarketListing
from coinhts_core.markets import Market, Timeframe
from coinhts_core.rules import Rules, rules_on
from coinhts_core.wording import nearest

Floats = NDArray[np.float64]
Bits = NDArray[np.uint64]

_OPENING = date(2025, 1, 1)
_DAY_MINUTES = 1_440
_BLOCK_DAYS = 16  # so many days at a time stay in the processor's cache


@dataclass(frozen=True)
class _Coin:
    """A coin's character; the quiet fields are about the shares of minutes, hours, days without a trade."""

    symbol: Market
    korean_name: str
    english_name: str
    price_krw: float
    volatility: float
    follows_market: float
    turnover_krw: float
    quiet_minutes: float
    quiet_hours: float = 0.0
    quiet_days: float = 0.0
    first_day: date = _OPENING
    last_day: date | None = None
    is_warned: bool = False


_COINS = {
    coin.symbol: coin
    for coin in (
        _Coin(Market("KRW-BTC"), "비트코인", "Bitcoin", 150e6, 0.022, 0.90, 250e9, 0.008),
        _Coin(Market("KRW-ETH"), "이더리움", "Ethereum", 5e6, 0.031, 0.85, 180e9, 0.016),
        _Coin(Market("KRW-XRP"), "리플", "XRP", 3_000.0, 0.036, 0.75, 300e9, 0.008),
        _Coin(Market("KRW-SOL"), "솔라나", "Solana", 250e3, 0.037, 0.80, 90e9, 0.04),
        _Coin(Market("KRW-DOGE"), "도지코인", "Dogecoin", 300.0, 0.042, 0.75, 120e9, 0.03),
        _Coin(Market("KRW-ADA"), "에이다", "Cardano", 1_000.0, 0.040, 0.75, 40e9, 0.08),
        _Coin(Market("KRW-XLM"), "스텔라루멘", "Stellar Lumens", 450.0, 0.040, 0.70, 25e9, 0.12),
        _Coin(Market("KRW-BCH"), "비트코인캐시", "Bitcoin Cash", 700e3, 0.036, 0.75, 8e9, 0.24, 0.004),
        _Coin(Market("KRW-NEAR"), "니어프로토콜", "NEAR Protocol", 4_000.0, 0.046, 0.75, 6e9, 0.26, 0.005),
        _Coin(
            Market("KRW-SC"), "시아코인", "Siacoin", 4.2, 0.047, 0.65, 2e9, 0.28, 0.008,
            first_day=date(2025, 3, 10),
        ),
        _Coin(
            Market("KRW-PEPE"), "페페", "Pepe", 0.0125, 0.055, 0.70, 30e9, 0.10,
            first_day=date(2025, 6, 2),
        ),
        _Coin(
            Market("KRW-BTT"), "비트토렌트", "BitTorrent", 0.0007, 0.045, 0.60, 1e9, 0.32, 0.01,
            first_day=date(2026, 1, 15),
        ),
        _Coin(
            Market("KRW-STMX"), "스톰엑스", "StormX", 6.5, 0.060, 0.40, 200e6, 0.55, 0.06, 0.06,
            first_day=date(2025, 2, 3), last_day=date(2026, 3, 20), is_warned=True,
        ),
    )
}  # fmt: skip

# How lively each UTC hour is: the day change at 09:00 KST, Seoul's evening, the hours before its dawn.
_LIVELINESS = np.repeat(
    [
        [1.7, 1.4, 1.1, 0.9, 0.85, 0.9, 0.9, 0.95, 1.0, 1.0, 1.05, 1.1],
        [1.2, 1.3, 1.4, 1.35, 1.15, 0.95, 0.75, 0.6, 0.55, 0.6, 0.7, 0.85],
    ],
    60,
)
_WEEKEND_CALM = 0.62
_PASSED = np.arange(1, _DAY_MINUTES + 1) / _DAY_MINUTES


class SampleExchange(Exchange):
    """A venue that makes up its history, for ever; having no today, it lists its delisted coins, too."""

    needs_network: ClassVar[bool] = False

    def markets(self) -> list[MarketListing]:
        listed = sorted(_COINS.values(), key=lambda coin: coin.symbol)
        return [MarketListing(coin.symbol, coin.korean_name, coin.english_name, coin.is_warned) for coin in listed]

    def first_day(self, symbol: Market) -> date:
        return self._coin(symbol).first_day

    def last_day(self, symbol: Market) -> date | None:
        return self._coin(symbol).last_day

    def minutes(self, symbol: Market, day: date) -> pl.DataFrame:
        return pl.concat([CANDLES.empty(), *self._minutes(symbol, day, day)])

    def days(self, symbol: Market, first: date, last: date) -> pl.DataFrame:
        minutes = self._minutes(symbol, first, last)
        return pl.concat([CANDLES.empty(), *(resample(block, Timeframe.M1, Timeframe.D1) for block in minutes)])

    def _minutes(self, symbol: Market, first: date, last: date) -> Iterator[pl.DataFrame]:
        coin = self._coin(symbol)
        since, until = max(first, coin.first_day), min(last, coin.last_day or last)
        return (_bars(coin, block, rules) for block, rules in _blocks(since, until))

    def _coin(self, symbol: Market) -> _Coin:
        if symbol not in _COINS:
            raise UnknownMarketError(symbol=symbol, venue=self.name, hint=nearest(symbol, _COINS))
        return _COINS[symbol]


def _blocks(first: date, last: date) -> Iterator[tuple[list[date], Rules]]:
    """Days in portions that share one rule book."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    for rules, alike in groupby(days, key=rules_on):
        group = list(alike)
        for start in range(0, len(group), _BLOCK_DAYS):
            yield group[start : start + _BLOCK_DAYS], rules


def _bars(coin: _Coin, days: list[date], rules: Rules) -> pl.DataFrame:
    """Minute bars of some days: one row of the arrays is a day, one column a minute."""
    day_numbers = np.array([_number(day) for day in days])[:, None]
    minutes = day_numbers * _DAY_MINUTES + np.arange(_DAY_MINUTES)
    activity = _activity(coin, minutes)
    shocks = _shocks(coin, "minute", minutes)
    dice = _bits(coin.symbol, "trading", minutes)
    traded = _uniforms(dice, 0) * activity > coin.quiet_minutes
    traded &= _hours_and_days_with_trade(coin, minutes)

    path, at = _path(coin, days[-1].year), day_numbers - _number(_OPENING)
    steps = activity * shocks * (coin.volatility * path.wildness[at] / sqrt(_DAY_MINUTES))
    before, after = _bridge(path.prices[at], path.prices[at + 1], steps)
    wick = 0.5 * np.abs(steps)
    high = np.maximum(before, after) * (1.0 + wick * _uniforms(dice, 1))
    low = np.minimum(before, after) * (1.0 - wick * _uniforms(dice, 2))
    opens, high, low, closes = _on_tick(np.stack([before, high, low, after])[:, traded], rules)

    mood = path.wildness[at] * _heavy(_uniforms(_bits(coin.symbol, "day's turnover", at)))
    eagerness = activity * (0.4 + 0.6 * shocks * shocks) * _heavy(_uniforms(dice, 3))
    spent = np.maximum((coin.turnover_krw / _DAY_MINUTES * mood * eagerness)[traded], 5_000.0)
    price = (opens + high + low + closes) / 4.0
    volume = np.rint(spent / price * 1e8) / 1e8
    return pl.DataFrame(
        {
            "opened_at": pl.Series(minutes[traded] * 60_000_000).cast(pl.Datetime("us", "UTC")),
            "open": opens,
            "high": high,
            "low": low,
            "close": closes,
            "volume": volume,
            "turnover_krw": np.rint(volume * price * 1e4) / 1e4,
        }
    )


def _activity(coin: _Coin, minutes: NDArray[np.int64]) -> Floats:
    """Busy and calm spells of two hours and of a quarter, over the day's usual course."""
    spells = _heavy(_uniforms(_bits(coin.symbol, "spell", minutes[:, ::120] // 120)))
    quarters = _heavy(_uniforms(_bits(coin.symbol, "quarter", minutes[:, ::15] // 15)))
    together = np.sqrt(np.sqrt(np.repeat(spells, 8, axis=1) * quarters))
    activity: Floats = np.repeat(together * 1.15, 15, axis=1) * _LIVELINESS
    return activity


def _hours_and_days_with_trade(coin: _Coin, minutes: NDArray[np.int64]) -> NDArray[np.bool_]:
    hours = _uniforms(_bits(coin.symbol, "quiet hour", minutes[:, ::60] // 60)) >= coin.quiet_hours
    days = _uniforms(_bits(coin.symbol, "quiet day", minutes[:, :1] // _DAY_MINUTES)) >= coin.quiet_days
    return np.repeat(hours, 60, axis=1) & days


def _bridge(start: Floats, end: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Prices before and after each minute: a walk that is bent to end where the day ends."""
    walk = np.cumsum(steps, axis=1)
    walk -= walk[:, -1:] * _PASSED
    after = (start + (end - start) * _PASSED) * np.maximum(1.0 + walk, 0.5)
    return np.concatenate([start, after[:, :-1]], axis=1), after


def _on_tick(prices: Floats, rules: Rules) -> Floats:
    """Nearest prices on the grid, never zero; made of whole numbers, each is its decimal's own double."""
    rounded = np.empty_like(prices)
    ceiling = np.inf
    for bound, tick in zip(rules.tick_bounds, rules.tick_sizes, strict=True):
        if prices.size and prices.min() < ceiling and prices.max() >= bound:
            whole, parts = (tick, 1.0) if tick >= 1.0 else (1.0, float(np.rint(1.0 / tick)))
            steps = np.maximum(np.rint(prices * parts / whole), 1.0)
            rounded = np.where((prices >= bound) & (prices < ceiling), steps * whole / parts, rounded)
        ceiling = bound
    return rounded


@dataclass(frozen=True)
class _Path:
    """A coin's days since the opening: the price each starts at, the last's end, and how wild each is."""

    prices: Floats
    wildness: Floats


@lru_cache(maxsize=64)
def _path(coin: _Coin, year: int) -> _Path:
    """Day by day to the year's end: clustering shocks, calm weekends, a slow trend, a pull back home."""
    days = np.arange(_number(_OPENING), _number(date(year, 12, 31)) + 1)
    market = _normals(_bits("market", "day", days)).tolist()
    shocks = _shocks(coin, "day", days).tolist()
    turns = _normals(_bits(coin.symbol, "trend", days)).tolist()
    variance, trend, price = 1.0, 0.0, coin.price_krw
    prices, wildness = [price], []
    for day, market_shock, shock, turn in zip(days.tolist(), market, shocks, turns, strict=True):
        wild = sqrt(variance) * (_WEEKEND_CALM if _is_weekend(day) else 1.0)
        trend = 0.95 * trend + 0.06 * coin.volatility * turn
        pull = 0.006 * (coin.price_krw / price - 1.0)
        change = coin.volatility * wild * shock + trend + pull
        price *= 1.0 + min(max(change, -0.25), 0.3)
        prices.append(price)
        wildness.append(wild)
        variance = 0.05 + 0.20 * variance * market_shock * market_shock + 0.75 * variance
    return _Path(np.array(prices), np.array(wildness))


def _shocks(coin: _Coin, what: str, counters: NDArray[np.int64]) -> Floats:
    """Blend the whole market's shock and the coin's own, in the coin's mixture; of variance 1."""
    market, own = (_normals(_bits(who, what, counters)) for who in ("market", coin.symbol))
    return coin.follows_market * market + sqrt(1.0 - coin.follows_market * coin.follows_market) * own


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _is_weekend(day_number: int) -> bool:
    """Day 2 was a Saturday."""
    return (day_number - 2) % 7 < 2  # noqa: PLR2004 # two days are a weekend


@cache
def _seed(who: str, what: str) -> int:
    return int.from_bytes(sha256(f"coinhts sample 1/{who}/{what}".encode()).digest()[:8], "little")


def _bits(who: str, what: str, counters: NDArray[np.int64]) -> Bits:
    """64 bits a counter, by the finaliser of splitmix64."""
    mixed = counters.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(_seed(who, what))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _uniforms(bits: Bits, lane: int = 0) -> Floats:
    """Between 0 and 1, never either, from one of the four 16-bit lanes."""
    lot = (bits >> np.uint64(16 * lane)) & np.uint64(0xFFFF)
    return lot.astype(np.float64) / 65_536.0 + 1.0 / 131_072.0


def _normals(bits: Bits) -> Floats:
    """Sum of the four lanes: bell-shaped, of mean 0 and variance 1, and exact until the last product."""
    pairs = (bits & np.uint64(0x0000FFFF0000FFFF)) + ((bits >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF))
    total = (pairs + (pairs >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    normals: Floats = (total.astype(np.float64) - 131_070.0) * (sqrt(3.0) / 65_536.0)
    return normals


def _heavy(uniforms: Floats) -> Floats:
    """Mostly small, now and then a hundred times the mean of 1."""
    heavy: Floats = 0.3 + 0.35 / np.sqrt(uniforms)
    return heavy
