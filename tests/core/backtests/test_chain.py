import json
from dataclasses import replace
from datetime import date
from hashlib import sha256

import pytest

from coinhts_core.backtests.chain import (
    BACKTESTS,
    NOT_LISTED,
    WAITING,
    Terms,
    first_link,
    next_link,
    positions_version,
    stored_days,
)
from coinhts_core.backtests.fold import DayFold, Fill, State
from coinhts_core.positions import Position

TERMS = Terms({"slow": 50, "fast": 10}, {"cash": 1e7, "fee_rate": None}, "code")
FACTS = {"before": "b", "candles": "c", "signals": "s", "terms": TERMS, "rules": {"fee_rate": "0.0005"}}
CHANGES = [
    *[{name: "another"} for name in ("before", "candles", "signals")],
    {"terms": replace(TERMS, parameters={"slow": 51, "fast": 10})},
    {"terms": replace(TERMS, account={"cash": 1e7, "fee_rate": 0.0005})},
    {"terms": replace(TERMS, code="another")},
    {"rules": {"fee_rate": "0.0004"}},
]


def hashed(text):
    return sha256(text.encode()).hexdigest()


def test_the_formulas_are_final():
    """Worked out here with nothing but JSON and SHA-256: another outcome makes every stored day another."""
    anchor = first_link("sma_cross", "KRW-BTC", date(2026, 1, 2))
    assert anchor == hashed('["chain 1","sma_cross","KRW-BTC","2026-01-02"]')
    spelled = '["b","c","s",{"fast":10,"slow":50},{"cash":10000000.0,"fee_rate":null},{"fee_rate":"0.0005"},"code"]'
    assert next_link(**FACTS) == hashed(spelled)
    assert positions_version(anchor) == hashed(json.dumps([anchor]))


def test_the_first_links_are_golden():
    """Digests written down once and for all."""
    assert first_link("sma_cross", "KRW-BTC", date(2026, 1, 1)) == (
        "4d0c60b6a0115e335def95b31911d5804d59a3cbb51461dda3f498bb905e55aa"
    )
    assert next_link(**FACTS) == "0877c2b25ae7b33f06387b48cb3d4583c1ade18b4edb4f3a1da6962acd861edd"


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_changes_the_link(change):
    """Yesterday, candles, decisions, knobs, account, rules, code: none is left out."""
    assert next_link(**{**FACTS, **change}) != next_link(**FACTS)


@pytest.mark.parametrize("other", [("sma_fast", "KRW-BTC"), ("sma_cross", "KRW-ETH")])
def test_chains_of_others_begin_elsewhere(other):
    """A strategy's chain of one symbol shares no link with any other."""
    day = date(2026, 1, 1)
    assert first_link(*other, day) != first_link("sma_cross", "KRW-BTC", day)
    assert first_link("sma_cross", "KRW-BTC", date(2026, 1, 2)) != first_link("sma_cross", "KRW-BTC", day)


@pytest.mark.parametrize("word", [WAITING, NOT_LISTED])
def test_a_day_without_a_link_has_no_other_version(word):
    """Positions of a waiting day wait, too."""
    assert positions_version(word) == word


def test_a_stored_day_gives_back_the_fold():
    """State, fills and positions survive the lake to the last bit."""
    position = Position(7, "2026-01-01T05:00:00+00:00", 0.1 + 0.2, 1 / 3, 1e-9)
    other = State(1 / 7, None, 1, 0.3, 7, 0.5)
    state = State(12345.678901234567, position, -1, 0.3, 7, 0.0, 3, 0.1, 2, other)
    fill = Fill("2026-01-02T00:00:00+00:00", "buy", 0.1, 2.0, 1e-4, 7, "entry")
    closed = position.closed("2026-01-02T01:00:00+00:00", 0.7, 0.1)
    fold = DayFold(state, 1.0, 2.0, 0.5, (fill,), (closed, position))
    (row,) = stored_days({date(2026, 1, 2): fold}).rows(named=True)
    assert State.from_facts(json.loads(row["state"])) == state
    assert [Fill(**facts) for facts in json.loads(row["fills"])] == [fill]
    assert [Position.from_facts(facts) for facts in json.loads(row["held"])] == [closed, position]
    assert (row["equity_open_krw"], row["equity_close_krw"], row["equity_worst_krw"]) == (1.0, 2.0, 0.5)
    assert (row["equity_optimistic_krw"], row["ambiguous"]) == (1 / 7, 2)
    assert (row["last_price_krw"], row["pending"]) == (0.3, -1)
    assert list(row) == BACKTESTS.names
