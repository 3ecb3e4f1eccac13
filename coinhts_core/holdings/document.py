"""A position as programs read it, and the JSON Schema of that.

What lives here: `PositionDocument`, made of a position and of what the market says of it; `totals` of several. What to
add: a field, with what it means. What stays out: arithmetic (`holding`) and prices (`prices`).

Amounts are texts of exact decimals, for numbers of JSON may be rounded on the way; profits are whole won. A figure that
is not there is null, and `warnings` says why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from coinhts_core.backtests.undefined import Undefined
from coinhts_core.holdings.holding import BOOK, Holding, State, in_won, plain
from coinhts_core.holdings.prices import Course, Mark, Prices

SCHEMA_PATH = "/api/schemas/position.json"
KST = timezone(timedelta(hours=9), "KST")
_AMOUNT = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
Amount = Annotated[Decimal, PlainSerializer(plain), WithJsonSchema(_AMOUNT, mode="serialization")]
Moment = Annotated[
    datetime, PlainSerializer(datetime.isoformat, return_type=str), Field(json_schema_extra={"format": "date-time"})
]


class PositionDocument(BaseModel):
    """A position that somebody keeps by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Position")

    id: int = Field(ge=1, description="what it is asked for by")
    book: Literal["manual"] = Field(description="positions of strategies and of orders are in other books")
    state: State = Field(description="deleted is told only by the answer to the deletion")
    version: int = Field(ge=1, description="counts its changes; a change names the version it is made to")
    key: str | None = Field(description="the client's own, under which it is opened once however often it is sent")
    symbol: str = Field(pattern="^KRW-[A-Z0-9]{1,16}$")
    opened_at: Moment
    opened_at_kst: Moment
    entry_price_krw: Amount = Field(description="of a coin")
    volume_base: Amount = Field(description="coins")
    entry_fee_rate: Amount = Field(description="a fraction of price x volume")
    entry_fee_krw: Amount
    paid_krw: Amount = Field(description="price x volume and the fee")
    closed_at: Moment | None
    closed_at_kst: Moment | None
    exit_price_krw: Amount | None
    exit_fee_rate: Amount | None
    exit_fee_krw: Amount | None
    slippage_krw: Amount | None = Field(description="lost in selling beside what the exit's price says")
    received_krw: Amount | None = Field(description="price x volume less the fee and the slippage")
    realised_krw: int | None = Field(description="received less paid, to the won, once it is closed")
    mark_price_krw: Amount | None = Field(description="the last stored close, while it is open")
    marked_at: Moment | None = Field(description="when the minute of that close ended")
    unrealised_krw: int | None = Field(description="while it is open: sold at mark_price_krw for no fee, less paid")
    return_: float | None = Field(alias="return", description="realised or unrealised, a fraction of paid")
    held_s: int | None = Field(ge=0, description="seconds from entry to exit, or until now while it is open")
    mae: float | None = Field(default=None, le=0, description="the worst moment, a fraction of the entry's price")
    mfe: float | None = Field(default=None, ge=0, description="the best moment, a fraction of the entry's price")
    measured_until: Moment | None = Field(default=None, description="how far mae and mfe look")
    note: str
    recorded_at: Moment
    changed_at: Moment
    warnings: list[str] = Field(description="why a figure is not there, or what to think of one that is")

    @property
    def facts(self) -> dict[str, Any]:
        """What was not asked for, such as mae in a list, is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def schema() -> dict[str, Any]:
    """JSON Schema, 2020-12."""
    told = PositionDocument.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_PATH, **told}


def document_of(holding: Holding, prices: Prices, moment: datetime, *, is_whole: bool = True) -> PositionDocument:
    """Whole with its worst and best moment, for which all minutes of its time are read."""
    warnings: list[str] = []
    worth = _worth(holding, prices, warnings) | (_course(holding, prices, warnings) if is_whole else {})
    exit_or_now = holding.closed_at or moment
    is_held = holding.state in {"open", "closed"}
    facts = {name: value for name, value in vars(holding).items() if name != "number"}
    return PositionDocument(
        id=holding.number,
        book=BOOK,
        **facts,
        opened_at_kst=holding.opened_at.astimezone(KST),
        closed_at_kst=holding.closed_at and holding.closed_at.astimezone(KST),
        entry_fee_krw=holding.entry_fee_krw,
        paid_krw=holding.paid_krw,
        exit_fee_krw=holding.exit_fee_krw,
        received_krw=holding.received_krw,
        held_s=int((exit_or_now - holding.opened_at).total_seconds()) if is_held else None,
        warnings=warnings,
        **worth,
    )


def totals(documents: Sequence[PositionDocument]) -> dict[str, Any]:
    """Of those that are listed; the share of the closed ones that earned something is null while none is closed."""
    realised = [of.realised_krw for of in documents if of.realised_krw is not None]
    unrealised = [of.unrealised_krw for of in documents if of.unrealised_krw is not None]
    wins = sum(of > 0 for of in realised)
    return {
        "count": len(documents),
        "realised_krw": sum(realised),
        "unrealised_krw": sum(unrealised),
        "unvalued": sum(of.state == "open" and of.unrealised_krw is None for of in documents),
        "wins": wins,
        "losses": sum(of < 0 for of in realised),
        "win_rate": wins / len(realised) if realised else None,
    }


def _worth(holding: Holding, prices: Prices, warnings: list[str]) -> dict[str, Any]:
    mark = prices.mark(holding.symbol) if holding.state == "open" else None
    profit = holding.realised_krw
    if isinstance(mark, Undefined):
        warnings.append(f"unrealised_krw: {mark}")
    elif isinstance(mark, Mark):
        profit = holding.unrealised_krw(mark.price_krw)
        if mark.at < holding.opened_at:
            warnings.append("unrealised_krw: the last stored close is older than the entry")
    told = None if profit is None else in_won(profit)
    shown = mark if isinstance(mark, Mark) else None
    return {
        "realised_krw": told if shown is None else None,
        "unrealised_krw": None if shown is None else told,
        "mark_price_krw": shown and shown.price_krw,
        "marked_at": shown and shown.at,
        "return": None if profit is None else float(profit / holding.paid_krw),
    }


def _course(holding: Holding, prices: Prices, warnings: list[str]) -> dict[str, Any]:
    if holding.state not in {"open", "closed"}:
        return {"mae": None, "mfe": None, "measured_until": None}
    course = prices.course(holding)
    if isinstance(course, Course):
        return {"mae": course.mae, "mfe": course.mfe, "measured_until": course.until}
    warnings.append(f"mae, mfe: {course}")
    return {"mae": None, "mfe": None, "measured_until": None}
