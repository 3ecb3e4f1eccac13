"""A result's row as it is found again, and what a list of them may be asked for.

What lives here: `Kept`, `Wanted`, and reading the latter strictly, whoever writes it. What stays out: asking the ledger
(`shelf`), and drawing tables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from coinhts_core.days import DayRange, parse_day
from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.markets import Market
from coinhts_core.results.facts import Json, Kind
from coinhts_core.wording import nearest, worded

Sort = Literal["newest", "return", "sharpe", "drawdown", "trades"]
SORTS: tuple[str, ...] = get_args(Sort)
FEW, MOST = 50, 1_000
FARTHEST = 1_000_000
SHORTEST_ID = 6

_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},64}}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """What the ledger says of a result; the last four only when it is found by its id."""

    id: str
    question: str
    kind: str
    strategy: str
    mode: str
    symbols: tuple[str, ...]
    timeframe: str
    first_day: date
    last_day: date
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    trades: int | None
    is_pinned: bool
    kept_at: datetime
    asked: Json = field(default_factory=dict)
    metrics: Json = field(default_factory=dict)
    made_from: Json = field(default_factory=dict)
    frames: Json = field(default_factory=dict)

    @property
    def facts(self) -> Json:
        """As programs read a row of a list."""
        hidden = {"asked", "metrics", "made_from", "frames", "question"}
        told = {name: value for name, value in vars(self).items() if name not in hidden}
        days = {"first_day": str(self.first_day), "last_day": str(self.last_day)}
        return {**told, **days, "symbols": list(self.symbols), "kept_at": self.kept_at.isoformat()}

    @property
    def days(self) -> int:
        return len(DayRange(self.first_day, self.last_day))

    def completed(self, document: Json) -> Json:
        """A table's document with what was asked of it, which it need not say itself; a run's says all."""
        if self.kind == "backtest":
            return document
        told = {"strategy": self.strategy, "symbols": list(self.symbols), "timeframe": self.timeframe}
        return {**self.asked, **told, **document}


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_day(value)
    except RefusedError as error:
        raise ValueError(str(error)) from error


def _symbol(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return str(Market.parse(value))
    except RefusedError as error:
        raise ValueError(str(error)) from error


def _name(value: object) -> object:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        msg = "a strategy's name is of small letters, digits and underscores"
        raise ValueError(msg)
    return value


Day = Annotated[date, BeforeValidator(_day)]
Fraction = Annotated[float, Field(ge=-1, le=1e9, allow_inf_nan=False)]


class Wanted(BaseModel):
    """What is looked for; days are UTC, both included, and those on which a result was kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    strategy: Annotated[str, BeforeValidator(_name)] | None = None
    kind: Kind | None = None
    symbol: Annotated[str, BeforeValidator(_symbol)] | None = None
    since: Day | None = Field(default=None, alias="from")
    until: Day | None = Field(default=None, alias="to")
    min_return: Fraction | None = None
    max_return: Fraction | None = None
    sort: Sort = "newest"
    limit: Annotated[int, Field(ge=1, le=MOST)] = FEW
    offset: Annotated[int, Field(ge=0, le=FARTHEST)] = 0

    @property
    def parameters(self) -> Json:
        """As the ledger's statement names them."""
        after = None if self.until in {None, date.max} else self.until + timedelta(days=1)
        return {
            **self.model_dump(exclude={"since", "until", "limit", "offset"}),
            "since": _midnight(self.since),
            "until": _midnight(after),
            "most": self.limit,
            "skipped": self.offset,
        }


def read_wanted(told: Mapping[str, Any]) -> Wanted:
    """By the names that people write, or a refusal that names the field."""
    try:
        wanted = Wanted.model_validate({name: value for name, value in told.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise BadRequestError(field=name, reason=_reason(first, name)) from None
    for lower, upper in (("since", "until"), ("min_return", "max_return")):
        least, greatest = getattr(wanted, lower), getattr(wanted, upper)
        if least is not None and greatest is not None and least > greatest:
            name = Wanted.model_fields[lower].alias or lower
            other = Wanted.model_fields[upper].alias or upper
            raise BadRequestError(field=name, reason=f"{least} is above {other}, which is {greatest}")
    return wanted


def read_id(text: str) -> str:
    """An id or its first letters: what is none is never looked for."""
    if not _ID.fullmatch(text):
        raise RefusedError(reason=f"{text!r} is no result's id; give its first {SHORTEST_ID} letters or more")
    return text


def _reason(first: Any, name: str) -> str:
    if first["type"] == "extra_forbidden":
        names = [of.alias or field for field, of in Wanted.model_fields.items()]
        return f"there is no such filter; there are {', '.join(names)}{nearest(name, names)}"
    return worded(first["msg"])


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
