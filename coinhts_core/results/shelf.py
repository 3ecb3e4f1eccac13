"""The shelf: results kept under their identities, a row in the ledger and frames in the lake, tied by the identity.

What lives here: `Shelf`, the one door. What stays out: what a result says (`facts`, `frames`), what lists ask for
(`kept`), what differs between two (`comparison`), what may go (`retention`).

    shelf = Shelf(ledger, lake)
    shelf.keep(identity, result, asked)  -> Kept   a `Result` or a `Table`; `asked` names what a result cannot know
    shelf.find("3fa9c1")                 -> Kept   by the id or its first letters
    shelf.listed(Wanted(...))            -> [Kept]
    shelf.grades([kept, ...], counted)   -> {id: "little"}   how far each run may be trusted, in a word
    shelf.ranked(Asked(...))             -> [Suited]  which strategy suits which coin
    shelf.frames(id)                     -> {"summary", "signals", "trades", "equity"}; of a table "summary", "rows", …
    shelf.document(id)                   -> the JSON document, as it was when it was kept
    shelf.compare(a, b)                  -> Comparison
    shelf.pin(id, is_pinned=True); shelf.answers() for `retention.judged`; shelf.remove(verdicts) -> ids

The lake is written first, so whatever the ledger names was there; removing begins in the ledger. An identity that is
kept already is only looked at: what is damaged then is written anew, and nothing else is.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from coinhts_core.backtests.overfitting import Counted, Grade, badge_of
from coinhts_core.backtests.runs import Result
from coinhts_core.errors import (
    CommitRaceError,
    DamagedObjectError,
    DamagedResultError,
    NotStoredError,
    RefusedError,
    UnknownResultError,
)
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.results.comparison import Comparison, compared
from coinhts_core.results.facts import Facts, Json, Table, facts_of
from coinhts_core.results.frames import Framed, document_from, frames_of, schema_of
from coinhts_core.results.kept import Kept, Wanted, read_id
from coinhts_core.results.ranking import Asked, Best, Suited, suited
from coinhts_core.results.retention import Answer, Verdict
from coinhts_core.trials import Trial, Trials, trial_of

_ATTEMPTS = 5
_log = logging.getLogger("coinhts.results")
_TOLD = ("kind", "strategy", "mode", "timeframe", "first_day", "last_day")
_FIGURES = ("total_return", "max_drawdown", "sharpe", "trades")
_EVERYTHING = Wanted()


class Shelf:
    """Results of one installation."""

    def __init__(self, ledger: Ledger, lake: Lake) -> None:
        self._ledger = ledger
        self._lake = lake

    def keep(self, identity: str, result: Result | Table, asked: Mapping[str, Any]) -> Kept:
        """The row it has now; twice is once. What was tried for it counts from now on."""
        Trials(self._ledger).record(_tried_for(result))
        held = self._exactly(identity)
        if held and self._is_whole(held):
            return held
        facts = facts_of(result, asked)
        frames = {name: self._publish(identity, name, of) for name, of in frames_of(result).items()}
        self._record(identity, facts, frames)
        return self.find(identity)

    def counted(self, strategy: str) -> Counted:
        """All that was tried until now, which a result of this strategy is judged against."""
        return Trials(self._ledger).counted(strategy)

    def find(self, name: str) -> Kept:
        found = self._beginning_with(read_id(name))
        if not found:
            raise UnknownResultError(name=name)
        if len(found) > 1:
            raise RefusedError(reason=f"several results begin with {name}; give more letters of the id")
        return found[0]

    def listed(self, wanted: Wanted = _EVERYTHING) -> list[Kept]:
        with self._ledger.transaction() as connection:
            rows = connection.execute(load_queries("results")["list_results"], wanted.parameters).fetchall()
        return [_kept(row) for row in rows]

    def grades(self, of: Sequence[Kept], counted: Counted) -> dict[str, Grade]:
        """How far each run among them may be trusted, in a word, by its id."""
        runs = {kept.id: kept for kept in of if kept.kind == "backtest"}
        if not runs:
            return {}
        with self._ledger.transaction() as connection:
            rows = connection.execute(load_queries("results")["find_moments"], {"ids": list(runs)}).fetchall()
        told = {identity: {"skew": skew, "excess_kurtosis": kurtosis} for identity, skew, kurtosis in rows}
        return {
            identity: badge_of({**vars(runs[identity]), **moments}, runs[identity].days, counted).grade
            for identity, moments in told.items()
        }

    def ranked(self, asked: Asked) -> list[Suited]:
        """Which strategy suits which coin, as far as what is kept tells."""
        with self._ledger.transaction() as connection:
            rows = connection.cursor(row_factory=class_row(Best))
            best = rows.execute(load_queries("results")["rank_results"], asked.parameters).fetchall()
        return suited(best, Trials(self._ledger).counted_of_all())

    def frames(self, name: str) -> dict[str, pl.DataFrame]:
        """Every row, proved to be what was kept; or an error that names what is damaged or missing."""
        return self._read(self.find(name))

    def document(self, name: str) -> Json:
        kept = self.find(name)
        return kept.completed(document_from(kept.id, self._read(kept)))

    def compare(self, one: str, other: str) -> Comparison:
        first, second = self.find(one), self.find(other)
        return compared((first, self._curve(first)), (second, self._curve(second)))

    def pin(self, name: str, *, is_pinned: bool) -> Kept:
        kept = self.find(name)
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("results")["pin_result"], {"id": kept.id, "is_pinned": is_pinned})
        return self.find(kept.id)

    def answers(self) -> list[Answer]:
        """What retention judges."""
        with self._ledger.transaction() as connection:
            return [Answer(*row) for row in connection.execute(load_queries("results")["find_answers"]).fetchall()]

    def remove(self, verdicts: Iterable[Verdict]) -> list[str]:
        """Those that go, unless somebody has pinned them since they were judged; the ids of what is gone."""
        gone = []
        for answer, why in ((of.answer, of.why) for of in verdicts if of.goes):
            frames = self._exactly(answer.id)
            with self._ledger.transaction() as connection:
                is_gone = connection.execute(load_queries("results")["forget_result"], {"id": answer.id}).fetchone()
            if is_gone and frames:
                for name in frames.frames:
                    self._lake.forget_whole(_asset(answer.id, name))
                gone.append(answer.id)
                _log.info("removed", extra={"facts": {"result": answer.id, "reason": why}})
        return gone

    def _exactly(self, identity: str) -> Kept | None:
        return next((of for of in self._beginning_with(identity) if of.id == identity), None)

    def _beginning_with(self, prefix: str) -> list[Kept]:
        with self._ledger.transaction() as connection:
            rows = connection.execute(load_queries("results")["find_results"], {"prefix": prefix}).fetchall()
        return [_kept(row) for row in rows]

    def _is_whole(self, kept: Kept) -> bool:
        try:
            self._read(kept)
        except DamagedResultError:
            return False
        return True

    def _publish(self, identity: str, name: str, of: Framed) -> Json:
        """Written, and read back; what lies there damaged is written anew."""
        asset, rows = _asset(identity, name), DayRows.of(of.schema, of.rows, made_from=identity)
        for _ in range(_ATTEMPTS):
            try:
                self._lake.publish_whole(asset, rows, replaces=self._lake.number_of_whole(asset))
                self._lake.read_whole(asset)
            except CommitRaceError:  # another process keeps the same result
                continue
            except DamagedObjectError:
                self._lake.forget_whole(asset)
                continue
            return {"rows": rows.entry.rows, "hash": rows.entry.content_hash, "schema": of.schema.version}
        raise CommitRaceError(asset=asset, symbol="of all symbols", month="all", attempts=_ATTEMPTS)

    def _record(self, identity: str, facts: Facts, frames: Json) -> None:
        told = {
            name: getattr(facts, name) for name in ("kind", "strategy", "mode", "timeframe", "first_day", "last_day")
        }
        row = {
            **told,
            **{name: facts.metrics.get(name) for name in _FIGURES},
            "id": identity,
            "question": facts.question,
            "symbols": list(facts.symbols),
            "asked": Jsonb(facts.asked),
            "metrics": Jsonb(facts.metrics),
            "made_from": Jsonb(facts.made_from),
            "frames": Jsonb(frames),
        }
        with self._ledger.transaction() as connection:
            connection.execute(load_queries("results")["record_result"], row)

    def _read(self, kept: Kept) -> dict[str, pl.DataFrame]:
        return {name: self._frame(kept, name) for name in kept.frames}

    def _curve(self, kept: Kept) -> pl.DataFrame | None:
        return self._frame(kept, "equity") if "equity" in kept.frames else None

    def _frame(self, kept: Kept, name: str) -> pl.DataFrame:
        try:
            rows = self._lake.read_whole(_asset(kept.id, name))
        except (DamagedObjectError, NotStoredError) as error:
            raise DamagedResultError(frame=name, name=kept.id[:12], reason=_brief(error)) from error
        if schema_of(name, rows, kept.frames[name]["schema"]).content_hash(rows) != kept.frames[name]["hash"]:
            raise DamagedResultError(frame=name, name=kept.id[:12], reason="its rows are not those that were kept")
        return rows


def _asset(identity: str, name: str) -> str:
    return f"results/{identity}/{name}"


def _brief(error: DamagedObjectError | NotStoredError) -> str:
    return f"{error.path}: {error.reason}" if isinstance(error, DamagedObjectError) else "nothing is stored there"


def _kept(row: tuple[Any, ...]) -> Kept:
    identity, question, kind, strategy, mode, symbols, *others = row
    return Kept(identity, question, kind, strategy, mode, tuple(symbols), *others)


def _tried_for(result: Result | Table) -> Sequence[Trial]:
    if isinstance(result, Table):
        return result.tried
    trial = trial_of(result)
    return [trial] if trial else []
