"""Hush: what Dagster is told of errors and events holds no secret, whatever raised, logged or recorded it.

What lives here: `hush`, which every process of Dagster's calls before anything of ours can go wrong, and events as they
may be stored. What to add: another way out. What stays out: what is secret, in which forms, and what a process prints
and logs (`coinhts_core.masking`).

Errors are masked where Dagster makes a record of them, so neither its log of events and ticks nor its UI, which asks
the code location itself, holds more. The name leant on is private, the versions pinned; a test sees a secret hidden.
"""

import json
from collections.abc import Sequence
from traceback import TracebackException
from typing import Any

from dagster._core.events.log import EventLogEntry
from dagster._serdes import deserialize_value, serialize_value
from dagster_shared.error import SerializableErrorInfo

from coinhts_core.masking import Mask, mask_process

# Where Dagster's records hold words; everything else names things, and under another name nothing is found again.
_WORDS = {"message", "user_message", "description", "text", "md_str", "data", "url", "path", "value", "stack", "label"}
_NAMED = {"__class__", "__enum__"}
_recorded = SerializableErrorInfo.from_traceback.__func__  # type: ignore[attr-defined]


def hush() -> None:
    mask_process()
    SerializableErrorInfo.from_traceback = classmethod(_masked)  # type: ignore[assignment, method-assign]


def without_secrets(event: EventLogEntry, mask: Mask) -> EventLogEntry:
    record = serialize_value(event)
    shown = record_without_secrets(record, mask)
    return event if shown == record else deserialize_value(shown, EventLogEntry)


def record_without_secrets(record: str, mask: Mask) -> str:
    """As Dagster writes it. Hardly any holds a secret, so all its words are looked at together first."""
    facts = json.loads(record)
    words = _words(facts)
    return record if mask(words) == words else json.dumps(_shown(facts, mask))


def facts_without_secrets(facts: Sequence[Any], mask: Mask) -> Sequence[Any]:
    """Parts of records, as they are before they are written."""
    words = "\n".join(map(_words, facts))
    return facts if mask(words) == words else [_shown(of, mask) for of in facts]


def _masked(kind: type[SerializableErrorInfo], trace: TracebackException) -> SerializableErrorInfo:
    mask, error = Mask.found(), _recorded(kind, trace)
    return kind(mask(error.message), [mask(line) for line in error.stack], error.cls_name, error.cause, error.context)


def _words(facts: Any) -> str:
    """All of them, a line each; a loop, for a range run records thousands."""
    found, ahead = [], [(facts, False)]
    while ahead:
        of, are_words = ahead.pop()
        if isinstance(of, dict):
            ahead += [(fact, _has_words(name, fact, are_words)) for name, fact in of.items() if fact]
        elif isinstance(of, list):
            ahead += [(fact, are_words) for fact in of]
        elif are_words and isinstance(of, str):
            found.append(of)
    return "\n".join(found)


def _shown(facts: Any, mask: Mask, *, are_words: bool = False) -> Any:
    if isinstance(facts, dict):
        return {name: _shown(fact, mask, are_words=_has_words(name, fact, are_words)) for name, fact in facts.items()}
    if isinstance(facts, list):
        return [_shown(fact, mask, are_words=are_words) for fact in facts]
    return mask(facts) if are_words and isinstance(facts, str) else facts


def _has_words(name: str, fact: Any, are_words: bool) -> bool:  # noqa: FBT001 - what is so above is so below
    """A path of several names is an asset's key."""
    if name in _NAMED or (name == "path" and isinstance(fact, list)):
        return False
    return are_words or name in _WORDS
