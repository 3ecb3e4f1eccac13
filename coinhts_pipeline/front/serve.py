"""The process that holds the one port: `python -m coinhts_pipeline.front.serve SOCKET-OF-THE-UI`.

What lives here: from settings to a server that listens. What stays out: who starts and watches it (`up`).
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer

import uvicorn

from coinhts_core import logs
from coinhts_core.ledger.connection import Ledger
from coinhts_core.masking import mask_process
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.front import address, api, reports
from coinhts_pipeline.front.app import build
from coinhts_pipeline.front.listening import listening
from coinhts_pipeline.front.readings import AT_ONCE
from coinhts_pipeline.front.rooms import module_of

_MOST_AT_ONCE = 1_000
_LISTENS_BY_S = 3.0


def main() -> None:
    mask_process()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        settings = read_settings()
        logs.set_up(settings)
        address.judge(settings.web)
        ledger = stack.enter_context(_ledger(settings)) if settings.web.password or settings.postgres_url else None
        stack.enter_context(_warmed_later())
        uvicorn.Server(_configured(settings, ledger, Path(sys.argv[1]))).run()


@contextmanager
def _warmed_later() -> Iterator[None]:
    """First it listens; then what takes seconds to import comes, before somebody asks for it and others behind them."""
    timer = Timer(_LISTENS_BY_S, warm)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def warm() -> None:
    for room in (*api.ROOMS, *reports.ROOMS, "gauges"):
        module_of(room)


def _ledger(settings: Settings) -> Ledger:
    if settings.postgres_url is None:
        msg = "the ledger's address is set by `coinhts up`, which starts this process"
        raise RuntimeError(msg)
    return Ledger.open(settings.postgres_url.get_secret_value(), AT_ONCE, AT_ONCE)


def _configured(settings: Settings, ledger: Ledger | None, ui: Path) -> uvicorn.Config:
    return listening(
        build(settings, ledger, ui),
        "coinhts.front",
        host=settings.web.host,
        port=settings.web.port,
        limit_concurrency=_MOST_AT_ONCE,
    )


if __name__ == "__main__":
    main()
