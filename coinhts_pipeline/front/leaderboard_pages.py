"""Which strategy suits which coin, on a page: /reports/leaderboard.

What lives here: the route. What stays out: the ranking (`coinhts_core.results`), the page (`pages.leaderboard`), and
what programs read (`leaderboard`).
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coinhts_core.results.ranking import FEW, read_asked
from coinhts_pipeline.front.pages.leaderboard import HERE, PLACE, Board, leaderboard_page
from coinhts_pipeline.front.readings import Readings
from coinhts_pipeline.front.shown import House, asked, shown


def routes(house: House) -> list[Route]:
    return [Route(PLACE, _Pages(house).shown, methods=["GET"])]


class _Pages:
    """What is kept, ranked when somebody looks."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def shown(self, request: Request) -> Response:
        def read(readings: Readings) -> Response:
            wanted = replace(read_asked(asked(request)), limit=FEW)
            found = readings.shelf.ranked(replace(wanted, limit=FEW + 1))
            return shown(leaderboard_page(Board(found[:FEW], wanted, has_more=len(found) > FEW)))

        return await self._house.answer(read, HERE)
