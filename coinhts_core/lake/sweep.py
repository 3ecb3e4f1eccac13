"""What the lake no longer needs, and its removal.

What lives here: `sweep`. What stays out: when it runs (upkeep).

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
from coinhts_core.lake.store import Listed, Store

_SUPERSEDED_FOR = timedelta(days=7)
_UNFINISHED_FOR = timedelta(hours=1)
_log = logging.getLogger("coinhts.lake")


@dataclass(frozen=True)
class Swept:
    """The names removed, their bytes, and the commits that cannot be read, whose folders were left alone."""

    names: int
    size: int
    damaged: tuple[str, ...]


def sweep(store: Store, journal: Journal, moment: datetime) -> Swept:
    removed = store.remove_unfinished(moment - _UNFINISHED_FOR)
    damaged = []
    for folder, (markers, objects) in _by_folder(store.listed()).items():
        try:
            obsolete = _obsolete(folder, markers, objects, journal, moment - _SUPERSEDED_FOR)
        except CoinhtsError as error:
            damaged.append(str(error))
            _log.warning("left alone", extra={"facts": {"folder": folder.path, "reason": str(error)}})
            continue
        for listed in obsolete:
            store.remove(listed.path)
        removed += obsolete
    _log.info("swept", extra={"facts": {"names": len(removed)}})
    return Swept(len(removed), sum(listed.size for listed in removed), tuple(damaged))


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
