"""What the child of a worker does: one request, computed and kept, and how it ended in words.

What lives here: `answered`, and the page of a result. What stays out: its limits and its end (`requests.worker`).
"""

from collections.abc import Callable
from typing import Any

from coinhts_core.backtests.runs import Result
from coinhts_core.backtests.sheets import sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.clock import now
from coinhts_core.errors import CoinhtsError, RefusedError, RetryableError
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.masking import Mask
from coinhts_core.requests.answer import answer, figures_of
from coinhts_core.requests.reception import Reception
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import Settings
from coinhts_core.wording import clipped

PAGES = "requests"
Json = dict[str, Any]
Tell = Callable[[float, str], None]


def answered(settings: Settings, order: Json, tell: Tell) -> Json:
    """Whatever happens, in words; only what kills the process leaves none."""
    try:
        return {"end": "completed", "figures": _computed(settings, order, tell)}
    except BaseException as error:  # noqa: BLE001 - a strategy is anybody's code, and may raise anything
        end = "again" if isinstance(error, RetryableError) else "failed"
        return {"end": end, "reason": _in_words(settings, _reason(error, order))}


def _reason(error: BaseException, order: Json) -> str:
    if isinstance(error, CoinhtsError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"it needs more memory than {order['memory_mb']} MiB"
    if isinstance(error, SystemExit):
        return f"it wanted to end its process ({error.code})"
    if isinstance(error, RecursionError):
        return "it calls itself too deeply"
    return f"{type(error).__name__}: {error}"


def _in_words(settings: Settings, reason: str) -> str:
    return clipped(Mask.of(settings)(reason))


def _computed(settings: Settings, order: Json, tell: Tell) -> Json:
    if settings.postgres_url is None:
        msg = "the ledger's address is set by whoever starts this process"
        raise RuntimeError(msg)
    with Ledger.open(settings.postgres_url.get_secret_value(), most_connections=2) as ledger:
        lake = Lake.open(settings.lake_url, settings.s3, settings.cache_folder)
        reception = Reception(settings, ledger, lake)
        furnished = reception.recalled(order["asked"], now())
        if furnished.identity != order["id"]:
            reason = "the candles, the strategy or the code have changed since it was asked; ask again"
            raise RefusedError(reason=reason)
        shelf = Shelf(ledger, lake)
        result = answer(furnished, lake, shelf, tell, lambda: reception.recalled(order["asked"], now()).identity)
        counted = shelf.counted(furnished.request.strategy)
    figures = figures_of(result)
    if isinstance(result, Result):
        figures["page"] = _page(settings, order["id"], sheet_of(result, counted))
    return figures


def _page(settings: Settings, name: str, sheet: Sheet) -> str:
    """The tearsheet, where the front shows it."""
    folder = settings.reports_folder / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}"
    draft.write_text(tearsheet(sheet), encoding="utf-8")
    draft.replace(folder / f"{name}.html")
    return f"/reports/{PAGES}/{name}.html"
