"""A watch over all components at once: one that hangs harms no other, and is not asked a second time meanwhile.

What lives here: `Watch`, for who asks often, and `watch`, for a command. What stays out: how a component is looked at
(`components`), and what it means (`coinhts_core.ops.health`).
"""

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from threading import Lock

from pydantic import SecretStr

from coinhts_core.errors import CoinhtsError
from coinhts_core.ledger.address import url_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.ops.health import Component, Health, Status
from coinhts_core.settings import Settings
from coinhts_pipeline.health.components import PARTS, Part, Sight
from coinhts_pipeline.health.diagnosis import Begun, Finding, State

PATIENCE_S = 1.5
NAMES = tuple(PARTS)
_STATUSES = {State.OK: Status.HEALTHY, State.WARNING: Status.WARNING, State.FAILED: Status.UNHEALTHY}


class Watch:
    """Looks, each bounded in time, as often as anybody asks; of each component one look is under way at most.

    What hung, and ended when nobody waited any more, told of a time gone by: it is asked anew.
    """

    def __init__(self, settings: Settings, no_ledger: CoinhtsError | None = None) -> None:
        self._sight = Sight(settings, no_ledger)
        self._begun: dict[str, Begun] = {}
        self._kept: dict[str, tuple[float, Component]] = {}
        self._one_at_a_time = Lock()

    def look(self, moment: datetime, only: Collection[str] = (), patience_s: float = PATIENCE_S) -> Health:
        with self._one_at_a_time:
            wanted = [part for name, part in PARTS.items() if name in (only or NAMES)]
            self._begun = {name: begun for name, begun in self._begun.items() if not begun.has_ended}
            hung_s = {name: begun.seconds for name, begun in self._begun.items()}
            for part in wanted:
                self._begin(part, moment)
            seen = (self._seen(part.name, hung_s.get(part.name, 0.0) + patience_s) for part in wanted)
            return Health(moment, tuple(seen))

    def close(self) -> None:
        self._sight.venue.close()

    def _begin(self, part: Part, moment: datetime) -> None:
        """A clock is compared with the exchange's, so the exchange is asked with it."""
        if part.name == "clock":
            self._begin(PARTS["exchange"], moment)
        kept_at, _ = self._kept.get(part.name, (float("-inf"), None))
        if part.name not in self._begun and time.monotonic() - kept_at >= part.stays_s:
            self._begun[part.name] = Begun(part.name, partial(part.look, self._sight, moment), part.to_do)

    def _seen(self, name: str, patience_s: float) -> Component:
        if name not in self._begun:
            return self._kept[name][1]
        begun = self._begun[name]
        component = _component(begun.found(patience_s), begun.seconds)
        if begun.has_told:
            del self._begun[name]
            self._kept[name] = (time.monotonic(), component)
        return component


@contextmanager
def watch(settings: Settings) -> Iterator[Watch]:
    """For a command: the home's own server is joined or started, and nothing is made in any."""
    with ExitStack() as stack:
        try:
            address = url_of(settings) if settings.postgres_url else _own_server(settings, stack)
        except CoinhtsError as error:
            watch = Watch(settings, error)
        else:
            watch = Watch(settings.model_copy(update={"postgres_url": SecretStr(address)}))
        stack.callback(watch.close)
        yield watch


def _own_server(settings: Settings, stack: ExitStack) -> str:
    return stack.enter_context(EmbeddedServer.share(settings.home)).url("coinhts")


def _component(finding: Finding, seconds: float) -> Component:
    reason = finding.found.removesuffix(f"; {finding.to_do}")
    return Component(finding.check, _STATUSES[finding.state], round(seconds * 1_000, 1), reason, finding.to_do)
