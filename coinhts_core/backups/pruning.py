"""Removing what retention lets go, and whatever no backup names any more.

What lives here: `looked_over`, which reports, and `prune`, which removes what a report lets go. What stays out: the
rules (`retention`), and when it happens.

A backup's manifest goes first: whoever is killed then leaves no half a backup, but left-overs, which the next one
removes. Shared objects are removed only when the manifest of every backup that stays, and all that it names, can be
read and believed; when nobody is taking a backup; and never one that is younger than two days, for another house may
be about to name it. Of them, too, at most a fifth goes at once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from coinhts_core.backups import parts
from coinhts_core.backups.manifest import Manifest
from coinhts_core.backups.retention import SHIPPED, Policy, Report, judged
from coinhts_core.backups.shelf import MANIFEST, OBJECTS, BackupShelf
from coinhts_core.backups.turns import removing
from coinhts_core.errors import DamagedBackupError, RefusedError, UnknownBackupError
from coinhts_core.lake.store import Listed
from coinhts_core.settings import Settings

GRACE = timedelta(days=2)
_PART_AT_ONCE = 5
_log = logging.getLogger("coinhts.backups")


@dataclass(frozen=True)
class Pruned:
    """The backups that went, left-overs and objects with them; why objects were left alone, or all of it, if so."""

    backups: tuple[str, ...] = ()
    left_overs: tuple[str, ...] = ()
    objects: int = 0
    size: int = 0
    left_alone: str | None = None
    refused: str | None = None


def looked_over(shelf: BackupShelf, moment: datetime, policy: Policy = SHIPPED) -> Report:
    """What would go and what stays; nothing is removed. A bucket's clock is not ours, so it is heard, too."""
    kept = shelf.listed()
    is_bucket = shelf.place.startswith("s3://")
    written_at = shelf.files()[kept[0].name][MANIFEST].modified_at if kept and is_bucket else None
    return judged(kept, moment, policy, written_at)


def prune(settings: Settings, shelf: BackupShelf, report: Report, moment: datetime) -> Pruned:
    """What the report lets go, and what nobody needs then; nothing where the report refuses, or the place does.

    Whoever takes backups may have a key that removes none: then it is another's to do.
    """
    with removing(settings):
        return _pruned(shelf, report, moment)


def _pruned(shelf: BackupShelf, report: Report, moment: datetime) -> Pruned:
    if report.refusals:
        return Pruned(refused=report.refusals[0])
    files = shelf.files()
    gone = {of.name: files.get(of.name, {}) for of in report.obsolete}
    old = {name: of for name, of in files.items() if MANIFEST not in of and _newest(of) < moment - GRACE}
    leaving = gone | old
    try:
        for of in leaving.values():
            _remove(shelf, of)
        unneeded, left_alone = _unneeded(shelf, moment)
        for listed in unneeded:
            shelf.store.remove(listed.path)
    except RefusedError as error:
        return Pruned(refused=str(error))
    size = sum(of.size for of in (*(one for files in leaving.values() for one in files.values()), *unneeded))
    return _told(Pruned(tuple(gone), tuple(old), len(unneeded), size, left_alone))


def _told(pruned: Pruned) -> Pruned:
    _log.info("pruned", extra={"facts": {"backups": list(pruned.backups), "objects": pruned.objects}})
    return pruned


def _remove(shelf: BackupShelf, files: Mapping[str, Listed]) -> None:
    for file in sorted(files, key=lambda file: (file != MANIFEST, file)):
        shelf.store.remove(files[file].path)


def _unneeded(shelf: BackupShelf, moment: datetime) -> tuple[list[Listed], str | None]:
    """The oldest of the shared objects that no backup names; none, and why, where that cannot be known."""
    objects = sorted(shelf.store.listed(OBJECTS), key=lambda of: (of.modified_at, of.path))
    files = shelf.files()
    unfinished = [name for name, of in files.items() if MANIFEST not in of]
    if unfinished:
        return [], f"{unfinished[-1]} is not finished, and may name any of them"
    try:
        named = {f"{OBJECTS}/{content}" for name in files for content in _named(shelf, shelf.manifest(name))}
    except (DamagedBackupError, UnknownBackupError) as error:
        return [], str(error)
    unneeded = [of for of in objects if of.path not in named and of.modified_at < moment - GRACE]
    return unneeded[: len(objects) // _PART_AT_ONCE], None


def _named(shelf: BackupShelf, manifest: Manifest) -> set[str]:
    heads, files = parts.heads_of(shelf.store, manifest), parts.files_of(shelf.store, manifest)
    return {entry.sha256 for entry in (*heads, *files.files)}


def _newest(files: Mapping[str, Listed]) -> datetime:
    return max(of.modified_at for of in files.values())
