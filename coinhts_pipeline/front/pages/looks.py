"""How our pages look: their frame, the way between them, and what they are made of.

What lives here: `page` with the navigation, `door` without, and parts that several pages use: tables, forms, facts.
What to add: a page's name in `PAGES`, a part that a second page needs. What stays out: what a page shows (its own
file), Dagster's UI, and tearsheets, which bring their own looks.

    page("Results", form(...), table(...), here="results") -> the text of a page

Words are escaped by `tag`, whoever wrote them. Colours are named in `style.css`, once for light and once for dark, and
never tell anything alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_core.backtests.tearsheet.shell import style

CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROOT = "/reports/"
PAGES: Mapping[str, str] = {
    "": "Reports",
    "results": "Results",
    "leaderboard": "Leaderboard",
    "requests": "Requests",
    "positions": "Positions",
}
_KST = ZoneInfo("Asia/Seoul")
_NEW_LINE = Markup("\n")
Options = Mapping[str, str] | Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column's head; with a link, it sorts the table by it."""

    label: str
    is_number: bool = False
    link: str | None = None
    sorted: Literal["ascending", "descending"] | None = None


def page(
    title: str,
    *parts: str,
    here: str = "",
    is_below: bool = False,
    refresh_s: int | None = None,
    has_charts: bool = False,
) -> str:
    """A page of the desk; `here` is one of `PAGES`, or what this one `is_below`."""
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    main = tag("main", tag("h1", title), *parts, id="content", tabindex=-1)
    header = _header(here, "true" if is_below else "page")
    head = _head(title, refresh_s, style("charts") if has_charts else "")
    return _document(head, tag("body", skip, header, main, class_="desk"))


def door(title: str, *parts: str, refresh_s: int | None = None) -> str:
    """A page for whoever is not inside: it leads nowhere else."""
    body = (tag("p", "coinhts", class_="house"), tag("h1", title), *parts)
    return _document(_head(title, refresh_s), tag("body", tag("main", *body), class_="door"))


def section(title: str, *parts: str) -> Markup:
    return tag("section", tag("h2", title), *parts)


def note(*words: str) -> Markup:
    """Beside the point; of an empty house, what to do next."""
    return tag("p", *words, class_="quiet")


def alert(words: str, name: str | None = None) -> Markup:
    """Read aloud at once."""
    return tag("p", words, role="alert", class_="bad", id=name)


def code(words: str) -> Markup:
    return tag("code", words)


def link(words: str, to: str, /, **query: object) -> Markup:
    return tag("a", words, href=address(to, **query))


def address(to: str, /, **query: object) -> str:
    """What is None is not asked for."""
    asked = {name: value for name, value in query.items() if value is not None}
    return f"{to}?{urlencode(asked, errors='replace')}" if asked else to


def moment(at: datetime) -> Markup:
    """UTC, and KST beside it."""
    in_utc, in_kst = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC", f"{at.astimezone(_KST):%m-%d %H:%M} KST"
    return tag("time", whole(in_utc), " ", tag("small", whole(in_kst)), datetime=at.isoformat())


def days(first: date, last: date) -> Markup:
    """Both included."""
    return joined(whole(f"{first} to"), " ", whole(str(last)))


def whole(words: str) -> Markup:
    """They stay on one line."""
    return tag("span", words, class_="whole")


def facts(of: Mapping[str, str]) -> Markup:
    """Names, and what each is."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in of.items()), class_="facts")


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, headed_by: int = 0
) -> Markup:
    """The column `headed_by` says what its row is about."""
    head = tag("tr", *map(_column, columns))
    return framed(name, caption, head, [tag("tr", *_cells(columns, row, headed_by)) for row in rows])


def framed(name: str, caption: str, head: Markup, rows: Iterable[Markup], class_: str | None = None) -> Markup:
    """A table scrolls in a region of its own, by keyboard, too, and the page does not."""
    titled = tag("caption", caption, id=f"{name}-caption")
    inside = tag("table", titled, tag("thead", head), tag("tbody", *rows), id=name, class_=class_)
    return tag("div", inside, class_="scrolling", role="region", tabindex=0, aria_labelledby=f"{name}-caption")


def form(*fields: str, deed: str, to: str, method: Literal["get", "post"] = "get", name: str | None = None) -> Markup:
    """Fields, and the button that sends them."""
    return tag("form", *fields, button(deed), action=to, method=method, id=name, class_="fields")


def button(deed: str, **attributes: str | None) -> Markup:
    return tag("button", deed, type="submit", **attributes)


def hidden(name: str, value: str) -> Markup:
    return tag("input", type="hidden", name=name, value=value)


def entry(name: str, label: str, value: str = "", refusal: str = "", **attributes: str | int | None) -> Markup:
    """A line to type in; what is refused of it stands below it."""
    told = {"type": "text", **attributes, **_refused(name, refusal)}
    return _field(name, label, refusal, tag("input", id=name, name=name, value=value, **told))


def choice(name: str, label: str, options: Options, chosen: str = "", refusal: str = "") -> Markup:
    """One of several: each value with its words, or the values alone."""
    words = options if isinstance(options, Mapping) else {value: value for value in options}
    listed = [
        tag("option", text, value=value, selected="" if value == chosen else None) for value, text in words.items()
    ]
    return _field(name, label, refusal, tag("select", *listed, id=name, name=name, **_refused(name, refusal)))


def lines(name: str, label: str, value: str = "", refusal: str = "", rows: int = 4) -> Markup:
    """Several lines to type in."""
    typed = joined(*(part for line in value.splitlines() for part in (_NEW_LINE, line)))
    area = tag("textarea", typed or _NEW_LINE, id=name, name=name, rows=rows, **_refused(name, refusal))
    return _field(name, label, refusal, area)


def _field(name: str, label: str, refusal: str, control: Markup) -> Markup:
    refused = [tag("p", refusal, class_="bad", id=f"{name}-refused")] if refusal else []
    return tag("div", tag("label", label, for_=name), control, *refused, class_="field")


def _refused(name: str, refusal: str) -> dict[str, str]:
    return {"aria_invalid": "true", "aria_describedby": f"{name}-refused"} if refusal else {}


def _document(head: Markup, body: Markup) -> str:
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _head(title: str, refresh_s: int | None, charts: str = "") -> Markup:
    refresh = [] if refresh_s is None else [tag("meta", http_equiv="refresh", content=refresh_s)]
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        *refresh,
        tag("title", f"{title} · coinhts"),
        tag("style", _style(), charts),
    )


def _header(here: str, current: str) -> Markup:
    listed = [
        tag("li", tag("a", words, href=f"{ROOT}{name}", aria_current=current if name == here else None))
        for name, words in PAGES.items()
    ]
    others = tag("ul", tag("li", link("Dagster's UI", "/")), tag("li", link("Log out", "/logout")))
    return tag(
        "header", tag("p", "coinhts", class_="house"), tag("nav", tag("ul", *listed), others, aria_label="Pages")
    )


def _column(of: Column) -> Markup:
    words = of.label if of.link is None else tag("a", of.label, href=of.link)
    return tag("th", words, scope="col", aria_sort=of.sorted, class_="number" if of.is_number else None)


def _cells(columns: Sequence[Column], row: Sequence[str], headed_by: int) -> Iterable[Markup]:
    for place, (column, value) in enumerate(zip(columns, row, strict=True)):
        kind = "number" if column.is_number else None
        is_head = place == headed_by
        yield tag("th" if is_head else "td", value, scope="row" if is_head else None, class_=kind)


@cache
def _style() -> Markup:
    return Markup(resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8"))
