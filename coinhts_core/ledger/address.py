"""Where the ledger is: the home's own server, started or joined, or the one that the settings name.

What lives here: settings with both addresses in them, the ledger's and that of Dagster's database beside it. What stays
out: starting a server (`server`), and what is done there (`connection`).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from pydantic import SecretStr

from coinhts_core.ledger.connection import Ledger, database_beside, ensure_database
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.settings import Settings, usable_home


@contextmanager
def reachable(settings: Settings) -> Iterator[Settings]:
    """A server that answers, with the ledger's database and Dagster's beside it; the settings with both addresses."""
    home = usable_home(settings)
    with ExitStack() as stack:
        if settings.postgres_url:
            url = settings.postgres_url.get_secret_value()
        else:
            url = stack.enter_context(EmbeddedServer.share(home)).url("coinhts")
        given = settings.dagster_postgres_url
        dagster_url = spoken_as("postgresql", given.get_secret_value()) if given else database_beside(url, "_dagster")
        for address in (url, dagster_url):
            ensure_database(address)
        found = {"postgres_url": SecretStr(url), "dagster_postgres_url": SecretStr(dagster_url)}
        yield settings.model_copy(update=found)


@contextmanager
def connected_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger as it is, whatever its schema."""
    with reachable(settings) as found, Ledger.open(url_of(found)) as ledger:
        yield ledger


def url_of(settings: Settings) -> str:
    if settings.postgres_url is None:
        msg = "the ledger's address is set by `coinhts` before anything runs"
        raise RuntimeError(msg)
    return settings.postgres_url.get_secret_value()


def spoken_as(scheme: str, url: str) -> str:
    """Dagster's storage wants its driver named; everybody else's does not know the name."""
    return urlsplit(url)._replace(scheme=scheme).geturl()
