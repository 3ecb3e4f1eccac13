"""Governance: the settings that people change while the house runs, kept in the ledger.

What lives here: what governs trading, risk and alerts, with defaults and bounds; reading it through a cache that
notices changes of others, changing it, and the history of changes. What to add: a field of `Governance`, and a rule
where two fields must fit. What stays out: what is set once for an installation (`settings`) and what belongs to a
strategy. Signals and backtests never look here, for what they decide must not depend on the day someone ran them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, pairwise
from threading import Lock
from typing import Any, Literal

from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coinhts_core.errors import OutOfBoundsError, UnknownGovernorError
from coinhts_core.ledger.bell import Bell
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.wording import nearest

DEFAULT = "default"
_IN_ORDER = (
    ("position_size_min_pct", "position_size_max_pct"),
    ("drawdown_warning_pct", "drawdown_error_pct", "drawdown_critical_pct"),
)
_LOOKS_AGAIN_AFTER_S = 0.5
_READS_AGAIN_AFTER_S = 3_600.0


class Governance(BaseModel):
    """What governs trading, risk and alerts at one moment."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trading_enabled: bool = Field(default=True, description="whether new orders are placed at all")
    position_size_min_pct: float = Field(default=25, ge=1, le=50, description="of the balance, at the least confidence")
    position_size_max_pct: float = Field(default=50, ge=5, le=100, description="of the balance, at full confidence")
    stop_loss_pct: float = Field(default=5, ge=3, le=10, description="a position that lost more is sold")
    daily_loss_limit_pct: float = Field(
        default=5, ge=3, le=10, description="a day that lost more ends trading for that day"
    )
    signal_interval_minutes: int = Field(default=30, ge=5, le=120, description="between two looks at the market")
    volatility_threshold_pct: float = Field(
        default=3, ge=1, le=10, description="a wider swing in five minutes halts trading"
    )
    ai_model: str = Field(
        default="gemini-2.5-flash", pattern=r"^[a-z0-9][a-z0-9.\-]{0,63}$", description="which model advises"
    )
    alert_level: Literal["info", "warning", "error", "critical"] = Field(
        default="info", description="the least that is sent to Slack and by mail; the file has all"
    )
    alert_quiet_minutes: int = Field(
        default=15, ge=1, le=1_440, description="the same alert again is only counted so long"
    )
    alerts_a_minute: int = Field(default=10, ge=1, le=60, description="at most that many to one place; the others wait")
    drawdown_warning_pct: float = Field(default=5, ge=1, le=90, description="a strategy that fell so far is a warning")
    drawdown_error_pct: float = Field(default=8, ge=1, le=90, description="and so far an error")
    drawdown_critical_pct: float = Field(default=15, ge=1, le=90, description="and so far critical")


@dataclass(frozen=True)
class Governor:
    """One setting as people look at it; `value` is where it is set or, if nobody did, its default."""

    name: str
    value: object
    default: object
    is_set: bool
    bounds: str
    meaning: str

    @property
    def facts(self) -> dict[str, Any]:
        """As programs read it."""
        source = "ledger" if self.is_set else "default"
        facts = {"name": self.name, "value": self.value, "source": source, "default": self.default}
        return {**facts, "takes": self.bounds, "meaning": self.meaning}


@dataclass(frozen=True)
class Change:
    """One line of the history; None stands for the default."""

    number: int
    name: str
    value_before: str | None
    value_after: str | None
    changed_at: datetime
    changed_by: str


class Government:
    """Governance as it is now; others' changes are seen within a second.

    Changes ring a bell, and while it is heard and silent nothing is asked. While it is not heard, the number of the
    latest change is asked for, at most twice a second; values are read again when it moved, and every hour.
    """

    def __init__(
        self, ledger: Ledger, watch: Callable[[], float] = time.monotonic, memory: "Memory | None" = None
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._memory = memory or Memory.of(ledger)

    @classmethod
    def shared(cls, ledger: Ledger) -> "Government":
        """What one part of this process has read, every other knows, however often the ledger is opened."""
        return cls(ledger, memory=_memories.setdefault(ledger.url, Memory.of(ledger)))

    def now(self) -> Governance:
        return self._current().governance

    def governors(self) -> "list[Governor]":
        return _governors(self._current().stored)

    @property
    def memory(self) -> "Memory":
        return self._memory

    def _current(self) -> "_Reading":
        memory, moment = self._memory, self._watch()
        known, rung = memory.known, memory.bell.rung()
        if known and known.holds(moment, rung):
            memory.count(is_hit=True)
            return known
        memory.count(is_hit=False)
        if known:  # who asks but once need not listen
            memory.bell.listen()
        memory.known = self._asked(known, moment, rung)
        return memory.known

    def _asked(self, known: "_Reading | None", moment: float, rung: int | None) -> "_Reading":
        queries = load_queries("settings")
        with self._ledger.transaction() as connection:
            row = connection.execute(queries["find_settings_version"]).fetchone()
            version = row[0] if row else 0
            if known and known.version == version and moment - known.read_at < _READS_AGAIN_AFTER_S:
                return replace(known, rung=rung, looked_at=moment)
            stored = _stored(connection)
        return _Reading(governance_of(stored), stored, version, rung, looked_at=moment, read_at=moment)


@dataclass(frozen=True)
class _Reading:
    """What was read, when, and how often the bell had rung before it was."""

    governance: Governance
    stored: Mapping[str, str]
    version: int
    rung: int | None
    looked_at: float
    read_at: float

    def holds(self, moment: float, rung: int | None) -> bool:
        if moment - self.read_at >= _READS_AGAIN_AFTER_S:
            return False
        if rung is None:
            return moment - self.looked_at < _LOOKS_AGAIN_AFTER_S
        return rung == self.rung


@dataclass
class Memory:
    """What a process knows of the settings, and how often it knew without asking the ledger."""

    bell: Bell
    known: _Reading | None = None
    hits: int = 0
    misses: int = 0
    _counting: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, ledger: Ledger) -> "Memory":
        return cls(Bell(ledger.url, load_queries("settings")["hear"]))

    def count(self, *, is_hit: bool) -> None:
        with self._counting:
            self.hits += is_hit
            self.misses += not is_hit


_memories: dict[str, Memory] = {}


def governance_of(stored: Mapping[str, str], changing: str | None = None) -> Governance:
    """The defaults with what is stored over them; judged again, for bounds may have moved since."""
    for name in stored:
        _known(name)
    try:
        governance = Governance.model_validate(dict(stored))
    except ValidationError as error:
        name = str(error.errors(include_url=False)[0]["loc"][0])
        raise OutOfBoundsError(name=name, value=stored[name], bounds=bounds_of(name)) from None
    for lower, upper in chain.from_iterable(map(pairwise, _IN_ORDER)):
        if getattr(governance, lower) > getattr(governance, upper):
            raise _out_of_order(governance, lower, upper, is_lower=upper != changing)
    return governance


def governors(ledger: Ledger) -> list[Governor]:
    """Every setting that lives in the ledger."""
    with ledger.transaction() as connection:
        return _governors(_stored(connection))


def change(ledger: Ledger, name: str, value: str, who: str, moment: datetime) -> Change | None:
    """Set one to a value, or to `default`; nothing when it is that already."""
    _known(name)
    queries = load_queries("settings")
    after = None if value.strip().lower() == DEFAULT else value.strip()
    with ledger.transaction() as connection:
        connection.execute(queries["lock_settings"])
        stored = _stored(connection)
        others = {other: of for other, of in stored.items() if other != name}
        wanted = others if after is None else others | {name: after}
        told = getattr(governance_of(wanted, name), name)
        before, after = stored.get(name), None if after is None else _written(told)
        if before == after:
            return None
        facts = {"name": name, "value": after, "before": before, "after": after, "moment": moment, "who": who}
        connection.execute(queries["forget_setting" if after is None else "record_setting"], facts)
        connection.execute(queries["record_change"], facts)
        connection.execute(queries["ring"])
        return _changes(connection, name, 1)[0]


def changes(ledger: Ledger, name: str | None = None, most: int = 100) -> list[Change]:
    """The latest changes of one setting, or of all."""
    if name is not None:
        _known(name)
    with ledger.transaction() as connection:
        return _changes(connection, name, most)


def bounds_of(name: str) -> str:
    """What a setting takes, in words."""
    facts: Mapping[str, Any] = Governance.model_json_schema()["properties"][name]
    if "minimum" in facts:
        whole = "a whole number" if facts["type"] == "integer" else "a number"
        return f"{whole} from {facts['minimum']:g} to {facts['maximum']:g}"
    if "enum" in facts:
        return "one of " + ", ".join(facts["enum"])
    return "true or false" if facts["type"] == "boolean" else "a name of small letters, digits, dots and dashes"


def _governors(stored: Mapping[str, str]) -> list[Governor]:
    now = governance_of(stored)
    return [
        Governor(name, getattr(now, name), of.default, name in stored, bounds_of(name), of.description or "")
        for name, of in Governance.model_fields.items()
    ]


def _known(name: str) -> None:
    if name not in Governance.model_fields:
        raise UnknownGovernorError(name=name, hint=nearest(name, Governance.model_fields))


def _stored(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(load_queries("settings")["find_settings"]).fetchall())


def _changes(connection: Connection, name: str | None, most: int) -> list[Change]:
    rows = connection.execute(load_queries("settings")["find_changes"], {"name": name, "most": most})
    return [Change(*row) for row in rows.fetchall()]


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


def _out_of_order(governance: Governance, lower: str, upper: str, *, is_lower: bool) -> OutOfBoundsError:
    name, than, other = (lower, "at most", upper) if is_lower else (upper, "at least", lower)
    bounds = f"{bounds_of(name)}, and {than} {other}, which is {_written(getattr(governance, other))}"
    return OutOfBoundsError(name=name, value=_written(getattr(governance, name)), bounds=bounds)
