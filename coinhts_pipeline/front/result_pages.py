"""Results that were kept, as pages: the front page, lists, one of them, two side by side, heat maps.

What lives here: the routes, and what is read for each. What stays out: how pages look (`pages`), what lists may be
asked for (`coinhts_core.results.kept`), and results for programs (`results`).
"""

import time
from collections.abc import Callable, Mapping

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coinhts_core.backtests.overfitting import Counted, badge_of
from coinhts_core.backtests.tearsheet.markup import Markup
from coinhts_core.errors import BadRequestError, RefusedError, RetryableError
from coinhts_core.results.frames import document_from
from coinhts_core.results.kept import FARTHEST, Kept, Wanted, read_id, read_wanted
from coinhts_core.results.shelf import Shelf
from coinhts_core.results.swept import BY, heatmap
from coinhts_pipeline.backtests import tearsheet_of
from coinhts_pipeline.front.pages.comparisons import comparison_page
from coinhts_pipeline.front.pages.files import front_page
from coinhts_pipeline.front.pages.looks import ROOT, alert, code, note
from coinhts_pipeline.front.pages.results import HERE, Listed, latest, results_page
from coinhts_pipeline.front.pages.runs import run_page
from coinhts_pipeline.front.pages.sweeps import Swept, heatmap_page, sweep_page
from coinhts_pipeline.front.pages.walks import walk_page
from coinhts_pipeline.front.reports import as_report, entries
from coinhts_pipeline.front.shown import House, asked, shown
from coinhts_pipeline.walkforwards import badge_on, days_unseen

_LATEST = 5
_PAIR = 2
_AT_ONCE = 0.0
_REMEMBERS_S = 60.0
_DIGITS = len(str(FARTHEST))
Question = Callable[[Shelf], Response]
Frames = Mapping[str, pl.DataFrame]


def routes(house: House) -> list[Route]:
    results = _Results(house)
    return [
        Route(ROOT, results.front),
        Route(f"{ROOT}results", results.listed),
        Route(f"{ROOT}results/{{id}}", results.one),
        Route(f"{ROOT}compare", results.compared),
        Route(f"{ROOT}heatmap/{{id}}", results.drawn),
    ]


class _Results:
    """What is on the shelf."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._counted: tuple[float, Counted] | None = None

    async def front(self, request: Request) -> Response:
        """Files are there whether the ledger is or not."""
        del request
        files = await run_in_threadpool(entries, self._house.settings.reports_folder)
        return shown(front_page(await self._latest(), files))

    async def listed(self, request: Request) -> Response:
        return await self._answered(lambda shelf: self._list(shelf, asked(request)))

    async def one(self, request: Request) -> Response:
        return await self._answered(lambda shelf: self._one(shelf, _id(request), asked(request)))

    async def compared(self, request: Request) -> Response:
        return await self._answered(lambda shelf: shown(comparison_page(shelf.compare(*_pair(request)))))

    async def drawn(self, request: Request) -> Response:
        return await self._answered(lambda shelf: self._map(shelf, _id(request), asked(request)))

    async def _latest(self) -> Markup:
        readings = self._house.readings
        if readings is None:
            return note("There is no ledger here, and so there are no results; ", code("coinhts up"), " starts one.")
        try:
            return await readings.ask(lambda: latest(readings.shelf.listed(Wanted(limit=_LATEST))), _AT_ONCE)
        except (RetryableError, RefusedError) as error:
            return alert(str(error))

    async def _answered(self, question: Question) -> Response:
        return await self._house.answer(lambda readings: question(readings.shelf), HERE)

    def _list(self, shelf: Shelf, told: dict[str, str]) -> Response:
        wanted = read_wanted(told)
        rows = shelf.listed(wanted.model_copy(update={"limit": wanted.limit + 1}))
        has_more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        return shown(results_page(Listed(told, wanted, rows, shelf.grades(rows, self._tried(shelf)), has_more)))

    def _tried(self, shelf: Shelf) -> Counted:
        """Of all strategies: their count takes long where there are many, and changes little in a minute."""
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] > _REMEMBERS_S:
            self._counted = now, shelf.counted("of all")
        return self._counted[1]

    def _one(self, shelf: Shelf, name: str, told: dict[str, str]) -> Response:
        kept, frames = shelf.find(name), shelf.frames(name)
        if kept.kind == "backtest":
            return self._run(shelf, kept, frames)
        document = kept.completed(document_from(kept.id, frames))
        if kept.kind == "sweep":
            swept = Swept(kept, document, told.get("by", BY), _offset(told.get("offset", "0")))
            return shown(sweep_page(swept))
        badge = badge_on(document, days_unseen(document), shelf.counted(kept.strategy))
        return shown(walk_page(kept, document, badge))

    def _run(self, shelf: Shelf, kept: Kept, frames: Frames) -> Response:
        """Its tearsheet as it was drawn; its figures where none is at hand."""
        if page := tearsheet_of(self._house.settings, kept.id):
            return as_report(page)
        badge = badge_of(kept.metrics, kept.days, shelf.counted(kept.strategy))
        return shown(run_page(kept, badge, document_from(kept.id, frames)["warnings"]))

    def _map(self, shelf: Shelf, name: str, told: dict[str, str]) -> Response:
        kept = shelf.find(name)
        document = kept.completed(document_from(kept.id, shelf.frames(kept.id)))
        drawn = heatmap(document, told.get("by", BY), told.get("x"), told.get("y"))
        return shown(heatmap_page(kept, document, drawn))


def _id(request: Request) -> str:
    return _read_id("id", request.path_params["id"])


def _pair(request: Request) -> list[str]:
    """Two that were chosen, or `a` and `b`."""
    told = [(name, value) for name, value in request.query_params.multi_items() if name in {"id", "a", "b"} and value]
    if len(told) != _PAIR:
        raise BadRequestError(field="id", reason=f"two results are compared, and {len(told)} were chosen")
    return [_read_id(name, value) for name, value in told]


def _read_id(field: str, text: str) -> str:
    try:
        return read_id(text)
    except RefusedError as error:
        raise BadRequestError(field=field, reason=str(error)) from None


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= FARTHEST):
        raise BadRequestError(field="offset", reason=f"it takes a whole number from 0 to {FARTHEST}")
    return int(text)
