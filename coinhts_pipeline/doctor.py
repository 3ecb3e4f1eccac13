"""The doctor: what works here, what does not, and what to do about it.

What lives here: the order of the checks, from the machine to what is stored. What to add: a check, in the room of its
noun (`machine` … `stored`). What stays out: mending, and making anything that is not there yet.
"""

from collections.abc import Iterator
from importlib import import_module

from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.health import machine
from coinhts_pipeline.health.diagnosis import Finding, State, diagnosed

_OF_SETTINGS = ("home", "strategies", "places", "ledger")


def examine() -> Iterator[Finding]:
    """Each check stands alone, except that nothing can be looked at before what it lies in."""
    yield from machine.findings()
    settings: list[Settings] = []
    yield diagnosed("settings", lambda: _read(settings), "mend the environment or COINHTS_HOME/.env")
    for given in settings:
        for room in _OF_SETTINGS:
            yield from _findings_of(room, given)


def _read(settings: list[Settings]) -> str:
    read = read_settings()
    settings.append(read)
    return f"{read.exchange}, {read.trading.mode} trading, from {read.start_date}"


def _findings_of(room: str, settings: Settings) -> Iterator[Finding]:
    """A room that does not load, for its packages do not fit, keeps the others from nothing."""
    try:
        findings = import_module(f"coinhts_pipeline.health.{room}").findings
    except Exception as error:  # noqa: BLE001 - whatever it is, the checks before it say why
        sentence = f"{room} does not load ({type(error).__name__}); {_MEND}"
        yield Finding(room, State.FAILED, sentence, _MEND)
        return
    yield from findings(settings)


_MEND = "mend what failed above, or install the locked packages again"
