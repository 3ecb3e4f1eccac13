"""Logs: one line for whatever is said in a process, text for people or JSON for machines.

What lives here: where lines go, from which level on, and how they look. What to add: nothing for a room that has
something to say; it says `logging.getLogger("coinhts.<room>").info("what happened", extra={"facts": {...}})`. What
stays out: what is said, what is secret (`masking`), and the ids that every line carries: whoever begins a request, a
run or a step binds them with `structlog.contextvars`.

A program that imports rooms and sets nothing up hears their warnings as it hears everybody's.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any

from structlog.contextvars import get_contextvars
from structlog.processors import JSONRenderer, format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from coinhts_core.errors import CoinhtsError
from coinhts_core.masking import Mask, mask_process
from coinhts_core.settings import Log, Settings, read_settings

OURS = "coinhts"
FACTS = "facts"
_TALKATIVE = (OURS, "dagster", "dagster-webserver")  # whose lines below warnings are worth reading
_LEADING = ("time", "level", "logger", "event", "exception")
_PLAIN = re.compile(r"[\w.:/|@+,…-]+")
_log = logging.getLogger(OURS)


class _Stderr(logging.Handler):
    """Whatever stands for stderr when a line is written: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody is left who could read it
            self.handleError(record)


def set_up(settings: Settings) -> None:
    """Of a process that stays: all that is said from the level of the settings on."""
    mask_process()
    _speak(Mask.of(settings), settings.log, _level(settings.log))
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda of: _crashed(of.exc_type, of.exc_value, of.exc_traceback)


def set_up_command(*, debug: bool) -> None:
    """Of a command, which speaks to people on the screen: only what went wrong, or everything when asked to.

    Settings that cannot be read are no reason for silence; the command says itself what is wrong with them.
    """
    mask_process()
    try:
        settings = read_settings()
    except CoinhtsError:
        mask, log = Mask.found(), Log()
    else:
        mask, log = Mask.of(settings), settings.log
    _speak(mask, log, logging.DEBUG if debug else max(_level(log), logging.WARNING))


def _level(log: Log) -> int:
    return logging.getLevelNamesMapping()[log.level.upper()]


def _speak(mask: Mask, log: Log, level: int) -> None:
    root = logging.getLogger()
    for before in [of for of in root.handlers if isinstance(of, _Stderr)]:
        root.removeHandler(before)
    handler = _Stderr(level)
    handler.setFormatter(_lines(mask, log))
    root.addHandler(handler)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(min(level, logging.INFO))
    sys.excepthook = _crashed


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is None or not issubclass(kind, Exception):
        sys.__excepthook__(kind, error or kind(), trace)
    else:
        _log.critical("it crashed", exc_info=(kind, error, trace))


def _lines(mask: Mask, log: Log) -> logging.Formatter:
    render = JSONRenderer(ensure_ascii=False) if log.format == "json" else _as_text
    return ProcessorFormatter(processors=[format_exc_info, _told, partial(_masked, mask), render])


def _told(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """What a line says: when, how grave, who, what, then the ids of what it is about and its own facts."""
    record: logging.LogRecord = event["_record"]
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    exception = {"exception": event["exception"]} if event.get("exception") else {}
    head = {"time": at, "level": record.levelname.lower(), "logger": record.name, "event": event["event"]}
    return head | dict(sorted(get_contextvars().items())) | getattr(record, FACTS, {}) | exception


def _masked(mask: Mask, _logger: Any, _name: str, event: EventDict) -> EventDict:
    return {name: _shown(mask, fact) for name, fact in event.items()}


def _shown(mask: Mask, fact: Any) -> Any:
    if fact is None or isinstance(fact, bool | int | float):
        return fact
    if isinstance(fact, Mapping):
        return {str(name): _shown(mask, of) for name, of in fact.items()}
    if isinstance(fact, list | tuple | set):
        return [_shown(mask, of) for of in fact]
    return mask(str(fact))


def _as_text(_logger: Any, _name: str, event: EventDict) -> str:
    """What belongs to a line but needs several is indented, so that nothing said can pass for a line of its own."""
    words = f"{event['time']} {event['level']:<8} {event['logger']}: {event['event']}"
    first, *further = words.splitlines() or [""]
    facts = "".join(f" {name}={_as_word(fact)}" for name, fact in event.items() if name not in _LEADING)
    further += str(event.get("exception", "")).splitlines()
    return "\n".join([_printable(first + facts), *(f"    {_printable(line)}" for line in further)])


def _as_word(fact: Any) -> str:
    if isinstance(fact, str) and _PLAIN.fullmatch(fact):
        return fact
    return json.dumps(fact, ensure_ascii=False)


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line.expandtabs(4))
