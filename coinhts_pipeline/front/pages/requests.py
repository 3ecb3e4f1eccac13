"""Requests as people see them: the queue, and the form that puts something into it.

What lives here: the two pages. What to add: a field, here and in `coinhts_core.requests.typed`. What stays out: what is
asked and judged (`request_pages`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.markets import Timeframe
from coinhts_core.requests.choices import Choice, Choices
from coinhts_core.requests.desk import STATES, Filter, Standing
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages.looks import (
    ROOT,
    Column,
    address,
    alert,
    button,
    choice,
    code,
    entry,
    form,
    lines,
    link,
    moment,
    note,
    page,
    section,
    table,
)
from coinhts_pipeline.front.pages.results import place_of

HERE = "requests"
LIST = f"{ROOT}{HERE}"
FORM = f"{LIST}/new"
LOOKS_EVERY_S = 2
FIELDS = ("strategy", "symbols", "start_date", "end_date", "timeframe", "cash", "params")
_SHORT = 12
_FEW = 3  # coins, values
_WORDS: Mapping[str, str] = {
    "queued": "waiting",
    "running": "at work",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "dead": "given up",
}
_KINDS: Mapping[str, str] = {"backtest": "backtest", "sweep": "sweep", "walkforward": "walk-forward"}
_GOING_ON = {"queued", "running"}
_BEGINS_AGAIN = {"failed", "cancelled", "dead"}
_COINS = "Coins, apart by commas; all when empty"
_CASH = f"Cash, KRW; {Account().cash:,.0f} when empty"
_TYPED: Mapping[str, str] = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_PLACES = {"account.cash": "cash", "account": "cash"}


@dataclass(frozen=True)
class Look:
    """Which requests are looked at, and whether the page stays as it is."""

    wanted: Filter
    is_still: bool = False

    @property
    def query(self) -> dict[str, object]:
        """What leads here again, less what it would be anyway."""
        of = self.wanted
        still = "yes" if self.is_still else None
        return {"state": of.state, "kind": of.kind, "offset": of.offset or None, "still": still}


@dataclass(frozen=True)
class Queue:
    """Some requests, how many stand how, and who looks at them."""

    standings: Sequence[Standing]
    counts: Mapping[str, int]
    look: Look
    has_more: bool
    is_owner: bool

    @property
    def goes_on(self) -> bool:
        return any(self.counts[state] for state in _GOING_ON)


def queue_page(of: Queue) -> str:
    """It looks again by itself while something goes on, unless somebody wants it to stay as it is."""
    deeds = [tag("p", tag("a", "Ask for a backtest", href=FORM, class_="deed"), class_="deeds")] if of.is_owner else []
    refresh_s = LOOKS_EVERY_S if of.goes_on and not of.look.is_still else None
    return page("Requests", *deeds, _filters(of), _standing(of), *_listed(of), here=HERE, refresh_s=refresh_s)


def form_page(typed: Mapping[str, str], choices: Choices, refusal: Refusal | None = None) -> str:
    """What was typed stays; what is refused of it stands beside its field, and without one above them all."""
    field = _field_of(refusal) if refusal else None
    told = {field: refusal.message} if refusal and field else {}
    above = [alert(_above(refusal, field))] if refusal else []
    fields = _fields(typed, choices, told)
    asked = form(*fields, deed="Ask for it", to=LIST, method="post", name="ask")
    lead = tag("p", "It waits its turn and is answered while you do something else. The same again is the same.")
    return page("Ask for a backtest", *above, lead, asked, _knobs(choices), here=HERE, is_below=True)


def _filters(of: Queue) -> Markup:
    states = {"": "every state", **_WORDS}
    kinds = {"": "every kind", **_KINDS}
    return form(
        choice("state", "State", states, of.look.wanted.state or ""),
        choice("kind", "Kind", kinds, of.look.wanted.kind or ""),
        deed="Show",
        to=LIST,
    )


def _standing(of: Queue) -> Markup:
    """How many stand how, and whether the page looks again."""
    told = ", ".join(f"{of.counts[state]:,} {_WORDS[state]}" for state in STATES if of.counts[state])
    if not of.goes_on:
        return note(told or "Nothing was asked for yet.")
    is_still = of.look.is_still
    turned = {**of.look.query, "still": None if is_still else "yes"}
    words = "Look again by itself" if is_still else "Hold it still"
    looks = "This page stays as it is." if is_still else f"This page looks again every {LOOKS_EVERY_S} s."
    return note(f"{told}. {looks} ", link(words, LIST, **turned))


def _listed(of: Queue) -> list[Markup]:
    if not of.standings:
        asking = joined("Ask for a backtest above, or by ", code("coinhts backtest submit --strategy sma_cross"), ".")
        return [note(asking if not any(of.counts.values()) else "No request is like that.")]
    change = [Column("Change")] if of.is_owner else []
    columns = [Column("Request"), Column("State"), *change, Column("Asked")]
    rows = [
        [_what(one), _standing_of(one), *([_deed(one, of.look)] if change else []), moment(one.created_at)]
        for one in of.standings
    ]
    return [table("queue", "Requests, the latest first", columns, rows), _pager(of)]


def _pager(of: Queue) -> Markup:
    query, step, offset = of.look.query, of.look.wanted.limit, of.look.wanted.offset
    later = [link("Later ones", LIST, **{**query, "offset": max(offset - step, 0) or None})] if offset else []
    earlier = [link("Earlier ones", LIST, **{**query, "offset": offset + step})] if of.has_more else []
    return tag("p", *later, *earlier, class_="deeds")


def _what(of: Standing) -> Markup:
    asked = of.asked
    days = " to ".join(str(asked[name]) for name in ("start_date", "end_date") if asked.get(name))
    span = " · ".join(part for part in (_some(asked.get("symbols")), str(asked.get("timeframe") or ""), days) if part)
    knobs = [f"{name} {value}" for name, value in (asked.get("params") or {}).items()]
    tried = [f"{name} {_some(values)}" for name, values in (asked.get("grid") or {}).items()]
    below = (_below(words) for words in (span, ", ".join([*knobs, *tried]), of.id[:_SHORT]) if words)
    return joined(f"{_KINDS[of.kind]} of {of.strategy}", *below)


def _below(words: str) -> Markup:
    return tag("div", tag("small", words))


def _some(values: Any) -> str:
    listed = [str(value) for value in values or ()]
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return f"{', '.join(listed[:_FEW])}{more}"


def _standing_of(of: Standing) -> Markup:
    """The word, and how far it is, what it came to, or why it came to nothing."""
    word, reason = _WORDS[of.state], of.error or ""
    if of.state == "completed":
        return joined(word, tag("div", link("Result", place_of(of.id))))
    if of.state not in _GOING_ON:
        return joined(word, tag("div", reason, class_="bad"))
    percent = round(of.progress * 100)
    bar = tag("progress", f"{percent} %", max=100, value=percent, aria_label=f"Progress of {of.id[:_SHORT]}")
    told = (_below(words) for words in (of.step, reason) if words)
    return joined(word, tag("div", bar, f" {percent} %"), *told)


def _deed(of: Standing, look: Look) -> Markup:
    deed, words = ("cancel", "Cancel") if of.state in _GOING_ON else ("retry", "Ask again")
    if of.state not in _GOING_ON | _BEGINS_AGAIN:
        return Markup()
    name = f"{words} {of.strategy}, {of.id[:_SHORT]}"
    to = address(f"{LIST}/{quote(of.id)}/{deed}", **look.query)
    return tag("form", button(words, class_="second", aria_label=name), action=to, method="post")


def _field_of(refusal: Refusal) -> str | None:
    """The form's field that a refusal is about; a knob's is that of all knobs."""
    name = refusal.field or ""
    known = _PLACES.get(name, name.partition(".")[0])
    return known if known in FIELDS else None


def _above(refusal: Refusal, field: str | None) -> str:
    return "Nothing is asked for yet: one field has to be changed." if field else refusal.message


def _fields(typed: Mapping[str, str], choices: Choices, told: Mapping[str, str]) -> list[Markup]:
    def said(name: str) -> tuple[str, str]:
        return typed.get(name, ""), told.get(name, "")

    span = {"type": "date", "min": str(choices.days.first), "max": str(choices.days.last)}
    strategies = {of.name: f"{of.name}: {of.sentence}" if of.sentence else of.name for of in choices.strategies}
    timeframes = {"": "the strategy's own", **{str(of): str(of) for of in Timeframe}}
    return [
        choice("strategy", "Strategy", strategies, *said("strategy")),
        entry("symbols", _COINS, *said("symbols"), placeholder=", ".join(choices.symbols[:_FEW]), **_TYPED),
        entry("start_date", "First day, UTC", *said("start_date"), **span),
        entry("end_date", "Last day, UTC", *said("end_date"), **span),
        choice("timeframe", "Timeframe", timeframes, *said("timeframe")),
        entry("cash", _CASH, *said("cash"), inputmode="decimal", **_TYPED),
        lines("params", "Knobs, a line each such as fast = 20, or JSON", *said("params")),
    ]


def _knobs(of: Choices) -> Markup:
    return section("Knobs of each strategy", *map(_knobs_of, of.strategies))


def _knobs_of(of: Choice) -> Markup:
    columns = [Column("Knob"), Column("As it is"), Column("Meaning")]
    rows = [[name, value, of.meanings[name]] for name, value in of.knobs.items()]
    inside = table(f"knobs-{of.name}", f"{of.name}, {of.timeframe}", columns, rows) if rows else note("It has none.")
    return tag("details", tag("summary", of.name), tag("p", of.sentence), inside)
