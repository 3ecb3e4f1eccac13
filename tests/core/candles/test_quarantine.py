from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from coinhts_core.candles.frame import BadBar
from coinhts_core.candles.quarantine import find_bad_bars, quarantine
from coinhts_core.candles.registry import register
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

BTC, DAY = Market("KRW-BTC"), date(2026, 1, 2)
DAYS = [DAY, DAY + timedelta(days=1)]
AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def registered(ledger):
    register(ledger, open_exchange("sample"), [BTC], DAY)
    return ledger


def bad(*rules):
    return [
        BadBar(
            rule,
            datetime(2026, 1, 2, 3, minute, tzinfo=UTC) if minute else None,
            {"open": 0.1, "low": 5e-324, "close": "nan", "high": 123456789012345680.0, "volume": None},
        )
        for minute, rule in enumerate(rules)
    ]


def keep(ledger, of_days, asked_at=AT, timeframe=Timeframe.M1, days=DAYS):
    with ledger.transaction() as connection, connection.cursor() as cursor:
        quarantine(cursor, BTC, timeframe, days, of_days, asked_at=asked_at)


def found(ledger, timeframe=Timeframe.M1):
    return find_bad_bars(ledger, BTC, timeframe, *DAYS)


def test_bars_come_back_as_they_went_in(registered):
    """In their order, a moment that is none as none, and what JSON lacks as text."""
    of_days = {DAYS[1]: bad("b"), DAY: bad("z", "a", "m")}
    keep(registered, of_days)
    assert found(registered) == of_days
    assert found(registered, Timeframe.D1) == {}


def test_a_later_answer_takes_the_place_of_an_earlier_one(registered):
    """Of the days that were answered, and of no others; asked a second time it changes nothing."""
    keep(registered, {day: bad("old", "older") for day in DAYS})
    for _ in range(2):
        keep(registered, {DAY: bad("new")}, AT + timedelta(hours=1), days=[DAY])
    assert found(registered) == {DAY: bad("new"), DAYS[1]: bad("old", "older")}
    keep(registered, {}, AT + timedelta(hours=2))
    assert found(registered) == {}


def test_an_earlier_answer_that_comes_late_changes_nothing(registered):
    """Of two processes that asked, the later one is right, whoever writes last."""
    keep(registered, {DAY: bad("late")})
    with registered.transaction() as connection:
        connection.execute(
            "INSERT INTO coverage (symbol, timeframe, day, answer, row_count, asked_at)"
            " VALUES (%s, '1m', %s, 'complete', 0, %s)",
            [str(BTC), DAY, AT],
        )
    keep(registered, {DAY: bad("early", "earlier")}, AT - timedelta(hours=1))
    assert found(registered) == {DAY: bad("late")}


def test_the_ledger_itself_takes_no_infinity(registered):
    """The last line of defence: what is no JSON cannot be kept."""
    with pytest.raises(psycopg.errors.DataError):
        keep(registered, {DAY: [BadBar("rule", None, {"close": float("inf")})]})
