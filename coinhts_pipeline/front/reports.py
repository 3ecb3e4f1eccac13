"""COINHTS_HOME/reports, listed and shown: pages that may draw, and do nothing in the name of who reads them.

What lives here: `Reports`. What stays out: making reports.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages import CONTENT_POLICY, Entry, reports_page

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
_OF_A_LIST = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}
_MISSING = Refusal(HTTPStatus.NOT_FOUND, "no_report", "there is no such report")


class Reports:
    """Gives files below its folder and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def show(self, request: Request) -> Response:
        return await run_in_threadpool(self._shown, request.path_params["path"])

    def _shown(self, path: str) -> Response:
        found = within(self._folder, path) if path else self._folder
        is_list = not path or path.endswith("/")
        if found and found.is_file() and not is_list:
            return FileResponse(found, headers=_OF_A_REPORT)
        if found and found.is_dir() and not is_list:
            return RedirectResponse(f"./{quote(found.name)}/", HTTPStatus.SEE_OTHER)
        if found and (found.is_dir() or not path):
            return HTMLResponse(reports_page(path, list(_entries(found))), headers=_OF_A_LIST)
        return JSONResponse(_MISSING.document, _MISSING.status)


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


def _entries(folder: Path) -> Iterator[Entry]:
    """Folders first, then files, by name."""
    found = [of for of in folder.iterdir() if within(folder, of.name)] if folder.is_dir() else []
    for of in sorted(found, key=lambda of: (not of.is_dir(), of.name)):
        facts = of.stat()
        yield Entry(of.name, of.is_dir(), facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))
