"""The ledger's schema, moved with a backup in hand: forward whenever something is missing, back only by hand.

What lives here: the order in which that happens, and the sentence that tells each stage. What stays out: how a
migration is applied or taken back (`coinhts_core.ledger.migrate`), and what a backup is (`coinhts_core.backups`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from coinhts_core.clock import now
from coinhts_core.errors import RefusedError
from coinhts_core.ledger.address import reachable, url_of
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.locks import alone
from coinhts_core.ledger.migrate import Migration, migrate, rollback, status
from coinhts_core.ledger.shape import validate
from coinhts_core.settings import Settings

Keep = Callable[[Settings, datetime], str]
_log = logging.getLogger("coinhts.start")


def keep_all(settings: Settings, moment: datetime) -> str:
    """A backup of everything; its name."""
    from coinhts_core.backups.shelf import BackupShelf  # noqa: PLC0415 - slow to import, and seldom needed
    from coinhts_core.backups.take import take  # noqa: PLC0415 - as above

    return take(settings, BackupShelf.open(settings), moment).name


def bring_forward(settings: Settings, ledger: Ledger, keep: Keep = keep_all) -> list[str]:
    """Nothing where nothing is missing; else a backup of what there is, the migrations, and a look at what came of it.

    A stage that fails ends it with its own sentence. A migration is applied whole or not at all, so the next start goes
    on where this one stopped, and the backup before it lies there.
    """
    if not _missing(status(ledger)):
        return []
    with alone(settings.home / "schema.lock"):
        steps = status(ledger)
        missing = _missing(steps)
        if missing and len(missing) < len(steps):
            name = keep(settings, now())
            _log.info("backup %s was taken before %s", name, _counted(missing))
        applied = migrate(ledger)
        validate(ledger)
    if applied:
        _log.info("the ledger went through %s: %s", _counted(applied), ", ".join(applied))
    return applied


@contextmanager
def current_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger alone, its schema as this code knows it."""
    with reachable(settings) as found, Ledger.open(url_of(found)) as ledger:
        bring_forward(found, ledger)
        yield ledger


def judge(ledger: Ledger) -> None:
    """That it is what this code knows; what somebody added is told."""
    shape = validate(ledger)
    if shape.besides:
        _log.warning("the ledger holds what coinhts does not know: %s", "; ".join(shape.besides))
    _log.info("the ledger's schema is the one this coinhts knows")


def steps_back(ledger: Ledger, to: int | None) -> list[str]:
    """The migrations above that number, the last first; without a number, the last one."""
    taken = [step for step in status(ledger) if step.applied_at is not None]
    if to is None:
        return [of.name for of in taken[-1:]]
    if not any(of.number == to for of in taken) and to != 0:
        last = taken[-1].number if taken else 0
        raise RefusedError(reason=f"the ledger never went through migration {to}; it is at {last}")
    return [of.name for of in reversed(taken) if of.number > to]


def take_back(
    settings: Settings, ledger: Ledger, to: int | None, keep: Keep = keep_all
) -> tuple[str | None, list[str]]:
    """The backup that was taken first, and the migrations that were taken back."""
    with alone(settings.home / "schema.lock"):
        steps = steps_back(ledger, to)
        if not steps:
            return None, []
        name = keep(settings, now())
        return name, rollback(ledger, to=min(int(step[:4]) for step in steps) - 1)


def _missing(steps: list[Migration]) -> list[str]:
    return [step.name for step in steps if step.applied_at is None]


def _counted(migrations: list[str]) -> str:
    return f"{len(migrations)} migration{'' if len(migrations) == 1 else 's'}"
