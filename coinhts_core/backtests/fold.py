"""The fold: a state, the next day's bars and their decisions in; the next state, fills and equity out.

What lives here: `State`, `fold_day`, and the two bounds. What stays out: the arithmetic of fills (`engine`), where bars
and decisions come from, and identities (`chain`).

A bar that reaches both stop and target is in doubt where no minutes tell which came first. From the first such bar on
there are two accounts: the pessimistic one, which is the result, and the optimistic one beside it.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from coinhts_core.backtests.account import Costs, Limits
from coinhts_core.backtests.engine import ENTRY, REASONS, Day, Floats, Marks, prices_of, run_course
from coinhts_core.backtests.worth import worst
from coinhts_core.positions import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """All that a day hands to the next one."""

    cash_krw: float
    position: Position | None = None
    pending: int = 0
    last_price_krw: float = 0.0
    entries: int = 0
    fraction: float = 0.0
    held_bars: int = 0
    peak_krw: float = 0.0
    ambiguous: int = 0
    optimistic: "State | None" = None

    @property
    def equity_krw(self) -> float:
        return self.cash_krw + (self.position.volume_base * self.last_price_krw if self.position else 0.0)

    @property
    def marks(self) -> Marks:
        volume, price = (self.position.volume_base, self.position.entry_price_krw) if self.position else (0.0, 0.0)
        return Marks(
            self.cash_krw,
            volume,
            price,
            self.peak_krw,
            self.held_bars,
            self.pending,
            self.fraction,
            self.last_price_krw,
        )

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        held, other = facts["position"], facts["optimistic"]
        return cls(
            **{
                **facts,
                "position": Position.from_facts(held) if held else None,
                "optimistic": cls.from_facts(other) if other else None,
            }
        )


class Fill(NamedTuple):
    """One side of a trade."""

    filled_at: str
    side: str
    price_krw: float
    volume_base: float
    fee_krw: float
    position: int
    reason: str


@dataclass(frozen=True)
class DayFold:
    """What one day did to an account."""

    state: State
    equity_open_krw: float
    equity_close_krw: float
    equity_worst_krw: float
    fills: tuple[Fill, ...]
    held: tuple[Position, ...]

    @property
    def equity_optimistic_krw(self) -> float:
        return (self.state.optimistic or self.state).equity_krw


def fold_day(state: State, day: Day, costs: Costs, limits: Limits) -> DayFold:
    """One day's bars over the state the day before left; no bars leave it as it was."""
    fold = _folded(replace(state, optimistic=None), day, costs, limits)
    other = state.optimistic
    if other is None and fold.state.ambiguous > state.ambiguous:
        other = state
    if other is None:
        return fold
    better = _folded(other, day, costs, limits, is_optimistic=True)
    return replace(fold, state=replace(fold.state, optimistic=better.state))


def _folded(state: State, day: Day, costs: Costs, limits: Limits, *, is_optimistic: bool = False) -> DayFold:
    course = run_course(state.marks, day, costs, limits, is_optimistic=is_optimistic)
    marks = course.marks
    fills, held, position, entries = _booked(state, day, course.fills)
    after = State(
        marks.cash, position, marks.order, marks.last_price, entries,
        marks.fraction, marks.held, marks.peak, state.ambiguous + course.ambiguous,
    )  # fmt: skip
    lowest = min(worst(state.marks, course.fills, prices_of(day.bars)), state.equity_krw)
    return DayFold(after, state.equity_krw, after.equity_krw, lowest, fills, held)


def _booked(
    state: State, day: Day, rows: Floats
) -> tuple[tuple[Fill, ...], tuple[Position, ...], Position | None, int]:
    """The engine's rows as fills, and the positions they open and close."""
    fills: list[Fill] = []
    closed: list[Position] = []
    position, entries = state.position, state.entries
    for bar, minute, reason, price, volume, fee in rows.tolist():
        at = _moment(day, int(bar), int(minute))
        if reason == ENTRY:
            entries += 1
            position = Position(entries, at, price, volume, fee)
        elif position:
            closed.append(position.closed(at, price, fee))
            position = None
        side = "buy" if reason == ENTRY else "sell"
        fills.append(Fill(at, side, price, volume, fee, entries, REASONS[int(reason)]))
    return tuple(fills), (*closed, *([position] if position else [])), position, entries


def _moment(day: Day, bar: int, minute: int) -> str:
    """When the bar opened in which it happened, or the minute, where that is known."""
    opened_at = day.minutes.bars.opened_at[minute] if day.minutes and minute >= 0 else day.bars.opened_at[bar]
    return (_EPOCH + timedelta(microseconds=int(opened_at))).isoformat()
