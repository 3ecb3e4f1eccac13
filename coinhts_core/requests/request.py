"""A request: one question about a strategy, in the words of the command, judged by its form.

What lives here: `Request` and `read_request`. What to add: a field, with its bounds. What stays out: what only the
house knows, such as which strategies and coins there are (`furnish`).
"""

from collections.abc import Mapping
from datetime import date
from math import prod
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from coinhts_core.backtests.windows import FOLDS, RANK, RANKS, RATIO
from coinhts_core.days import parse_day
from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.markets import Market, Timeframe
from coinhts_core.requests.strict import BODY, strict_json
from coinhts_core.wording import clipped, nearest, worded

Kind = Literal["backtest", "sweep", "walkforward"]
KINDS: tuple[str, ...] = get_args(Kind)
Mode = Literal["account", "study"]
Value = str | int | float | bool | None
MOST_COMBINATIONS = 10_000
_OF_ONE_KIND = {
    "samples": "sweep",
    "seed": "sweep",
    "folds": "walkforward",
    "ratio": "walkforward",
    "anchored": "walkforward",
    "by": "walkforward",
}
_MOST_SYMBOLS = 200
_MOST_KNOBS = 40
_MOST_VALUES = 1_000
_LONGEST_TEXT = 64
_GREATEST = 2**53


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        msg = "write it like 2026-01-31"
        raise ValueError(msg)  # noqa: TRY004 - what pydantic hears
    return _told(parse_day, value[:_LONGEST_TEXT])


def _symbols(value: object) -> object:
    """In the order they are named, each once."""
    if not isinstance(value, list | tuple) or not value:
        msg = "name at least one market in a list, such as KRW-BTC"
        raise ValueError(msg)
    if len(value) > _MOST_SYMBOLS:
        msg = f"at most {_MOST_SYMBOLS} markets are taken at once"
        raise ValueError(msg)
    if any(not isinstance(of, str) for of in value):
        msg = "a market is a text, such as KRW-BTC"
        raise ValueError(msg)
    return tuple(dict.fromkeys(_told(Market.parse, of) for of in value))


def _timeframe(value: object) -> object:
    if not isinstance(value, str):
        msg = "write it like 1h"
        raise ValueError(msg)  # noqa: TRY004 - what pydantic hears
    return _told(Timeframe.parse, value)


def _value(value: object) -> object:
    """A knob's value as JSON writes it: what it means is for the strategy to say."""
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT or not value.isprintable():
            msg = f"a text of at most {_LONGEST_TEXT} printable letters is taken"
            raise ValueError(msg)
    elif isinstance(value, int | float):
        if not -_GREATEST <= value <= _GREATEST:
            msg = "the number is beyond all bounds"
            raise ValueError(msg)
    elif value is not None:
        msg = "a text, a number, true, false or null is taken"
        raise ValueError(msg)
    return value


def _axis(value: object) -> object:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MOST_VALUES:
        msg = f"a list of 1 to {_MOST_VALUES} values is taken"
        raise ValueError(msg)
    return value


def _rank(value: str) -> str:
    if value not in RANKS:
        msg = f"nothing is chosen by it; take {', '.join(RANKS)}{nearest(value, RANKS)}"
        raise ValueError(msg)
    return value


def _told(parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except RefusedError as error:
        raise ValueError(str(error)) from None


_Slug = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_]{0,47}$")]
_Knob = Annotated[Any, BeforeValidator(_value)]
_Day = Annotated[date, BeforeValidator(_day)]
_Axis = Annotated[tuple[_Knob, ...], BeforeValidator(_axis)]


class Request(BaseModel):
    """What is asked for: a strategy over some coins and days, once, with many knobs, or walking forward."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Kind = "backtest"
    strategy: _Slug = Field(description="a strategy, or a set of knobs of the lineup")
    params: dict[_Slug, _Knob] = Field(default={}, max_length=_MOST_KNOBS, description="its knobs")
    symbols: Annotated[tuple[str, ...], BeforeValidator(_symbols)] | None = Field(
        default=None, description="all that are followed when not given"
    )
    start_date: _Day | None = Field(default=None, description="the first day, UTC")
    end_date: _Day | None = Field(default=None, description="the last day, UTC")
    timeframe: Annotated[Timeframe, BeforeValidator(_timeframe)] | None = Field(default=None, description="1m to 1w")
    mode: Mode = "account"
    account: dict[_Slug, _Knob] = Field(default={}, max_length=_MOST_KNOBS, description="cash, fee_rate, stop_loss …")
    grid: dict[_Slug, _Axis] = Field(default={}, max_length=_MOST_KNOBS, description="values by knob, of a sweep")
    samples: Annotated[StrictInt, Field(ge=1, le=MOST_COMBINATIONS)] | None = Field(
        default=None, description="of a sweep: so many combinations, by chance; all when not given"
    )
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] | None = Field(
        default=None, description="of a sweep: of the chance"
    )
    folds: Annotated[StrictInt, Field(ge=1, le=100)] | None = Field(
        default=None, description="of a walk-forward: windows"
    )
    ratio: Annotated[float, Field(strict=True, ge=0.1, le=100.0)] | None = Field(
        default=None, description="of a walk-forward: days to choose in, for each unseen one"
    )
    anchored: StrictBool | None = Field(
        default=None, description="of a walk-forward: choose in all days before, not in the last ones"
    )
    by: Annotated[str, Field(strict=True), AfterValidator(_rank)] | None = Field(
        default=None, description="of a walk-forward: the figure that is chosen by"
    )

    @property
    def combinations(self) -> int:
        """As many as are tried."""
        every = prod(len(values) for values in self.grid.values())
        return min(every, self.samples or every)

    @property
    def windows(self) -> tuple[int, float, bool, str]:
        """How a walk-forward is cut and what it chooses by: folds, ratio, anchored, by."""
        return self.folds or FOLDS, self.ratio or RATIO, bool(self.anchored), self.by or RANK

    def facts(self) -> dict[str, Any]:
        """As JSON, which reads back to the same request."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"kind": self.kind}


def read_request(body: bytes | Mapping[str, Any]) -> Request:
    """From JSON, or from what was read of it; whatever is wrong with it, the field is named."""
    facts = strict_json(body) if isinstance(body, bytes) else body
    if not isinstance(facts, Mapping):
        raise BadRequestError(field=BODY, reason="it is no JSON object")
    try:
        request = Request.model_validate(dict(facts))
    except ValidationError as error:
        raise _refusal(error) from None
    _judge_fit(request)
    return request


def _refusal(error: ValidationError) -> BadRequestError:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"] if part != "[key]"]
    if first["type"] == "extra_forbidden":
        return BadRequestError(
            field=clipped(place[0], 80), reason=f"it is no field; {', '.join(Request.model_fields)} are"
        )
    return BadRequestError(field=clipped(".".join(place), 80) or BODY, reason=worded(first["msg"]))


def _judge_fit(of: Request) -> None:
    """What one field says of another."""
    if of.start_date and of.end_date and of.end_date < of.start_date:
        raise BadRequestError(field="end_date", reason=f"{of.end_date} is before {of.start_date}, which it begins with")
    is_searching = of.kind != "backtest"
    if is_searching and not of.grid:
        raise BadRequestError(field="grid", reason=f"a {of.kind} needs values to try, such as {{fast: [10, 20]}}")
    if of.grid and not is_searching:
        raise BadRequestError(field="grid", reason="one backtest tries no grid; ask for a sweep or a walkforward")
    if of.combinations > MOST_COMBINATIONS:
        reason = f"{of.combinations} combinations are more than {MOST_COMBINATIONS}"
        raise BadRequestError(field="grid", reason=reason)
    if is_searching and of.mode != "account":
        raise BadRequestError(field="mode", reason=f"a {of.kind} leads accounts; study is for one backtest")
    for field, kind in _OF_ONE_KIND.items():
        if getattr(of, field) is not None and of.kind != kind:
            raise BadRequestError(field=field, reason=f"only a {kind} takes it")
