"""What the lake no longer needs, and its removal.

What lives here: `sweep`, which finds first and removes then, or only finds. What stays out: when it runs (upkeep).

A commit is superseded when its successor appears. It stays a week for those still reading it, and a
folder's two highest stay for ever. Markers go before objects: a sweep that is killed leaves objects without
a commit, which the next one finds, and never the reverse.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from coinhts_core.errors import CoinhtsError
from coinhts_core.lake.commits import Folder, locate
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.store import UNFINISHED, Listed, Store

_SUPERSEDED_FOR = timedelta(days=7)
_UNFINISHED_FOR = timedelta(hours=1)
_log = logging.getLogger("coinhts.lake")


@dataclass(frozen=True)
class Swept:
    """The names removed or to be, their bytes, and commits that cannot be read, whose folders are left alone."""

    names: int
    size: int
    damaged: tuple[str, ...]


def sweep(store: Store, journal: Journal, moment: datetime, *, only_looks: bool = False) -> Swept:
    before = moment - _UNFINISHED_FOR
    unfinished = _unfinished(store, before) if only_looks else store.remove_unfinished(before)
    superseded, damaged = _superseded(store, journal, moment)
    if not only_looks:
        for listed in superseded:
            store.remove(listed.path)
        _log.info("swept", extra={"facts": {"names": len(unfinished) + len(superseded)}})
    found = [*unfinished, *superseded]
    return Swept(len(found), sum(listed.size for listed in found), tuple(damaged))


def _unfinished(store: Store, before: datetime) -> list[Listed]:
    return [found for found in store.listed() if found.path.endswith(UNFINISHED) and found.modified_at < before]


def _superseded(store: Store, journal: Journal, moment: datetime) -> tuple[list[Listed], list[str]]:
    """In the order of their removal, and what is damaged."""
    removed: list[Listed] = []
    damaged = []
    for folder, (markers, objects) in _by_folder(store.listed()).items():
        try:
            obsolete = _obsolete(folder, markers, objects, journal, moment - _SUPERSEDED_FOR)
        except CoinhtsError as error:
            damaged.append(str(error))
            _log.warning("left alone", extra={"facts": {"folder": folder.path, "reason": str(error)}})
            continue
        removed += obsolete
    return removed, damaged


_Contents = tuple[dict[int, Listed], list[Listed]]


def _by_folder(listing: Iterable[Listed]) -> dict[Folder, _Contents]:
    folders: dict[Folder, _Contents] = {}
    for listed in listing:
        place = locate(listed.path)
        if place:
            markers, objects = folders.setdefault(place.folder, ({}, []))
            if place.is_marker:
                markers[place.number] = listed
            else:
                objects.append(listed)
    return folders


def _obsolete(
    folder: Folder,
    markers: Mapping[int, Listed],
    objects: Iterable[Listed],
    journal: Journal,
    before: datetime,
) -> list[Listed]:
    """Markers superseded before then, and the old objects that no other marker names."""
    if not markers:  # being filled, or being restored
        return []
    superseded = [
        number for number, successor in pairwise(sorted(markers)[:-1]) if markers[successor].modified_at < before
    ]
    needed = {
        folder.object(journal.at(folder, number, listed.version).object)
        for number, listed in markers.items()
        if number not in superseded
    }
    unneeded = [listed for listed in objects if listed.path not in needed and listed.modified_at < before]
    return [markers[number] for number in superseded] + unneeded
