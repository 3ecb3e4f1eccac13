import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from coinhts_core.candles.registry import registered_symbols
from coinhts_core.errors import BadRequestError
from coinhts_core.ledger.queries import load_queries
from coinhts_core.requests.answer import answer
from coinhts_core.requests.desk import Verdict
from coinhts_core.requests.reception import Reception
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import read_settings

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ASKED = b'{"strategy": "sma_cross", "params": {"fast": 2, "slow": 5}, "end_date": "2026-01-03"}'
OWN = """
import numpy as np
from coinhts_core.strategies import Strategy


class Mine(Strategy):
    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        return np.full(len(bars), {value}, np.int8)
"""


@pytest.fixture
def reception(booked_desk, tmp_path):
    """Open the reception of a house with one coin and three days; it remembers as long as it is told to."""
    booked_desk.collect(booked_desk.days[:3])
    of = booked_desk.registered
    with booked_desk.ledger.transaction() as connection:
        row = {"symbol": of.symbol, "first_day": of.first_day, "anchor": of.anchor, "delisted_on": None}
        connection.execute(load_queries("symbols")["register_symbol"], row)

    def opened(remembers_s=0.0, watch=lambda: 0.0):
        settings = read_settings({"COINHTS_HOME": str(tmp_path)})
        return Reception(settings, booked_desk.ledger, booked_desk.lake, remembers_s, watch)

    return opened


def test_a_request_is_put_into_the_queue_once(reception):
    """From the bytes of its body, or from what a form says."""
    of = reception()
    standing = of.submit(ASKED, NOON)
    assert (standing.state, standing.created_at) == ("queued", NOON)
    assert (
        of.submit({"strategy": "sma_cross", "params": {"fast": 2, "slow": 5}, "end_date": "2026-01-03"}, NOON)
        == standing
    )
    assert of.recalled(standing.asked, NOON).identity == standing.id


def test_what_was_answered_is_found_unless_its_answer_was_thrown_away(reception, booked_desk):
    """Then it is asked anew."""
    of = reception()
    standing = of.submit(ASKED, NOON)
    (claim,) = of.desk.claim(1, "w", NOON)
    furnished = of.recalled(standing.asked, NOON)
    shelf = Shelf(booked_desk.ledger, booked_desk.lake)
    answer(furnished, booked_desk.lake, shelf, lambda *_: None, lambda: standing.id)
    of.desk.settle(claim, Verdict("completed"), NOON)
    assert of.submit(ASKED, NOON).state == "completed"
    with booked_desk.ledger.transaction() as connection:
        connection.execute("DELETE FROM results")
    assert of.submit(ASKED, NOON).state == "queued"


def test_days_that_are_not_over_are_none_to_ask_for(reception):
    """The house knows what day it is."""
    with pytest.raises(BadRequestError, match="2026-01-04"):
        reception().submit({"strategy": "sma_cross", "end_date": "2026-01-05"}, NOON)


def test_a_repair_is_seen_at_once_or_after_what_is_remembered(reception, booked_desk):
    """Who asks much is not told news by the second."""
    time = [0.0]
    fresh, slow = reception(), reception(1.0, lambda: time[0])
    before = slow.submit(ASKED, NOON).id
    booked_desk.collect([booked_desk.days[1]], cut=900)
    assert slow.submit(ASKED, NOON).id == before
    time[0] = 1.1
    assert slow.submit(ASKED, NOON).id == fresh.submit(ASKED, NOON).id != before


def test_a_changed_strategy_is_seen(reception, tmp_path):
    """Though its code was looked at before, in a process that lives for weeks."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    file = folder / "mine.py"
    of = reception()
    asked = {"strategy": "mine", "end_date": "2026-01-03"}
    ids = []
    for value in (0, 1):
        file.write_text(OWN.format(value=value))
        ids.append(of.submit(asked, NOON).id)
    assert ids[0] != ids[1]


def test_what_may_be_asked_about_is_told(reception, booked_desk):
    """Up to the last day that is over."""
    found = reception().choices(NOON)
    assert found.symbols == (booked_desk.registered.symbol,)
    assert str(found.days.last) == "2026-01-04"
    assert "sma_cross" in {of.name for of in found.strategies}


def test_many_who_ask_at_once_wait_for_one_who_reads(reception, monkeypatch):
    """What it remembers for a moment is read once."""
    of, read = reception(remembers_s=60.0), []

    def slowly(ledger):
        read.append(ledger)
        time.sleep(0.05)
        return registered_symbols(ledger)

    monkeypatch.setattr("coinhts_core.requests.reception.registered_symbols", slowly)
    with ThreadPoolExecutor(8) as pool:
        assert len({standing.id for standing in pool.map(lambda _: of.submit(ASKED, NOON), range(8))}) == 1
    assert len(read) == 1
