"""Bringing an installation back out of a backup, into a place that holds nothing, and proving that it is the same.

What lives here: `restore`. What stays out: choosing the backup (`shelf`), and trying it every day (`drill`).

Nothing is ever written over. Before the first byte a note in the home says what is being restored there; whoever was
killed begins again, and finds what is there already to be what it must be, or stops. A database is filled in one
transaction, so it holds all or nothing. The ledger comes last, for it names what the lake must hold.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from coinhts_core.backups import parts
from coinhts_core.backups.abreast import abreast
from coinhts_core.backups.facts import difference, snapshot_of
from coinhts_core.backups.files import differing, own_files, put_back
from coinhts_core.backups.heads import is_of_the_lake
from coinhts_core.backups.manifest import DatabaseFacts, Entry, Manifest
from coinhts_core.backups.objects import Objects
from coinhts_core.backups.programs import ProgramError, major_of, restored
from coinhts_core.backups.progress import Progress, Steps
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import addresses
from coinhts_core.errors import DamagedBackupError, HomeUnusableError, NotEmptyError, RefusedError
from coinhts_core.hashes import Fact, canonical, digest
from coinhts_core.lake.commits import locate
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.places import open_store
from coinhts_core.lake.store import Store
from coinhts_core.ledger.places import sync_directory
from coinhts_core.settings import Settings, usable_home


@dataclass(frozen=True)
class Restored:
    """What is there again, and what whoever restored it has to see to."""

    name: str
    taken_at: datetime
    rows: int
    names: int
    size: int
    files: tuple[str, ...]
    lacks: tuple[str, ...]
    settings: Mapping[str, str]
    secrets: tuple[str, ...]
    seconds: float


def restore(shelf: BackupShelf, name: str, target: Settings, progress: Progress | None = None) -> Restored:
    """Fill the installation whose addresses the settings name, and compare it with what was backed up."""
    begun = time.monotonic()
    manifest = shelf.manifest(name)
    heads, files = parts.heads_of(shelf.store, manifest), parts.files_of(shelf.store, manifest)
    lake, objects, urls = open_store(target.lake_url, target.s3), Objects(shelf.store), addresses(target)
    folders = {place.folder for entry in heads if (place := locate(entry.path))}
    steps = Steps(progress, len(heads) + len(folders) + 2 * len(manifest.databases))
    note = _begin(manifest, target, lake, urls)
    _fill_lake(lake, manifest, heads, objects, steps)
    written = put_back(target, files, objects, name)
    for database in sorted(manifest.databases, key=lambda of: of == "ledger"):
        _fill(shelf, manifest, database, urls[database], steps)
    for database, facts in manifest.databases.items():
        _prove(manifest, database, facts, urls[database])
        steps(f"{database} compared")
    _prove_lake(target, manifest, steps)
    note.unlink()
    return Restored(
        name=name,
        taken_at=manifest.taken_at,
        rows=manifest.rows,
        names=len(heads),
        size=manifest.size,
        files=tuple(written),
        lacks=manifest.lacks,
        settings=differing(files, target),
        secrets=files.secrets,
        seconds=time.monotonic() - begun,
    )


def unfinished(settings: Settings) -> str | None:
    """The backup whose restoring into this home was begun and not ended."""
    note = settings.restoring_note
    return str(_noted(note)["backup"]) if note.exists() else None


def _begin(manifest: Manifest, target: Settings, lake: Store, urls: Mapping[str, str]) -> Path:
    """Write the note down, if nothing is there, or find it."""
    if missing := manifest.databases.keys() - urls.keys():
        reason = f"the backup holds a database for {', '.join(missing)}, and the settings name one place for both"
        raise RefusedError(reason=reason)
    usable_home(target)
    note = target.restoring_note
    wanted: dict[str, Fact] = {"backup": manifest.name, "digest": manifest.digest, "into": _identity(target, urls)}
    if note.exists():
        found = _noted(note)
        if found != wanted:
            reason = f"{target.home} holds a half restored {found['backup']}; restore that one, or remove the home"
            raise RefusedError(reason=reason)
        return note
    _judge_empty(target, lake, urls)
    _write(note, canonical(wanted))
    return note


def _judge_empty(target: Settings, lake: Store, urls: Mapping[str, str]) -> None:
    if own := own_files(target):
        raise NotEmptyError(place=target.home, found=own[0])
    if name := next((found.path for found in lake.listed() if is_of_the_lake(found.path)), None):
        raise NotEmptyError(place=f"the lake {lake.full_name('').rstrip('/')}", found=name)
    for database, url in urls.items():
        with snapshot_of(url) as snapshot:
            if structure := snapshot.structure():
                raise NotEmptyError(place=f"the database of the {database}", found=f"{len(structure)} columns and more")


def _identity(target: Settings, urls: Mapping[str, str]) -> str:
    """Where it is restored to, without passwords."""
    told = [conninfo_to_dict(url) for url in urls.values()]
    databases: list[Fact] = [str(of.get(part)) for of in told for part in ("host", "port", "dbname")]
    return digest(target.lake_url, databases)


def _noted(note: Path) -> dict[str, Fact]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return {name: str(found[name]) for name in ("backup", "digest", "into")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeUnusableError(home=note.parent, reason=f"{note.name} in it cannot be read") from error


def _write(note: Path, text: str) -> None:
    draft = note.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(note)
    sync_directory(note.parent)


def _fill_lake(lake: Store, manifest: Manifest, heads: list[Entry], objects: Objects, steps: Steps) -> None:
    """Rows before the commits that name them."""
    names = {entry.path for entry in heads}
    for found in lake.listed():
        if is_of_the_lake(found.path) and found.path not in names:
            raise NotEmptyError(place=f"the lake {lake.full_name('').rstrip('/')}", found=found.path)

    def put(entry: Entry) -> None:
        content = objects.get(entry)
        if content is None or not is_of_the_lake(entry.path):
            raise DamagedBackupError(name=manifest.name, reason=f"the bytes of {entry.path} are missing or damaged")
        is_new = lake.create(entry.path, bytes(content))
        if not is_new and sha256(lake.get(entry.path) or b"").hexdigest() != entry.sha256:
            raise NotEmptyError(place=lake.full_name(entry.path), found="other bytes")
        steps(entry.path)

    abreast(put, [entry for entry in heads if not entry.path.endswith(".json")])
    abreast(put, [entry for entry in heads if entry.path.endswith(".json")])


def _fill(shelf: BackupShelf, manifest: Manifest, database: str, url: str, steps: Steps) -> None:
    with snapshot_of(url) as snapshot:
        is_filled = bool(snapshot.structure())
        if is_filled and difference(manifest.databases[database], snapshot.facts()):
            raise NotEmptyError(place=f"the database of the {database}", found="rows of somebody else's")
    if not is_filled:
        try:
            restored(parts.dump_of(shelf.store, manifest, database), url, major_of(manifest.programs))
        except ProgramError as error:
            reason = f"the dump of the {database} could not be put back: {error}"
            raise DamagedBackupError(name=manifest.name, reason=reason) from None
    steps(f"{database} filled")


def _prove(manifest: Manifest, database: str, facts: DatabaseFacts, url: str) -> None:
    with snapshot_of(url) as snapshot:
        found = difference(facts, snapshot.facts())
    if found:
        raise DamagedBackupError(name=manifest.name, reason=f"restored, {found[0]} in the database of the {database}")


def _prove_lake(target: Settings, manifest: Manifest, steps: Steps) -> None:
    lake = Lake.open(target.lake_url, target.s3)
    for folder in lake.folders():
        audited = lake.audit(folder)
        if audited.damages:
            raise DamagedBackupError(name=manifest.name, reason=f"restored, {audited.damages[0]}")
        steps(f"{folder.path} compared")
