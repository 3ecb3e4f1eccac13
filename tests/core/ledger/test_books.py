from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from coinhts_core.errors import RefusedRowError
from coinhts_core.ledger.books import BookDay, chain_ids, find_positions, replace_days
from coinhts_core.markets import Market
from coinhts_core.positions import Position

BOOK, BTC, ETH = "backtest:sma_cross", Market("KRW-BTC"), Market("KRW-ETH")
DAYS = [date(2026, 1, 1) + timedelta(days=place) for place in range(3)]
OPEN = Position(2, "2026-01-01T05:00:00+00:00", 0.1 + 0.2, 1 / 3, 1e-9)
CLOSED = replace(OPEN, number=1).closed("2026-01-01T06:00:00+00:00", 0.7, 0.25)


def found(ledger, book=BOOK, symbols=(BTC,)):
    return find_positions(ledger, book, symbols, DAYS[0], DAYS[-1])


def test_positions_are_kept_digit_by_digit(ledger):
    """A double's shortest decimal is what the ledger holds, and times are times."""
    assert replace_days(ledger, BOOK, BTC, {DAYS[0]: BookDay("link", 0.4, (CLOSED, OPEN))}) == 2
    closed, still = found(ledger)
    assert still == {
        "symbol": "KRW-BTC",
        "day": DAYS[0],
        "position": 2,
        "opened_at": datetime(2026, 1, 1, 5, tzinfo=UTC),
        "entry_price_krw": Decimal("0.30000000000000004"),
        "volume_base": Decimal("0.3333333333333333"),
        "entry_fee_krw": Decimal("1E-9"),
        "closed_at": None,
        "exit_price_krw": None,
        "exit_fee_krw": None,
        "mark_price_krw": Decimal("0.4"),
        "profit_krw": Decimal(repr(OPEN.profit_krw(0.4))),
        "chain_id": "link",
    }
    assert (closed["position"], closed["exit_price_krw"], closed["exit_fee_krw"]) == (
        1,
        Decimal("0.7"),
        Decimal("0.25"),
    )
    assert closed["profit_krw"] == Decimal(repr(CLOSED.profit_krw(99.0)))


def test_days_are_replaced_whole(ledger):
    """Written again, nothing of before is left; other days, symbols and books stay."""
    day = BookDay("one", 1.0, (OPEN,))
    for book, symbol in ((BOOK, BTC), (BOOK, ETH), ("paper", BTC)):
        replace_days(ledger, book, symbol, {DAYS[0]: day, DAYS[1]: day})
    replace_days(ledger, BOOK, BTC, {DAYS[0]: BookDay("two", 1.0, ())})
    assert [(row["symbol"], row["day"]) for row in found(ledger, symbols=(BTC, ETH))] == [
        (BTC, DAYS[1]),
        (ETH, DAYS[0]),
        (ETH, DAYS[1]),
    ]
    assert chain_ids(ledger, BOOK, BTC, DAYS[0], DAYS[-1]) == {DAYS[0]: "two", DAYS[1]: "one"}
    assert len(found(ledger, "paper")) == 2


def test_a_day_without_a_position_is_remembered(ledger):
    """Worked out and empty is not the same as never worked out."""
    replace_days(ledger, BOOK, BTC, {DAYS[1]: BookDay("link", 1.0, ())})
    assert chain_ids(ledger, BOOK, BTC, DAYS[0], DAYS[-1]) == {DAYS[1]: "link"}
    assert chain_ids(ledger, BOOK, BTC, DAYS[2], DAYS[-1]) == {}
    assert found(ledger) == []


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("fact", ["entry_price_krw", "volume_base", "entry_fee_krw", "mark"])
def test_what_is_no_number_is_refused_and_nothing_changes(ledger, fact, number):
    """All of the days, or none of them."""
    good = BookDay("good", 1.0, (OPEN,))
    replace_days(ledger, BOOK, BTC, {DAYS[0]: good})
    bad = (
        replace(good, mark_price_krw=number)
        if fact == "mark"
        else replace(good, held=(replace(OPEN, **{fact: number}),))
    )
    before = found(ledger), chain_ids(ledger, BOOK, BTC, DAYS[0], DAYS[-1])
    with pytest.raises(RefusedRowError, match="is_finite"):
        replace_days(ledger, BOOK, BTC, {DAYS[0]: BookDay("new", 2.0, ()), DAYS[1]: bad})
    assert (found(ledger), chain_ids(ledger, BOOK, BTC, DAYS[0], DAYS[-1])) == before


def test_two_writers_of_a_book_take_turns(ledger):
    """The same days at the same moment: one after the other, never a mixture."""

    def write(link):
        held = tuple(replace(OPEN, number=number) for number in range(1, 6))
        replace_days(ledger, BOOK, BTC, {day: BookDay(link, 1.0, held) for day in DAYS})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, map(str, range(12))))
    links = chain_ids(ledger, BOOK, BTC, DAYS[0], DAYS[-1])
    assert len(links) == 3
    assert {row["chain_id"] for row in found(ledger)} == set(links.values())
    assert len(set(links.values())) == 1
    assert len(found(ledger)) == 15
