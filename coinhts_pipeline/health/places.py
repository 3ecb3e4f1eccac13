"""Places elsewhere: does the lake take and give bytes, does the exchange answer and list what is followed.

What lives here: checks that ask a disk, a bucket or a venue. What stays out: what is stored there (`stored`).
"""

from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex
from urllib.parse import urlsplit

from coinhts_core.errors import DamagedObjectError
from coinhts_core.exchanges import Exchange, open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.places import open_store
from coinhts_core.lake.store import Store
from coinhts_core.settings import ALL_KRW, Settings
from coinhts_core.wording import nearest
from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed

_VENUE = "venue.json"
CHECK_LAKE = "check COINHTS_LAKE, COINHTS_S3__ENDPOINT, the network and the AWS keys"
CHECK_EXCHANGE = "check the network and COINHTS_UPBIT__BASE_URL, then try again later"


def findings(settings: Settings) -> Iterator[Finding]:
    yield diagnosed("lake", lambda: _lake(settings), CHECK_LAKE)
    listed: list[str] = []
    yield diagnosed("exchange", lambda: _exchange(settings, listed), CHECK_EXCHANGE)
    if listed:
        yield diagnosed("markets", lambda: _markets(settings, listed), "mend COINHTS_SYMBOLS")


def _lake(settings: Settings) -> str:
    """Something is put there, read back and removed: each of the three may be forbidden alone."""
    store = open_store(settings.lake_url, settings.s3)
    path, content = f"doctor-{token_hex(8)}", b"can be written"
    store.create(path, content)
    try:
        if bytes(store.get(path) or b"") != content:
            raise DamagedObjectError(path=store.full_name(path), reason="it is not what was just written")
    finally:
        store.remove(path)
    if store.get(_VENUE) is not None:
        _judge_venue(settings, store)
    return f"{store.full_name('').rstrip('/.')} can be written"


def lake_reads(settings: Settings) -> str | Trouble:
    """Nothing is written, for this is asked often; a lake in use has its mark."""
    store = open_store(settings.lake_url, settings.s3)
    place = store.full_name("").rstrip("/.")
    if store.get(_VENUE) is None:
        what = f"{place} holds no {_VENUE}, which every lake in use has: it is empty, lost, or another one"
        return Trouble(
            what, "mend COINHTS_LAKE, or bring a backup back; in a new home `coinhts backfill` makes it", State.FAILED
        )
    _judge_venue(settings, store)
    return f"{place} can be read"


def _judge_venue(settings: Settings, store: Store) -> None:
    Lake(store).mark_venue(settings.exchange, suggestion=f"{settings.home}-{settings.exchange}")


def _exchange(settings: Settings, listed: list[str]) -> str | Trouble:
    with closing(open_exchange(settings.exchange, settings)) as exchange:
        if trouble := blocked(exchange):
            return trouble
        markets = exchange.markets()
    listed += [listing.symbol for listing in markets]
    return f"{settings.exchange} answers{at(settings)}, {len(markets)} markets listed"


def blocked(exchange: Exchange) -> Trouble | None:
    if until := exchange.blocked_until():
        what = f"{exchange.name} has blocked us until {until:%Y-%m-%d %H:%M:%S} UTC"
        return Trouble(what, "wait: nothing calls it before, and everything goes on by itself then", State.FAILED)
    return None


def at(settings: Settings) -> str:
    """An address may carry a name and a password."""
    return f" at {urlsplit(settings.upbit.base_url).netloc.rpartition('@')[2]}" if settings.exchange == "upbit" else ""


def _markets(settings: Settings, listed: list[str]) -> str | Trouble:
    if settings.symbols == ALL_KRW:
        return f"all {len([symbol for symbol in listed if symbol.startswith('KRW-')])} in KRW are followed"
    gone = [symbol for symbol in settings.symbols if symbol not in listed]
    if gone:
        what = f"{settings.exchange} does not list {', '.join(gone)}{nearest(gone[0], listed).rstrip('?')}"
        return Trouble(what, "take what was delisted or misspelt out of COINHTS_SYMBOLS")
    return f"{len(settings.symbols)} followed, all of them listed"
