"""Positions for tests: some that never saw a book, and short words for what is done in one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coinhts_core.holdings.book import Author, Book
from coinhts_core.holdings.holding import Holding
from coinhts_core.markets import Market

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINA = Author("mina", NOON)
BITCOIN = {"symbol": "KRW-BTC", "entry_price_krw": "95000000", "volume_base": "0.1", "opened_at": "2026-01-02T00:00Z"}
SOLD = {"exit_price_krw": "97000000", "closed_at": "2026-01-03T00:00Z"}


def held(**facts):
    """Give a position, a tenth of a bitcoin when nothing else is said; whoever names an exit's price has closed it."""
    amounts = {name: Decimal(str(value)) for name, value in facts.items() if name.endswith(("_krw", "_base", "_rate"))}
    known = {
        "number": 1,
        "key": None,
        "state": "open",
        "version": 1,
        "symbol": Market("KRW-BTC"),
        "opened_at": NOON - timedelta(days=3),
        "entry_price_krw": Decimal(95_000_000),
        "volume_base": Decimal("0.1"),
        "entry_fee_rate": Decimal("0.0005"),
        "recorded_at": NOON,
        "changed_at": NOON,
    }
    exit_of = {
        "state": "closed",
        "closed_at": NOON - timedelta(days=2),
        "exit_fee_rate": Decimal("0.0005"),
        "slippage_krw": Decimal(0),
    }
    return Holding(**(known | (exit_of if "exit_price_krw" in facts else {}) | facts | amounts))


@dataclass
class Kept:
    """A book, and short words for what is done in it."""

    book: Book
    by: Author = field(default_factory=lambda: MINA)

    def open(self, **said):
        return self.book.open(BITCOIN | said, self.by)[0]

    def closed(self, **said):
        return self.close(self.open(), **said)

    def close(self, holding, **said):
        return self.book.close(holding.number, self.at(holding) | SOLD | said, self.by)

    def amend(self, holding, **said):
        return self.book.amend(holding.number, self.at(holding) | said, self.by)

    def cancel(self, holding):
        return self.book.cancel(holding.number, self.at(holding), self.by)

    def delete(self, holding):
        return self.book.delete(holding.number, self.at(holding), self.by)

    @staticmethod
    def at(holding):
        return {"version": str(holding.version)}
