"""Looking at every byte of a backup, and at its place among the others.

What lives here: `verify`, which names every damage in a sentence and writes down what it found. What stays out:
bringing a backup back, which proves more (`restore`, `drill`).

A manifest is believed when its digest is that of its content, its name that of its folder, and what its parent, its
children and earlier looks say of it is what it is: so an older one, or one of another backup, is found out.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from coinhts_core.backups import parts
from coinhts_core.backups.heads import is_of_the_lake
from coinhts_core.backups.manifest import Damaged, Drilled, Entry, Manifest, Verified, moment_of
from coinhts_core.backups.objects import Objects
from coinhts_core.backups.programs import ProgramError, major_of, read_wholly
from coinhts_core.backups.progress import Progress, Steps
from coinhts_core.backups.shelf import MANIFEST, BackupShelf, is_note
from coinhts_core.errors import DamagedBackupError, DamagedObjectError, UnknownBackupError
from coinhts_core.lake.commits import Commit, locate

_ABREAST = 8


@dataclass(frozen=True)
class Verification:
    """What was looked at, and every damage found, each in a sentence."""

    name: str
    objects: int
    size: int
    damages: tuple[str, ...]


def verify(shelf: BackupShelf, name: str, moment: datetime, progress: Progress | None = None) -> Verification:
    """Read all of it; the verdict is written beside it."""
    if moment_of(name) is None or name not in shelf.files():
        raise UnknownBackupError(wanted=f"backup {name}", place=shelf.place)
    try:
        manifest = shelf.manifest(name)
    except DamagedBackupError as error:
        return _noted(shelf, Verification(name, 0, 0, (error.reason,)), None, moment)
    steps = Steps(progress, len(manifest.parts) + len(manifest.databases) + 1)
    damages = [*_misplaced(shelf, manifest), *_unknown_names(shelf, manifest)]
    steps("the manifest")
    damages += _damaged_parts(shelf, manifest, steps)
    entries, unreadable = _entries(shelf, manifest)
    steps.total += len(entries)
    damages += [*unreadable, *_damaged_objects(shelf, manifest, entries, steps)]
    found = Verification(name, len({entry.sha256 for entry in entries}), manifest.size, tuple(dict.fromkeys(damages)))
    return _noted(shelf, found, manifest, moment)


def _noted(shelf: BackupShelf, found: Verification, manifest: Manifest | None, moment: datetime) -> Verification:
    signed = manifest.digest if manifest else None
    if signed and not found.damages:
        shelf.note(
            Verified(
                name=found.name, manifest_digest=signed, verified_at=moment, objects=found.objects, size=found.size
            )
        )
    else:
        shelf.note(Damaged(name=found.name, manifest_digest=signed, found_at=moment, damages=found.damages))
    return found


def _misplaced(shelf: BackupShelf, manifest: Manifest) -> Iterator[str]:
    """Whether others know it as it is."""
    for kept in shelf.listed():
        other = kept.manifest
        if other and other.parent == manifest.name and other.parent_digest != manifest.digest:
            yield f"the manifest is not the one that {other.name} was taken after"
        if other and manifest.parent == other.name and manifest.parent_digest != other.digest:
            yield f"the manifest of {other.name} is not the one that this backup was taken after"
    try:
        noted: list[Verified | Drilled] = [*shelf.noted(manifest.name, Verified), *shelf.noted(manifest.name, Drilled)]
    except DamagedBackupError as error:
        yield error.reason
        return
    for note in noted:
        if (note.name, note.manifest_digest) != (manifest.name, manifest.digest):
            yield f"an earlier look ({note.kind}) was at another manifest"


def _unknown_names(shelf: BackupShelf, manifest: Manifest) -> Iterator[str]:
    known = {MANIFEST, *(part.name for part in manifest.parts)}
    for file in sorted(shelf.files().get(manifest.name, {})):
        if file not in known and not is_note(file):
            yield f"the manifest knows nothing of {file}"


def _damaged_parts(shelf: BackupShelf, manifest: Manifest, steps: Steps) -> Iterator[str]:
    for part in manifest.parts:
        try:
            parts.read_part(shelf.store, manifest.name, part)
        except DamagedBackupError as error:
            yield error.reason
        steps(part.name)
    for database in manifest.databases:
        try:
            read_wholly(parts.dump_of(shelf.store, manifest, database), major_of(manifest.programs))
        except ProgramError as error:
            yield f"the dump of {database} cannot be read wholly: {error}"
        except DamagedBackupError as error:
            yield error.reason
        steps(f"{database}, read wholly")


def _entries(shelf: BackupShelf, manifest: Manifest) -> tuple[list[Entry], list[str]]:
    """Everything whose bytes lie among the shared objects, and what is wrong about the lists of them."""
    heads, damages = [], []
    try:
        heads = parts.heads_of(shelf.store, manifest)
    except DamagedBackupError as error:
        damages.append(error.reason)
    else:
        damages += _senseless_heads(manifest, heads)
    try:
        return [*heads, *parts.files_of(shelf.store, manifest).files], damages
    except DamagedBackupError as error:
        return heads, [*damages, error.reason]


def _senseless_heads(manifest: Manifest, heads: list[Entry]) -> Iterator[str]:
    if (len(heads), sum(entry.size for entry in heads)) != (manifest.lake.names, manifest.lake.size):
        yield f"the heads name {len(heads)} names of the lake instead of {manifest.lake.names}, or other sizes"
    yield from (f"the heads name {of.path}, which is no name in a lake" for of in heads if not is_of_the_lake(of.path))


def _damaged_objects(shelf: BackupShelf, manifest: Manifest, entries: list[Entry], steps: Steps) -> list[str]:
    objects, named = Objects(shelf.store), {entry.path: entry for entry in entries}

    def look(entry: Entry) -> str | None:
        content = objects.get(entry)
        steps(entry.path)
        if content is None or len(content) != entry.size:
            return f"the bytes of {entry.path} (object {entry.sha256}) are missing or damaged"
        return _wrong_commit(entry, content, named, manifest)

    with ThreadPoolExecutor(_ABREAST) as pool:
        return [damage for damage in pool.map(look, entries) if damage]


def _wrong_commit(entry: Entry, content: memoryview, named: dict[str, Entry], manifest: Manifest) -> str | None:
    """A commit among the heads must name an object among them."""
    place = locate(entry.path)
    if not (place and place.is_marker):
        return None
    try:
        commit = Commit.from_text(bytes(content), entry.path)
    except DamagedObjectError as error:
        return f"{entry.path} of {manifest.name} is no commit: {error.reason}"
    rows = named.get(place.folder.object(commit.object))
    if not commit.belongs_to(place.folder, place.number) or rows is None or rows.sha256 != commit.sha256:
        return f"{entry.path} names rows that are not among the heads"
    return None
