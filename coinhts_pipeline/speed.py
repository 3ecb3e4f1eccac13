"""Speed: what `make bench` measured, kept run by run, and whether any of it got worse.

What lives here: `Figure` and `Bench`, their files, and the table that the asset `ops/benchmarks` shows. What stays out:
measuring (`tests/benchmarks`), and drawing.

A figure is compared with the median of its last ones on the same kind of machine: absolute times tell of the machine,
ratios of the code.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self, get_args

import polars as pl

from coinhts_core.errors import DamagedObjectError
from coinhts_core.frames import Column, Schema

State = Literal["not measured", "below the goal", "ambition ahead", "goal reached", "ambition reached", "measured"]
STATES: tuple[State, ...] = get_args(State)
BENCHMARKS = Schema(
    "benchmarks",
    1,
    (
        Column("measured_at", "time", meaning="when the bench began, UTC"),
        Column("machine", "text", meaning="its processor, cores and Python"),
        Column("row", "text", meaning="what `make bench ARGS=…` calls it"),
        Column("what", "text", meaning="was measured"),
        Column("actual", "float", nullable=True, meaning="median of the rounds"),
        Column("unit", "text", meaning="of actual, goal and ambition; x is a ratio"),
        Column("goal", "float", nullable=True, meaning="to be reached"),
        Column("ambition", "float", nullable=True, meaning="to be aimed at"),
        Column("more_is_better", "bool", meaning="whether a goal is a least or a most"),
        Column("state", "text", meaning="how actual stands to goal and ambition"),
        Column("clean", "int", meaning="rounds in which nobody else was at work"),
        Column("rounds", "int", meaning="in all"),
    ),
)
_LAST = 5
_A_FIFTH = 0.2


@dataclass(frozen=True)
class Figure:
    """One thing measured; without a value the note says why there is none, such as contestants that disagree."""

    row: str
    what: str
    actual: float | None
    unit: str = "x"
    goal: float | None = None
    ambition: float | None = None
    more_is_better: bool = True
    clean: int = 0
    rounds: int = 0
    note: str = ""

    @property
    def state(self) -> State:
        if self.actual is None:
            return "not measured"
        if self.goal is None and self.ambition is None:
            return "measured"
        if not self._reaches(self.goal):
            return "below the goal"
        if self._reaches(self.ambition):
            return "ambition reached"
        return "goal reached" if self.goal is not None else "ambition ahead"

    def in_words(self) -> list[str]:
        """State, row, what, goal, ambition, actual, and how many rounds were clean."""
        least = "≥" if self.more_is_better else "≤"
        goals = [f"{least} {_amount(of)} {self.unit}" if of is not None else "" for of in (self.goal, self.ambition)]
        actual = self.note if self.actual is None else f"{_amount(self.actual)} {self.unit}"
        clean = f"{self.clean} of {self.rounds}" if self.rounds else ""
        return [self.state, self.row, self.what, *goals, actual, clean]

    def share_of(self, before: float) -> float:
        """How good it is in parts of what it was."""
        actual = self.actual or 0.0
        return actual / before if self.more_is_better else before / actual

    def _reaches(self, wanted: float | None) -> bool:
        if wanted is None or self.actual is None:
            return True
        return self.actual >= wanted if self.more_is_better else self.actual <= wanted


WORDS = ("", "row", "what", "goal", "ambition", "actual", "clean rounds")


@dataclass(frozen=True)
class Bench:
    """Everything one run of the bench measured."""

    measured_at: datetime
    machine: str
    limits: dict[str, float]
    figures: tuple[Figure, ...]

    def worst_first(self) -> list[Figure]:
        return sorted(self.figures, key=lambda figure: STATES.index(figure.state))

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.measured_at:%Y%m%dT%H%M%S%fZ}.json"
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(self._facts(), ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
        return draft.replace(file)

    @classmethod
    def read(cls, file: Path) -> Self:
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            figures = tuple(Figure(**of) for of in facts.pop("figures"))
            return cls(datetime.fromisoformat(facts.pop("measured_at")).astimezone(UTC), figures=figures, **facts)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedObjectError(path=str(file), reason="it is no result of `make bench`") from error

    def _facts(self) -> dict[str, Any]:
        return {**asdict(self), "measured_at": self.measured_at.isoformat()}


def history(folder: Path) -> list[Bench]:
    """All runs, oldest first."""
    return sorted((Bench.read(file) for file in folder.glob("*.json")), key=lambda bench: bench.measured_at)


def table(benches: Iterable[Bench]) -> pl.DataFrame:
    rows = [
        {
            "measured_at": bench.measured_at,
            "machine": bench.machine,
            **{name: value for name, value in asdict(figure).items() if name != "note"},
            "state": figure.state,
        }
        for bench in benches
        for figure in bench.figures
    ]
    floats = dict.fromkeys(("actual", "goal", "ambition"), pl.Float64)
    return BENCHMARKS.judge(pl.DataFrame(rows, schema_overrides=floats) if rows else BENCHMARKS.empty())


def worse(benches: Sequence[Bench]) -> list[str]:
    """The newest figures that lost more than a fifth against their last ones on such a machine."""
    if not benches:
        return []
    newest = benches[-1]
    found = []
    for figure in newest.figures:
        earlier = _earlier(benches[:-1], newest.machine, figure)
        if earlier and figure.share_of(median(earlier)) < 1 - _A_FIFTH:
            usual = f"{_amount(median(earlier))} {figure.unit}"
            found.append(f"{figure.row}, {figure.what}: {figure.in_words()[5] or 'nothing'} where it was {usual}")
    return found


def curves(benches: Sequence[Bench]) -> dict[str, list[float]]:
    """Each figure with a goal, in parts of its goal, over the runs that measured it."""
    found: dict[str, list[float]] = {}
    for bench in benches:
        for figure in bench.figures:
            wanted = figure.goal or figure.ambition
            if figure.actual and wanted:
                found.setdefault(f"{figure.row}, {figure.what}", []).append(figure.share_of(wanted))
    return found


def _earlier(benches: Sequence[Bench], machine: str, figure: Figure) -> list[float]:
    same = (figure.row, figure.what)
    values = [
        of.actual
        for bench in benches
        if bench.machine == machine
        for of in bench.figures
        if (of.row, of.what) == same and of.actual is not None
    ]
    return values[-_LAST:]


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits tell enough
