"""Taking a backup: the ledger first, Dagster's database, the lake last, and then, when all is proved, the manifest.

What lives here: `take`. What stays out: when it is taken, and how long it is kept (`retention`).

Each database is dumped out of a snapshot of its own. The lake comes last: what it knows more than the ledger did is
harmless, and what it lacks is named. Every byte is read back before the manifest is written, so whatever has a manifest
is a backup, whoever was killed and when.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib.metadata import version

from coinhts_core.backups import heads, parts
from coinhts_core.backups.facts import Snapshot, snapshot_of
from coinhts_core.backups.files import read_files
from coinhts_core.backups.manifest import DatabaseFacts, LakeFacts, Manifest, Part, Verified, lines_of, name_of
from coinhts_core.backups.objects import Objects
from coinhts_core.backups.parts import FILES, HEADS, dump_name
from coinhts_core.backups.programs import PIECE, ProgramError, dumped, major_of, program, read_wholly, version_of
from coinhts_core.backups.progress import Progress, Steps
from coinhts_core.backups.shelf import MANIFEST, BackupShelf
from coinhts_core.backups.turns import taking
from coinhts_core.errors import CoinhtsError, DamagedBackupError, RefusedError
from coinhts_core.lake.places import open_store
from coinhts_core.ledger.address import spoken_as, url_of
from coinhts_core.settings import Settings

_LEFT_OVER_AFTER = timedelta(days=1)
_log = logging.getLogger("coinhts.backups")


@dataclass(frozen=True)
class _Database:
    facts: DatabaseFacts
    major: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Known:
    """What the ledger knew at its snapshot."""

    venue: str | None = None
    schema_revision: str | None = None
    days: Mapping[str, list[date]] = field(default_factory=dict)
    frames: Mapping[str, list[str]] = field(default_factory=dict)


def take(settings: Settings, shelf: BackupShelf, moment: datetime, progress: Progress | None = None) -> Manifest:
    """Back up the installation whose addresses the settings name, under the name of the moment."""
    with taking(settings):
        return _taken(settings, shelf, moment, progress)


def _taken(settings: Settings, shelf: BackupShelf, moment: datetime, progress: Progress | None) -> Manifest:
    name, parent = name_of(moment), shelf.newest()
    urls = addresses(settings)
    lake, objects = open_store(settings.lake_url, settings.s3), Objects(shelf.store)
    steps = Steps(progress, 2 * len(urls) + 1)
    databases, known = _dump_all(shelf, name, urls, steps)
    folders, files = heads.folders_and_files(lake)
    steps.total += len(folders) + len(files)
    copied = heads.copied(lake, objects, folders, files, steps)
    own = read_files(settings, objects, known.schema_revision)
    small = _write(shelf, name, HEADS, lines_of(copied.entries)) + _write(shelf, name, FILES, own.to_text())
    programs = version_of(program("pg_dump", max(of.major for of in databases.values())))
    for database, of in databases.items():
        _read_back(shelf, name, of, major_of(programs))
        steps(f"{database} read back")
    for part in small:
        parts.read_part(shelf.store, name, part)
    manifest = Manifest(
        name=name,
        taken_at=moment.replace(microsecond=0),
        coinhts=version("coinhts"),
        programs=programs,
        venue=known.venue,
        schema_revision=known.schema_revision,
        databases={database: of.facts for database, of in databases.items()},
        parts=tuple(part for of in databases.values() for part in of.parts) + small,
        lake=LakeFacts(
            names=len(copied.entries),
            size=sum(entry.size for entry in copied.entries),
            new_objects=objects.new,
            new_bytes=objects.new_bytes,
        ),
        lacks=(*copied.damages, *heads.lacking(copied, known.days, known.frames)),
        parent=parent.name if parent else None,
        parent_digest=parent.manifest.digest if parent and parent.manifest else None,
    )
    _write_down(shelf, manifest, len({entry.sha256 for entry in (*copied.entries, *own.files)}), moment)
    steps("written down")
    sweep_left_overs(shelf, moment)
    return manifest


def addresses(settings: Settings) -> dict[str, str]:
    """Where each database is; one that holds everything is dumped once."""
    found = {"ledger": url_of(settings)}
    beside = settings.dagster_postgres_url
    url = spoken_as("postgresql", beside.get_secret_value()) if beside else found["ledger"]
    return found if url == found["ledger"] else {**found, "dagster": url}


def sweep_left_overs(shelf: BackupShelf, moment: datetime) -> list[str]:
    """Remove what takings left that were killed over a day ago; nothing is wrong where only others may remove."""
    left = [
        found.path
        for files in shelf.files().values()
        if MANIFEST not in files and all(moment - of.modified_at > _LEFT_OVER_AFTER for of in files.values())
        for found in files.values()
    ]
    try:
        for path in left:
            shelf.store.remove(path)
        shelf.store.remove_unfinished(moment - _LEFT_OVER_AFTER)
    except CoinhtsError as error:
        _log.info("left-overs stay", extra={"facts": {"reason": str(error)}})
        return []
    return left


def _dump_all(
    shelf: BackupShelf, name: str, urls: Mapping[str, str], steps: Steps
) -> tuple[dict[str, _Database], _Known]:
    databases, known = {}, _Known()
    for database, url in urls.items():
        with snapshot_of(url) as snapshot:
            databases[database] = _dump(shelf, name, database, url, snapshot)
            if database == "ledger":
                known = _Known(
                    snapshot.venue(), snapshot.schema_revision(), snapshot.days_answered(), snapshot.frames_kept()
                )
        steps(f"{database} dumped")
    return databases, known


def _dump(shelf: BackupShelf, name: str, database: str, url: str, snapshot: Snapshot) -> _Database:
    """The dump, and beside it, out of the same snapshot, what is in it."""
    with ThreadPoolExecutor(1) as pool:
        facts = pool.submit(snapshot.facts)
        pieces = dumped(url, snapshot.name, snapshot.major)
        written = parts.write(shelf.store, name, dump_name(database), pieces)
        return _Database(facts.result(), snapshot.major, written)


def _write(shelf: BackupShelf, name: str, file: str, content: bytes) -> tuple[Part, ...]:
    pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
    return parts.write(shelf.store, name, file, pieces or [b""])


def _read_back(shelf: BackupShelf, name: str, database: _Database, made_by: int) -> None:
    try:
        read_wholly(parts.read(shelf.store, name, database.parts), made_by)
    except ProgramError as error:
        raise DamagedBackupError(name=name, reason=f"its dump cannot be read wholly: {error}") from None


def _write_down(shelf: BackupShelf, manifest: Manifest, objects: int, moment: datetime) -> None:
    """From now on it is a backup, and was verified, for all of it has just been read back."""
    if not shelf.store.create(f"{manifest.name}/{MANIFEST}", manifest.to_text()):
        raise RefusedError(reason=f"the backup {manifest.name} was finished by another process")
    shelf.note(
        Verified(
            name=manifest.name,
            manifest_digest=manifest.digest,
            verified_at=moment,
            objects=objects,
            size=manifest.size,
        )
    )
    facts = {"backup": manifest.name, "rows": manifest.rows, "bytes": manifest.size, "new": manifest.lake.new_bytes}
    _log.info("backed up", extra={"facts": facts})
