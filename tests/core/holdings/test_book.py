import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from threading import Barrier

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.errors import BadPositionError, PositionConflictError, UnknownPositionError
from coinhts_core.holdings.book import Author
from coinhts_core.ledger.books import BookDay, find_positions, replace_days
from coinhts_core.positions import Position
from coinhts_core.rules import rules_on
from tests.core.holdings.kept import BITCOIN, MINA, NOON

_OPENED_AGAIN = """
    UPDATE holdings SET version = version + 1, state = 'open',
    closed_at = NULL, exit_price_krw = NULL, exit_fee_rate = NULL, slippage_krw = NULL
"""
_WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
_DEEDS = ("amend", "annotate", "close", "cancel", "delete")
_WAYS = {"open": {"amend", "annotate", "close", "cancel"}, "closed": {"amend", "annotate", "delete"}}
_WAYS |= {"cancelled": {"annotate", "delete"}, "deleted": set()}
_ENDS = {"close": "closed", "cancel": "cancelled", "delete": "deleted"}


def test_a_position_is_opened_at_the_fee_of_its_day(kept):
    """Unless another is said; the moment is now unless one is said."""
    opened = kept.open()
    assert (opened.state, opened.version, opened.symbol) == ("open", 1, "KRW-BTC")
    assert opened.entry_fee_rate == rules_on(date(2026, 1, 2)).fee_rate == Decimal("0.0005")
    assert kept.open(entry_fee_rate="0.001").entry_fee_rate == Decimal("0.001")
    assert kept.open(opened_at=None).opened_at == NOON
    assert kept.book.find(opened.number) == opened


def test_it_is_closed_whole_and_deleted_afterwards(kept):
    """With the exit's fee, no slippage unless said; what is deleted is not found any more."""
    closed = kept.closed(slippage_krw="100", note="sold")
    assert (closed.state, closed.version, closed.note) == ("closed", 2, "sold")
    assert closed.realised_krw == 190_300
    assert kept.book.listed({}).holdings == [closed]
    assert kept.delete(closed).state == "deleted"
    assert kept.book.listed({}).holdings == []
    assert [of.number for of in kept.book.listed({"state": "deleted"}).holdings] == [closed.number]
    with pytest.raises(UnknownPositionError, match=f"there is no position {closed.number} "):
        kept.book.find(closed.number)
    assert kept.close(kept.open(), closed_at=None).slippage_krw == 0


def test_every_change_keeps_its_history(kept):
    """Who, when, what, and of each field what it was and what it is; also after the deletion."""
    opened = kept.open(note="first")
    jun = Author("jun", NOON + timedelta(minutes=1))
    amended = kept.book.amend(opened.number, {"version": "1", "entry_price_krw": "94000000.50"}, jun)
    again = kept.amend(amended, entry_price_krw="94000000.5")
    assert (again.version, again.entry_price_krw) == (2, Decimal("94000000.5"))
    kept.delete(kept.close(kept.amend(again, note="second")))
    events = kept.book.history(opened.number)
    assert [(of.version, of.what) for of in events] == [
        (1, "opened"),
        (2, "amended"),
        (3, "annotated"),
        (4, "closed"),
        (5, "deleted"),
    ]
    assert events[0].changed["entry_price_krw"] == [None, "95000000"]
    assert events[1].changed == {"entry_price_krw": ["95000000", "94000000.5"]}
    assert (events[1].changed_by, events[1].changed_at) == (jun.name, jun.moment)
    assert events[2].changed == {"note": ["first", "second"]}
    assert events[3].changed["closed_at"] == [None, "2026-01-03T00:00:00+00:00"]
    assert events[4].changed == {"state": ["closed", "deleted"]}
    with pytest.raises(UnknownPositionError):
        kept.book.history(opened.number + 1)


def test_history_is_never_rewritten(kept, ledger):
    """Whoever tries, the ledger refuses; so it does a version that is left out and a way that there is not."""
    number = kept.closed().number
    for statement in (
        "UPDATE holding_events SET changed_by = 'nobody'",
        "DELETE FROM holding_events",
        "DELETE FROM holdings",
        "UPDATE holdings SET note = 'x'",
        "UPDATE holdings SET version = version + 2",
        "UPDATE holdings SET version = version + 1, state = 'deleted', number = DEFAULT",
        _OPENED_AGAIN,
    ):
        with ledger.transaction() as connection, pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(statement.encode())
    assert [of.version for of in kept.book.history(number)] == [1, 2]


def test_the_ledger_holds_no_impossible_number(kept, ledger):
    """Whoever writes it."""
    kept.closed()
    columns = ("entry_price_krw", "volume_base", "entry_fee_rate", "exit_price_krw", "exit_fee_rate", "slippage_krw")
    for column, value in product(columns, ("NaN", "Infinity", "-Infinity", "-1")):
        change = f"UPDATE holdings SET version = version + 1, {column} = '{value}'"  # noqa: S608 - our own words
        with ledger.transaction() as connection, pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(change.encode())


def waiting(ledger):
    """How many wait for a lock, as it is now: within one transaction the answer would stay the first."""
    with ledger.transaction() as connection:
        return connection.execute(_WAITING).fetchone()[0]


def test_of_several_who_amend_at_once_all_but_one_are_told(kept, ledger):
    """Nobody's change is lost: what was looked at is not what is there any more."""
    opened = kept.open()

    def amend(place):
        try:
            return kept.amend(opened, note=f"by {place}")
        except PositionConflictError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        with ledger.transaction() as connection:
            connection.execute("SELECT 1 FROM holdings FOR UPDATE")
            begun = [pool.submit(amend, place) for place in range(4)]
            while waiting(ledger) < len(begun):
                assert not any(of.done() for of in begun)
                time.sleep(0.01)
        answers = [of.result() for of in begun]
    (first,) = (of for of in answers if not isinstance(of, str))
    told = f"position {opened.number} is at version 2 by now, not 1; look at it again before you change it"
    assert [of for of in answers if of is not first] == [told] * 3
    assert kept.book.find(opened.number) == first


def test_a_key_opens_one_position_however_often_it_is_sent(kept):
    """At once or later, also after it was amended; numbers are the same in any spelling."""
    together = Barrier(8)

    def open_one(_):
        together.wait(20)
        return kept.book.open(BITCOIN | {"key": "k-1"}, MINA)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(open_one, range(8)))
    assert sum(is_new for _, is_new in answers) == 1
    (holding,) = {of.number: of for of, _ in answers}.values()
    amended = kept.amend(holding, note="later")
    later = Author("jun", NOON + timedelta(hours=1))
    assert kept.book.open(BITCOIN | {"key": "k-1", "volume_base": "1e-1"}, later) == (amended, False)
    assert kept.book.listed({}).matching == 1


def test_a_key_stands_for_what_was_said_with_it(kept):
    """Other words under it are refused, and so is what was deleted since; it never opens a second one."""
    holding = kept.open(key="k-1")
    with pytest.raises(PositionConflictError, match=f"position {holding.number} was opened with the key k-1, and with"):
        kept.open(key="k-1", volume_base="0.2")
    kept.delete(kept.close(holding))
    with pytest.raises(PositionConflictError, match="was opened with the key k-1 and deleted since"):
        kept.open(key="k-1")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(_DEEDS), max_size=8))
def test_what_may_follow_what(kept, deeds):
    """Open, then closed or cancelled, then deleted; in between amended and annotated. Each change is an event."""
    steps = {
        "amend": lambda of: kept.amend(of, volume_base=f"0.{of.version + 1}"),
        "annotate": lambda of: kept.amend(of, note=f"note {of.version}"),
        "close": kept.close,
        "cancel": kept.cancel,
        "delete": kept.delete,
    }
    holding, done = kept.open(), ["opened"]
    for deed in deeds:
        if deed in _WAYS[holding.state]:
            after = steps[deed](holding)
            assert (after.version, after.state) == (holding.version + 1, _ENDS.get(deed, holding.state))
            holding = after
            done.append(deed)
        else:
            with pytest.raises((PositionConflictError, UnknownPositionError)):
                steps[deed](holding)
    events = kept.book.history(holding.number)
    assert [of.version for of in events] == list(range(1, len(done) + 1))
    assert [of.what[:5] for of in events] == [deed[:5] for deed in done]


def test_an_exit_is_amended_only_where_there_is_one(kept):
    """And whatever is amended is judged as a whole; nothing at all is refused."""
    opened = kept.open()
    with pytest.raises(BadPositionError, match="still open; close it first"):
        kept.amend(opened, exit_price_krw="1")
    with pytest.raises(BadPositionError, match="it names nothing to amend"):
        kept.amend(opened)
    closed = kept.close(opened)
    with pytest.raises(BadPositionError, match="closed_at is refused: it is before opened_at"):
        kept.amend(closed, opened_at="2026-01-04T00:00Z")
    assert kept.amend(closed, exit_price_krw="96000000").realised_krw == 90_450
    with pytest.raises(BadPositionError, match="version is refused: it is missing"):
        kept.book.amend(closed.number, {"note": "x"}, MINA)


def test_positions_are_listed_by_coin_and_state(kept):
    """The latest first, as many as asked for, and how many there are in all."""
    kept.cancel(kept.open(symbol="krw-eth"))
    second, first = kept.open(opened_at="2026-01-04T00:00Z"), kept.open()
    assert kept.book.listed({"symbol": "BTC/KRW"}).holdings == [second, first]
    assert [of.state for of in kept.book.listed({"state": "cancelled"}).holdings] == ["cancelled"]
    few = kept.book.listed({"limit": "1"})
    assert (few.holdings, few.matching) == ([second], 3)
    assert kept.book.listed({"symbol": "KRW-XRP"}).matching == 0
    with pytest.raises(BadPositionError, match="there is no such field here; it takes symbol, state, limit, offset"):
        kept.book.listed({"book": "live"})


def test_those_that_are_open_may_come_first_and_a_page_at_a_time(kept):
    """Each part the latest first; a page counts all, and one beyond the last has none to count."""
    closed = kept.close(kept.open(opened_at="2026-01-02T12:00Z"))
    older, newer = kept.open(opened_at="2026-01-01T00:00Z"), kept.open(opened_at="2026-01-02T06:00Z")
    assert kept.book.listed({}).holdings == [closed, newer, older]
    assert kept.book.listed({}, is_open_first=True).holdings == [newer, older, closed]
    page = kept.book.listed({"limit": "1", "offset": "2"}, is_open_first=True)
    assert (page.holdings, page.matching) == ([closed], 3)
    assert kept.book.listed({"offset": "3"}).holdings == []


def test_no_other_book_is_touched(kept, ledger):
    """What strategies and orders hold is as it was, whatever is done by hand."""
    theirs = Position(1, "2026-01-02T00:00:00+00:00", 1.0, 2.0, 0.0)
    for book in ("paper", "live", "backtest:sma_cross"):
        replace_days(ledger, book, "KRW-BTC", {date(2026, 1, 2): BookDay("link", 1.0, (theirs,))})

    def others():
        wanted = (["KRW-BTC"], date(2026, 1, 1), date(2026, 1, 9))
        books = ("paper", "live", "backtest:sma_cross", "manual")
        return {book: find_positions(ledger, book, *wanted) for book in books}

    before = others()
    kept.delete(kept.closed())
    kept.delete(kept.cancel(kept.open()))
    with suppress(UnknownPositionError):
        kept.delete(replace(kept.open(), number=10**9))
    assert others() == before
    assert not before["manual"]
