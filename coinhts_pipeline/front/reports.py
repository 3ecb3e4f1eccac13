"""All below /reports/: pages made of what is asked for, and COINHTS_HOME/reports, listed and shown.

What lives here: the routes, and `Reports`, which gives files: they may draw, and do nothing in the name of who reads
them. What to add: a room of pages, as a module with `routes` and its paths in `ROOMS`; a path that is listed there is
never a file's. What stays out: the pages themselves (`result_pages`, …), and making reports.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from coinhts_pipeline.front.origins import Asked
from coinhts_pipeline.front.pages.files import Entry, folder_page
from coinhts_pipeline.front.rooms import Room
from coinhts_pipeline.front.shown import House, Missing, missing, shown

# A sandbox without `allow-same-origin`: what a report runs belongs to no origin, so no door opens to it.
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A sandboxed page with an opener policy of its own is not shown by browsers.
_OF_A_REPORT = {
    "Content-Security-Policy": SANDBOX,
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Cache-Control": "private, no-cache",
}
ROOMS = {
    "result_pages": ("", "results", "results/{id}", "compare", "heatmap/{id}"),
    "leaderboard_pages": ("leaderboard",),
    "request_pages": ("requests", "requests/new", "requests/{id}/{deed}"),
    "holding_pages": ("positions",),
}


def routes(house: House) -> list[Route]:
    rooms = [(Room(name, house, Missing()), paths) for name, paths in ROOMS.items()]
    return [
        Route("/reports", _into_reports),
        *(Route(f"/reports/{path}", room) for room, paths in rooms for path in paths),
        Route("/reports/{path:path}", Reports(house.settings.reports_folder).show),
    ]


async def _into_reports(request: Request) -> RedirectResponse:
    del request
    return RedirectResponse("/reports/", HTTPStatus.SEE_OTHER)


class Reports:
    """Gives files below its folder and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def show(self, request: Request) -> Response:
        found = await run_in_threadpool(self._found, request.path_params["path"])
        return found or missing(Asked.of(request.scope))

    def _found(self, path: str) -> Response | None:
        found = within(self._folder, path)
        if found and found.is_file() and not path.endswith("/"):
            return as_report(found)
        if found and found.is_dir() and path.endswith("/"):
            return shown(folder_page(path, entries(found)))
        if found and found.is_dir():
            return RedirectResponse(f"./{quote(found.name)}/", HTTPStatus.SEE_OTHER)
        return None


def as_report(file: Path) -> Response:
    return FileResponse(file, headers=_OF_A_REPORT)


def within(folder: Path, path: str) -> Path | None:
    """What lies there, if it is below the folder whatever links say, and not hidden."""
    names = path.removesuffix("/").split("/")
    if any(not name or name.startswith(".") or "\\" in name or not name.isprintable() for name in names):
        return None
    try:
        root = folder.resolve()
        found = root.joinpath(*names).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return found if found.is_relative_to(root) and found != root else None


def entries(folder: Path) -> list[Entry]:
    """Folders first, then files, by name; none where there is no folder yet."""
    return list(_entries(folder))


def _entries(folder: Path) -> Iterator[Entry]:
    found = [of for of in folder.iterdir() if within(folder, of.name)] if folder.is_dir() else []
    for of in sorted(found, key=lambda of: (not of.is_dir(), of.name)):
        facts = of.stat()
        yield Entry(of.name, of.is_dir(), facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))
