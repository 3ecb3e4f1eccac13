"""What of the lake is backed up: each folder's newest commit, the object it names, and people's own files.

What lives here: finding and copying these, and what the ledger knows of that is not among them. What stays out: older
commits, which nobody reads, and whatever else lies in the same place.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from hashlib import sha256
from typing import Any

from coinhts_core.backups.abreast import abreast
from coinhts_core.backups.manifest import Entry
from coinhts_core.backups.objects import Objects
from coinhts_core.candles.frame import MINUTES
from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.commits import Commit, Folder, locate
from coinhts_core.lake.store import Store

_LOOKS = 3
# What killed writers left behind has no name of its own yet.
_OWN = re.compile(r"venue\.json|uploaded-(?:files|notes)/(?P<name>.+)(?<!\.unfinished)")

Steps = Callable[[str], None]


@dataclass
class Heads:
    """What was copied, and what could not be, in a sentence each."""

    entries: list[Entry] = field(default_factory=list)
    days: dict[Folder, frozenset[date]] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)


def is_of_the_lake(path: str) -> bool:
    return locate(path) is not None or _OWN.fullmatch(path) is not None


def folders_and_files(lake: Store) -> tuple[list[Folder], list[list[str]]]:
    """Everything there is to copy, by one listing: folders, and names that belong together."""
    names = [found.path for found in lake.listed()]
    places = (locate(name) for name in names)
    folders = {place.folder for place in places if place and place.is_marker}
    return sorted(folders, key=lambda folder: folder.path), _together(sorted(filter(_OWN.fullmatch, names)))


def copied(
    lake: Store, objects: Objects, folders: Iterable[Folder], files: Iterable[Iterable[str]], step: Steps
) -> Heads:
    """Some at a time; what is damaged is told and keeps nothing else back."""
    heads = Heads()
    looks = [partial(_folder, lake, objects, folder) for folder in folders]
    looks += [partial(_files, lake, objects, group) for group in files]
    abreast(_found_by, looks, lambda found: _take_in(heads, found, step))
    return heads


def lacking(heads: Heads, days: Mapping[str, list[date]], frames: Mapping[str, list[str]]) -> Iterator[str]:
    """What the ledger, which was looked at first, says is in the lake, and is not; what it misses is harmless."""
    there: dict[str, set[date]] = {}
    for folder, stored in heads.days.items():
        if folder.asset == MINUTES:
            there.setdefault(str(folder.symbol), set()).update(stored)
    for symbol, known in days.items():
        if lost := sorted(set(known) - there.get(symbol, set())):
            yield f"the lake lacks {len(lost)} days of {MINUTES} {symbol} that the ledger knows, such as {lost[0]}"
    assets = {folder.asset for folder in heads.days}
    for identity, names in frames.items():
        if lost_frames := [name for name in names if f"results/{identity}/{name}" not in assets]:
            yield f"the lake lacks the {', '.join(lost_frames)} of result {identity[:12]}, which the ledger knows"


_Found = tuple[list[Entry], dict[Folder, frozenset[date]]]


def _found_by(look: Callable[[], _Found]) -> _Found | DamagedObjectError:
    try:
        return look()
    except DamagedObjectError as error:
        return error


def _take_in(heads: Heads, found: _Found | DamagedObjectError, step: Steps) -> None:
    if isinstance(found, DamagedObjectError):
        heads.damages.append(f"{found.path} could not be copied: {found.reason}")
        step("damaged")
        return
    entries, days = found
    heads.entries += entries
    heads.days |= days
    step(entries[-1].path if entries else "nothing")


def _folder(lake: Store, objects: Objects, folder: Folder) -> _Found:
    """The newest commit and its object; one that was superseded and swept meanwhile has a successor."""
    tried: set[int] = set()
    while True:
        numbers = {
            place.number for found in lake.listed(folder.path) if (place := locate(found.path)) and place.is_marker
        }
        if not numbers:
            return [], {}
        number = max(numbers)
        try:
            entries, commit = _head(lake, objects, folder, number)
        except DamagedObjectError:
            if number in tried or len(tried) > _LOOKS:
                raise
            tried.add(number)
        else:
            return entries, {folder: frozenset(commit.dated)}


def _head(lake: Store, objects: Objects, folder: Folder, number: int) -> tuple[list[Entry], Commit]:
    path = folder.marker(number)
    name = lake.full_name(path)
    text = lake.get(path)
    if text is None:
        raise DamagedObjectError(path=name, reason="it is missing")
    commit = Commit.from_text(bytes(text), name)
    if not commit.belongs_to(folder, number):
        raise DamagedObjectError(path=name, reason="it is the commit of another place")
    rows = Entry(path=folder.object(commit.object), size=commit.size, sha256=commit.sha256)
    objects.keep(rows, partial(lake.get, rows.path))
    marker = _entry(path, text)
    objects.keep(marker, lambda: text)
    return [rows, marker], commit


def _together(files: Iterable[str]) -> list[list[str]]:
    """A file and its note are of one moment, or are not there."""
    groups: dict[str, list[str]] = {}
    for path in files:
        found = _OWN.fullmatch(path)
        groups.setdefault(found["name"] if found and found["name"] else path, []).append(path)
    return list(groups.values())


def _files(lake: Store, objects: Objects, paths: Iterable[str]) -> _Found:
    entries = []
    for path in paths:
        content = lake.get(path)
        if content is None:  # deleted since it was listed
            return [], {}
        entry = _entry(path, content)
        objects.keep(entry, lambda content=content: content)  # type: ignore[misc]
        entries.append(entry)
    return entries, {}


def _entry(path: str, content: Any) -> Entry:
    return Entry(path=path, size=len(content), sha256=sha256(content).hexdigest())
