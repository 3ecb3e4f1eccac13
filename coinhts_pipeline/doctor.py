"""The doctor: what works here, what does not, and what to do about it.

What lives here: one function a check, each with its finding. What stays out: mending.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from coinhts_core.errors import CoinhtsError
from coinhts_core.exchanges import open_exchange
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.lineup import read_lineup
from coinhts_core.settings import Settings, read_settings, usable_home
from coinhts_pipeline.backfill import behind
from coinhts_pipeline.installation import open_installation

_LEAST_FREE_GIB = 1


@dataclass(frozen=True)
class Finding:
    """One check and what was found."""

    check: str
    is_well: bool
    found: str


def examine() -> Iterator[Finding]:
    """Each check stands alone, except that nothing stored can be looked at before the installation opens."""
    yield _finding("python", lambda: sys.version.split()[0])
    try:
        settings = read_settings()
    except CoinhtsError as error:
        yield Finding("settings", is_well=False, found=str(error))
        return
    yield Finding(
        "settings",
        is_well=True,
        found=f"{settings.exchange}, {settings.trading.mode} trading, from {settings.start_date}",
    )
    yield _finding("home", lambda: str(usable_home(settings)))
    yield _disk(settings)
    yield _finding("exchange", lambda: _exchange(settings))
    yield _finding("strategies", lambda: ", ".join(_lineup(settings)) or "none is enabled")
    yield from _stored(settings)


def _lineup(settings: Settings) -> list[str]:
    return list(read_lineup(settings.strategies_folder, settings.lineup_file))


def _stored(settings: Settings) -> Iterator[Finding]:
    try:
        with open_installation(settings) as installation:
            yield _finding("ledger", lambda: _ledger(settings))
            yield _finding("lake", lambda: settings.lake_url)
            yield _finding(
                "symbols",
                lambda: ", ".join(of.symbol for of in installation.rooms.active),
            )
            yield _finding("days", lambda: behind(installation))
    except CoinhtsError as error:
        yield Finding("installation", is_well=False, found=str(error))


def _exchange(settings: Settings) -> str:
    with closing(open_exchange(settings.exchange, settings)) as exchange:
        return f"{len(exchange.markets())} markets listed"


def _ledger(settings: Settings) -> str:
    if settings.postgres_url:
        return "a server of your own"
    with EmbeddedServer.share(settings.home) as server:
        return f"embedded PostgreSQL, its files in {server.data_directory}"


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.anchor).free / 2**30
    return Finding("disk", free >= _LEAST_FREE_GIB, f"{free:.0f} GiB free")


def _finding(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, is_well=True, found=look())
    except CoinhtsError as error:
        return Finding(check, is_well=False, found=str(error))
