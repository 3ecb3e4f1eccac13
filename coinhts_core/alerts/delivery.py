"""Delivery: what lies in the outbox is sent, each alert to each place once, with patience.

What lives here: one round of sending, waiting after failures, giving up, and telling others of a place that stays
closed. What stays out: how a place is spoken to (`sinks`).

An alert is claimed before it is sent and noted afterwards. Whoever dies between the two leaves a claim that runs out;
then it is sent again, for twice is better than never.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from coinhts_core.alerts.alert import Alert, Letter, body_of, title_of
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.alerts.sinks import FILE, Sink
from coinhts_core.errors import SinkRefusedError, SinkUnavailableError
from coinhts_core.ledger.queries import load_queries
from coinhts_core.masking import Mask

_CLAIM = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(hours=1)
_UNSENT_TOO_LONG = timedelta(minutes=30)
_LOOKED_BACK = timedelta(days=1)
_TOLD_AGAIN_AFTER = timedelta(hours=6)
_NO_NUMBER = 0
_log = logging.getLogger("coinhts.alerts")


@dataclass(frozen=True)
class Round:
    """What one round of sending came to."""

    sent: int = 0
    failed: int = 0

    def __add__(self, other: "Round") -> "Round":
        return Round(self.sent + other.sent, self.failed + other.failed)


def wait_after(attempts: int) -> timedelta | None:
    """1, 2, 4… seconds, at last an hour; after that none: it is given up."""
    wait = _FIRST_WAIT * 2 ** (attempts - 1)
    return None if wait >= 2 * _LONGEST_WAIT else min(wait, _LONGEST_WAIT)


def deliver(outbox: Outbox, moment: datetime) -> Round:
    """All that is due, to every place; a place that does not answer is left alone until the next round."""
    total = Round()
    for sink in outbox.sinks.values():
        room = _room(outbox, sink.name, moment)
        while room > 0 and (claimed := _claimed(outbox, sink.name, moment)):
            failure = _sent(outbox, sink, *claimed, moment)
            total += Round(failed=1) if failure else Round(sent=1)
            if isinstance(failure, SinkUnavailableError):
                break
            room -= 1
    return total


def escalate(outbox: Outbox, moment: datetime) -> list[int]:
    """Where errors do not arrive for half an hour, the other places are told so; the numbers of what was raised."""
    spans = {"earliest": moment - _LOOKED_BACK, "latest": moment - _UNSENT_TOO_LONG}
    with outbox.ledger.transaction() as connection:
        unsent = connection.execute(load_queries("alerts")["find_unsent_errors"], spans).fetchall()
    raised = []
    for sink, count, reason in unsent:
        title = f"{count} {'error does' if count == 1 else 'errors do'} not reach {sink}"
        alert = Alert(f"unsent {sink}", "critical", title, f"{reason}\n`coinhts alert list` shows them")
        others = [name for name in outbox.sinks if name != sink]
        number = outbox.raise_alert(alert, moment, quiet=_TOLD_AGAIN_AFTER, to=others)
        if number is not None:
            _log.critical("errors do not arrive", extra={"facts": {"sink": sink, "count": count, "reason": reason}})
            raised.append(number)
    return raised


def send_past_the_ledger(sinks: Mapping[str, Sink], mask: Mask, alert: Alert, moment: datetime) -> Round:
    """Once, to everywhere that answers, when the ledger does not; nobody will try again."""
    title, body = title_of(mask(alert.title)), body_of(mask(alert.body))
    letter = Letter(_NO_NUMBER, title_of(mask(alert.key)), alert.level, title, body, moment)
    total = Round()
    _log.warning("the ledger is passed by", extra={"facts": {"alert": title}})
    for sink in sinks.values():
        try:
            sink.send(letter)
            total += Round(sent=1)
        except (SinkRefusedError, SinkUnavailableError) as error:
            _log.critical("nobody took it", extra={"facts": {"alert": title, "reason": mask(str(error))}})
            total += Round(failed=1)
    return total


def _room(outbox: Outbox, sink: str, moment: datetime) -> int:
    """How many more a place may be sent this minute; the file has room for all."""
    if sink == FILE:
        return 1_000
    lately = {"sink": sink, "since": moment - _MINUTE}
    with outbox.ledger.transaction() as connection:
        row = connection.execute(load_queries("alerts")["count_sent"], lately).fetchone()
    return outbox.government.now().alerts_a_minute - (int(row[0]) if row else 0)


def _claimed(outbox: Outbox, sink: str, moment: datetime) -> tuple[int, Letter] | None:
    claim = {"sink": sink, "moment": moment, "until": moment + _CLAIM}
    with outbox.ledger.transaction() as connection:
        row = connection.execute(load_queries("alerts")["claim_delivery"], claim).fetchone()
    return (row[0], Letter(*row[1:])) if row else None


def _sent(
    outbox: Outbox, sink: Sink, attempts: int, letter: Letter, moment: datetime
) -> SinkRefusedError | SinkUnavailableError | None:
    """What went wrong, if anything."""
    noted = {"number": letter.number, "sink": sink.name, "moment": moment}
    try:
        sink.send(letter)
    except (SinkRefusedError, SinkUnavailableError) as error:
        wait = wait_after(attempts)
        reason = outbox.mask(error.reason)
        later = {"state": "waiting" if wait else "dead", "not_before": moment + (wait or timedelta()), "reason": reason}
        with outbox.ledger.transaction() as connection:
            connection.execute(load_queries("alerts")["note_unsent"], noted | later)
        told = "sent again later" if wait else "given up"
        facts = {"alert": letter.number, "sink": sink.name, "reason": outbox.mask(str(error))}
        _log.log(logging.WARNING if wait else logging.ERROR, told, extra={"facts": facts})
        return error
    with outbox.ledger.transaction() as connection:
        connection.execute(load_queries("alerts")["note_sent"], noted)
    return None
