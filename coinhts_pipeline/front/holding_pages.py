"""Positions kept by hand, on a page: /reports/positions.

What lives here: the route. What stays out: the page (`pages.positions`), and changes (`holdings`, the command).
"""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coinhts_core.clock import now
from coinhts_core.holdings.book import Book
from coinhts_core.holdings.document import document_of
from coinhts_core.holdings.prices import Prices
from coinhts_core.lake.lake import Lake
from coinhts_pipeline.front.pages.positions import HERE, LIST, Shown, positions_page
from coinhts_pipeline.front.readings import Readings
from coinhts_pipeline.front.shown import House, asked, shown

_ROWS = 20  # of each, all minutes of its time are looked at


def routes(house: House) -> list[Route]:
    return [Route(LIST, _Pages(house).listed, methods=["GET"])]


class _Pages:
    """What is asked of the book, and shown."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lake = cache(_lake)

    async def listed(self, request: Request) -> Response:
        def read(readings: Readings) -> Response:
            said = asked(request)
            found = Book(readings.ledger).listed({**said, "limit": str(_ROWS)}, is_open_first=True)
            prices, moment = Prices(self._lake(readings)), now()
            documents = [document_of(of, prices, moment) for of in found.holdings]
            return shown(positions_page(Shown(documents, found.matching, said, _ROWS)))

        return await self._house.answer(read, HERE)


def _lake(readings: Readings) -> Lake:
    settings = readings.settings
    return Lake.open(settings.lake_url, settings.s3, settings.cache_folder)
