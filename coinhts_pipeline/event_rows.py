"""Events of a range as Dagster stores them: thousands that differ in little but what they are about, and when.

What lives here: `spelled`, and rows as COPY reads them. What stays out: the storage they go to (`event_storage`).

What is the same for neighbours is spelled once, and each event's own part is put between: letter for letter what
Dagster's `serialize_value` writes.
"""

import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dagster._core.events.log import EventLogEntry
from dagster._serdes import serialize_value
from dagster_shared.serdes.serdes import pack_value

from coinhts_core.masking import Mask
from coinhts_pipeline.hush import facts_without_secrets, record_without_secrets

_NOTHING = r"\N"
_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}  # the backslash first


def spelled(events: Sequence[EventLogEntry], mask: Mask) -> list[str]:
    """Each as Dagster spells it, without secrets."""
    bodies = [pack_value(event.get_dagster_event().event_specific_data) for event in events]
    told, frame = [], None
    for event, body in zip(events, facts_without_secrets(bodies, mask), strict=True):
        own = json.dumps(body, sort_keys=True)
        if frame is None or frame.shared != _shared(event):
            frame = _Frame.around(event, own, mask)
        told.append(frame.with_own(own, event.timestamp) if frame else _alone(event, mask))
    return told


class _Frame(NamedTuple):
    """What neighbouring events have in common, before, between and behind what is each one's own."""

    shared: tuple[Any, ...]
    before: str
    between: str
    behind: str

    @classmethod
    def around(cls, event: EventLogEntry, own: str, mask: Mask) -> "_Frame | None":
        """None where the parts are not where they are looked for."""
        before, found, rest = _alone(event, mask).partition(own)
        between, stamp, behind = rest.partition(_stamp(event.timestamp))
        return cls(_shared(event), before, between, behind) if found and stamp else None

    def with_own(self, own: str, timestamp: float) -> str:
        return f"{self.before}{own}{self.between}{_stamp(timestamp)}{self.behind}"


def _shared(event: EventLogEntry) -> tuple[Any, ...]:
    """All but when it was, and what it is about."""
    about = event.get_dagster_event()._replace(event_specific_data=None)
    return event.error_info, event.level, event.user_message, event.run_id, event.step_key, event.job_name, about


def _stamp(timestamp: float) -> str:
    return f'"timestamp": {json.dumps(timestamp)}, '


def _alone(event: EventLogEntry, mask: Mask) -> str:
    return record_without_secrets(serialize_value(event), mask)


def moment(event: EventLogEntry) -> str:
    """UTC, as a column without a zone takes it."""
    return datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None).isoformat(" ")


def copied(rows: Iterable[Sequence[object]]) -> io.StringIO:
    """Rows in PostgreSQL's text format."""
    return io.StringIO("".join("\t".join(map(_field, row)) + "\n" for row in rows))


def _field(value: object) -> str:
    if value is None:
        return _NOTHING
    text = str(value)
    for letter, escape in _ESCAPES.items():
        text = text.replace(letter, escape)
    return text
