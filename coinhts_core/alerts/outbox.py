"""The outbox: alerts are written to the ledger first, so that none is lost; raised again at once, they are counted.

What lives here: `raise_alert`, what is counted instead of sent, and what lies here. What stays out: sending
(`delivery`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from coinhts_core.alerts.alert import Alert, Letter, at_least, body_of, title_of
from coinhts_core.alerts.sinks import FILE, Sink, open_sinks
from coinhts_core.governance import Government
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.queries import load_queries
from coinhts_core.masking import Mask
from coinhts_core.settings import Settings

_LONGEST_KEY = 200


@dataclass(frozen=True)
class Delivered:
    """How one delivery stands."""

    state: str
    attempts: int
    reason: str | None


@dataclass(frozen=True)
class Listed:
    """One alert, and each place it is sent to."""

    letter: Letter
    deliveries: Mapping[str, Delivered] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """As programs read it."""
        return {**vars(self.letter), "deliveries": {sink: vars(of) for sink, of in self.deliveries.items()}}


@dataclass(frozen=True)
class Outbox:
    """A ledger's alerts, the sinks they go to, and what governs them."""

    ledger: Ledger
    sinks: Mapping[str, Sink]
    mask: Mask
    government: Government

    @classmethod
    def open(cls, ledger: Ledger, settings: Settings) -> "Outbox":
        return cls(ledger, open_sinks(settings), Mask.of(settings), Government.shared(ledger))

    def raise_alert(
        self,
        alert: Alert,
        moment: datetime,
        *,
        quiet: timedelta | None = None,
        to: Iterable[str] | None = None,
    ) -> int | None:
        """Its number; none when one of its key, as grave at least, was raised in the quiet while before: a repeat.

        `to` names sinks other than those that the level calls for.
        """
        rules = self.government.now()
        quiet = timedelta(minutes=rules.alert_quiet_minutes) if quiet is None else quiet
        is_grave = alert.level in at_least(rules.alert_level)
        chosen = [name for name in self.sinks if is_grave or name == FILE] if to is None else list(to)
        queries = load_queries("alerts")
        facts = {
            "key": title_of(self.mask(alert.key))[:_LONGEST_KEY],
            "level": alert.level,
            "levels": at_least(alert.level),
            "title": title_of(self.mask(alert.title)),
            "body": body_of(self.mask(alert.body)),
            "moment": moment,
            "since": moment - quiet,
        }
        with self.ledger.transaction() as connection:
            connection.execute(queries["lock_key"], facts)
            if connection.execute(queries["count_repeat"], facts).fetchone():
                return None
            row = connection.execute(queries["record_alert"], facts).fetchone()
            number = int(row[0]) if row else 0
            for sink in chosen:
                connection.execute(queries["record_delivery"], {"number": number, "sink": sink, "moment": moment})
        return number

    def latest(self, most: int = 50) -> list[Listed]:
        queries = load_queries("alerts")
        with self.ledger.transaction() as connection:
            letters = [Letter(*row) for row in connection.execute(queries["find_alerts"], {"most": most})]
            numbers = [letter.number for letter in letters]
            found = connection.execute(queries["find_deliveries"], {"numbers": numbers}).fetchall()
        deliveries: dict[int, dict[str, Delivered]] = defaultdict(dict)
        for number, sink, *facts in found:
            deliveries[number][sink] = Delivered(*facts)
        return [Listed(letter, deliveries[letter.number]) for letter in letters]
