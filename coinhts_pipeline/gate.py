"""The gate: no strategy that breaks a law stores a decision.

What lives here: `admit`, and the memory of who was let through, by code and knobs. What stays out: the laws
(`coinhts_core.laws`).
"""

from coinhts_core.errors import StrategyBreaksLawError
from coinhts_core.hashes import digest
from coinhts_core.laws import check
from coinhts_core.lineup import Entry
from coinhts_core.settings import Settings


def breach_of(settings: Settings, entry: Entry) -> StrategyBreaksLawError | None:
    """The first law the strategy breaks, with any of its knobs; each code and set of knobs is tried once a home."""
    passed = settings.home / "laws"
    for strategy in (entry.strategy, *(strategy for strategy, _ in entry.symbols.values())):
        mark = passed / digest(entry.signals_code, strategy.parameters())
        if mark.exists():
            continue
        try:
            check(strategy)
        except StrategyBreaksLawError as error:
            return error
        passed.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return None
