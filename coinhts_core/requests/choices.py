"""What a request may be about, for whoever has to choose: strategies and their knobs, coins, days.

What lives here: `Choices`, read off what the house knows. What stays out: judging a choice (`furnish`), and drawing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from coinhts_core.days import DayRange
from coinhts_core.requests.furnish import Known
from coinhts_core.strategies import Strategy, load, strategy_names

_ELSEWHERE = {"timeframe"}  # asked for beside the knobs


@dataclass(frozen=True)
class Choice:
    """A strategy, or a set of knobs of the lineup: what it does in a sentence, its timeframe, its knobs as they are."""

    name: str
    sentence: str
    timeframe: str
    knobs: Mapping[str, str]
    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Choices:
    """Those there are: strategies by name, coins that are followed, and days that are over."""

    strategies: tuple[Choice, ...]
    symbols: tuple[str, ...]
    days: DayRange


def choices_of(known: Known) -> Choices:
    """A strategy that rests may be asked about, too."""
    found = {name: load(name, known.strategies) for name in strategy_names(known.strategies)}
    running = {name: entry.strategy for name, entry in known.lineup.items()}
    strategies = tuple(_choice(name, of) for name, of in sorted({**found, **running}.items()))
    return Choices(strategies, tuple(of.symbol for of in known.symbols.values() if of.is_active), known.days)


def _choice(name: str, of: Strategy) -> Choice:
    fields = {knob: field for knob, field in type(of).model_fields.items() if knob not in _ELSEWHERE}
    told = of.model_dump(mode="json")
    return Choice(
        name,
        (type(of).__doc__ or "").strip().partition("\n")[0],
        str(of.timeframe),
        {knob: str(told[knob]) for knob in fields},
        {knob: field.description or "" for knob, field in fields.items()},
    )
