import pytest

from coinhts_core.errors import RefusedError, UnknownResultError
from coinhts_core.requests.answer import answer, figures_of
from coinhts_core.requests.furnish import furnish
from coinhts_core.requests.request import read_request
from coinhts_core.results.shelf import Shelf

ASKED = {"strategy": "sma_cross", "end_date": "2026-01-06"}
KINDS = {
    "backtest": {"params": {"fast": 2, "slow": 5}},
    "sweep": {"kind": "sweep", "grid": {"fast": [2, 3], "slow": [5, 6, 7]}},
    "walkforward": {"kind": "walkforward", "grid": {"fast": [2, 3], "slow": [5, 6]}, "folds": 1},
}


@pytest.fixture
def shelf(booked_desk):
    return Shelf(booked_desk.ledger, booked_desk.lake)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_kept_under_the_identity_of_its_question(known, booked_desk, shelf, kind):
    """And its progress is told, from the beginning on."""
    told = []
    of = furnish(read_request(ASKED | KINDS[kind]), known)
    result = answer(of, booked_desk.lake, shelf, lambda *said: told.append(said), lambda: of.identity)
    assert shelf.find(of.identity).kind == kind
    assert shelf.document(of.identity)
    assert figures_of(result)
    assert [progress for progress, _ in told] == sorted(progress for progress, _ in told)
    assert told[0] == (0.05, "reads KRW-BTC")
    assert told[-1] == (0.9, "keeps the result")


def test_a_search_goes_as_it_was_asked_for(known, booked_desk, shelf):
    """So many combinations of a sweep by chance; a walk-forward's windows, and what it chooses by."""

    def told(kind, **facts):
        of = furnish(read_request(ASKED | KINDS[kind] | facts), known)
        return answer(of, booked_desk.lake, shelf, lambda *_: None, lambda: of.identity)

    some, others = (told("sweep", samples=3, seed=seed).rows for seed in (1, 2))
    assert (some.height, others.height) == (3, 3)
    assert not some.equals(others)
    walked = told("walkforward", folds=2, ratio=1.5, anchored=True, by="total_return").told
    assert (walked["windows"], walked["anchored"], walked["chosen_by"]) == (2, True, "total_return")


@pytest.mark.parametrize(("kind", "tried"), [("backtest", 1), ("sweep", 6), ("walkforward", 4)])
def test_what_was_tried_for_an_answer_is_counted(known, booked_desk, shelf, kind, tried):
    """Every combination and coin once, however often it is answered."""
    of = furnish(read_request(ASKED | KINDS[kind]), known)
    for _ in range(2):
        answer(of, booked_desk.lake, shelf, lambda *_: None, lambda: of.identity)
    together = 1 if kind == "backtest" else len(of.symbols)
    assert shelf.counted("sma_cross").trials == tried * together


def test_an_answer_over_candles_that_changed_meanwhile_is_kept_under_no_name(known, booked_desk, shelf):
    """It belongs to neither question."""
    of = furnish(read_request(ASKED | KINDS["backtest"]), known)
    with pytest.raises(RefusedError, match="ask again"):
        answer(of, booked_desk.lake, shelf, lambda *_: None, lambda: "0" * 64)
    with pytest.raises(UnknownResultError):
        shelf.find(of.identity)
