from datetime import date

import pytest

from coinhts_core.errors import DiscoveryError
from coinhts_core.requests.choices import choices_of
from coinhts_core.strategies import strategy_names


def test_there_is_what_may_be_asked_about(with_lineup, known, booked_desk):
    """Strategies that run and that rest, with their sentence and knobs; coins that are followed; days that are over."""
    found = choices_of(with_lineup)
    by_name = {of.name: of for of in found.strategies}
    assert list(by_name) == sorted([*strategy_names(), "quick"])
    assert (by_name["quick"].knobs, by_name["sma_cross"].knobs) == (
        {"fast": "4", "slow": "9"},
        {"fast": "10", "slow": "50"},
    )
    assert by_name["sma_cross"].meanings["fast"] == "bars in the fast average"
    assert by_name["sma_cross"].sentence.startswith("Enter when the fast average")
    assert by_name["sma_cross"].timeframe == "1h"
    assert (found.symbols, found.days) == ((booked_desk.registered.symbol,), known.days)
    assert found.days.first == date(2026, 1, 1)


def test_a_strategy_that_cannot_be_loaded_is_named(known):
    """As everywhere: nobody wonders where it is."""
    known.strategies.mkdir()
    (known.strategies / "broken.py").write_text("x = 1")
    with pytest.raises(DiscoveryError, match="broken"):
        choices_of(known)
