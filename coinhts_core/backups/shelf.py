"""All backups in one place: which there are, how old, and what was proved of each.

What lives here: `BackupShelf`, the one door, and `Kept`, what it tells of a backup. What stays out: taking one
(`take`), looking at every byte (`verify`), bringing it back (`restore`).

    <name>/ledger.dump, dagster.dump       the databases, as pg_dump writes them
    <name>/heads.jsonl, files.json         which shared object is which name of the lake, or of the home
    <name>/manifest.json                   written last
    <name>/verified-<moment>.json, drill-<moment>.json, damaged-<moment>.json
    objects/<sha256>                       bytes that backups share, each kept once
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import takewhile
from typing import Literal, Self

from coinhts_core.backups.manifest import (
    Damaged,
    DocumentT,
    Drilled,
    Manifest,
    Verified,
    moment_of,
    name_of,
)
from coinhts_core.backups.place import open_place
from coinhts_core.errors import DamagedBackupError, UnknownBackupError
from coinhts_core.lake.store import Listed, Store
from coinhts_core.settings import Settings

OBJECTS = "objects"
MANIFEST = "manifest.json"
_NOTE = re.compile(r"(?P<kind>verified|drill|damaged|failed)-(?P<moment>[0-9]{8}T[0-9]{6}Z)\.json", re.ASCII)
_ABREAST = 8
_REMEMBERED = 1_024

Verdict = Literal["verified", "unverified", "damaged"]


@dataclass(frozen=True)
class Kept:
    """A backup as its place tells it, without reading more of it than its manifest."""

    name: str
    taken_at: datetime
    manifest: Manifest | None
    verified_at: datetime | None
    drilled_at: datetime | None
    damaged_at: datetime | None
    failed_at: datetime | None = None

    @property
    def size(self) -> int:
        return self.manifest.size if self.manifest else 0

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the ledger knows of and the lake did not have when it was taken."""
        return self.manifest.lacks if self.manifest else ()

    @property
    def verdict(self) -> Verdict:
        if self.manifest is None or self._is_found_damaged:
            return "damaged"
        return "verified" if self.verified_at else "unverified"

    @property
    def is_whole(self) -> bool:
        """Whether there is a manifest to be believed, and nobody found anything wrong since."""
        return self.verdict != "damaged"

    @property
    def _is_found_damaged(self) -> bool:
        """Until a later look, or drill, finds nothing: a lost object may have been put back."""
        return _holds(self.damaged_at, self.verified_at) or _holds(self.failed_at, self.drilled_at)


class BackupShelf:
    """The backups of one place."""

    def __init__(self, store: Store, *, is_sorted: bool = False) -> None:
        self.store = store
        self._is_sorted = is_sorted
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._read)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The place that COINHTS_BACKUPS names; a bucket lists its names in order."""
        return cls(open_place(settings), is_sorted=settings.backups_url.startswith("s3://"))

    @property
    def place(self) -> str:
        return self.store.full_name("").rstrip("/")

    def listed(self) -> list[Kept]:
        """Every backup that has a manifest, believed or not, the newest first."""
        names = {name: files for name, files in self.files().items() if MANIFEST in files}
        with ThreadPoolExecutor(_ABREAST) as pool:
            found = list(pool.map(self._kept, names, names.values()))
        return sorted(found, key=lambda kept: kept.name, reverse=True)

    def newest(self, at: datetime | None = None) -> Kept | None:
        """The newest whole one, or that of a moment: what had been taken by then."""
        return next((kept for kept in self.listed() if kept.is_whole and (at is None or kept.taken_at <= at)), None)

    def find(self, name: str) -> Kept:
        files = {found.path.removeprefix(f"{name}/"): found for found in self._below(name)}
        if MANIFEST not in files:
            raise UnknownBackupError(wanted=f"backup {name}", place=self.place)
        return self._kept(name, files)

    def files(self) -> dict[str, dict[str, Listed]]:
        """What lies under each backup's name, also of those that were never finished."""
        found: dict[str, dict[str, Listed]] = {}
        for listed in self._outside_of_objects():
            name, _, file = listed.path.partition("/")
            if moment_of(name):
                found.setdefault(name, {})[file] = listed
        return found

    def manifest(self, name: str) -> Manifest:
        """Or an error that says why it cannot be believed."""
        content = self.store.get(f"{name}/{MANIFEST}")
        if content is None:
            raise UnknownBackupError(wanted=f"backup {name}", place=self.place)
        manifest = Manifest.from_text(bytes(content), name)
        if manifest.name != name:
            raise DamagedBackupError(name=name, reason=f"its manifest is that of {manifest.name}")
        return manifest

    def note(self, document: Verified | Drilled | Damaged) -> None:
        """Write down what was found out; whoever found out something in the same second was first."""
        self.store.create(f"{document.name}/{document.kind}-{_moment(document)}.json", document.to_text())

    def noted(self, name: str, kind: type[DocumentT]) -> list[DocumentT]:
        """Every document of a kind about a backup, the newest first."""
        found = (of.path for of in self._below(name) if _kind_of(of.path.removeprefix(f"{name}/")) == kind.kind)
        texts = (self.store.get(path) for path in sorted(found, reverse=True))
        return [kind.from_text(bytes(text), name) for text in texts if text is not None]

    def _kept(self, name: str, files: dict[str, Listed]) -> Kept:
        moments = {kind: _newest(files, kind) for kind in ("verified", "drill", "damaged", "failed")}
        return Kept(
            name=name,
            taken_at=_taken_at(name),
            manifest=self._remembered(name, files[MANIFEST].version),
            verified_at=moments["verified"],
            drilled_at=moments["drill"],
            damaged_at=moments["damaged"],
            failed_at=moments["failed"],
        )

    def _read(self, name: str, version: str) -> Manifest | None:  # noqa: ARG002 - other bytes have another version
        try:
            return self.manifest(name)
        except (DamagedBackupError, UnknownBackupError):
            return None

    def _below(self, name: str) -> Iterable[Listed]:
        return self.store.listed(name) if moment_of(name) else ()

    def _outside_of_objects(self) -> Iterator[Listed]:
        """Objects may be many: where names come in order, those behind the backups' are not listed at all."""
        listed = self.store.listed()
        if self._is_sorted:
            return takewhile(lambda found: found.path < OBJECTS, listed)
        return (found for found in listed if not found.path.startswith(f"{OBJECTS}/"))


def _holds(bad: datetime | None, good: datetime | None) -> bool:
    return bad is not None and (good is None or bad >= good)


def is_note(file: str) -> bool:
    return bool(_NOTE.fullmatch(file))


def _kind_of(file: str) -> str | None:
    found = _NOTE.fullmatch(file)
    return found["kind"] if found else None


def _newest(files: Iterable[str], kind: str) -> datetime | None:
    found = (_NOTE.fullmatch(file) for file in files)
    moments = (moment_of(of["moment"]) for of in found if of and of["kind"] == kind)
    return max((moment for moment in moments if moment), default=None)


def _moment(document: Verified | Drilled | Damaged) -> str:
    if isinstance(document, Verified):
        return name_of(document.verified_at)
    return name_of(document.drilled_at if isinstance(document, Drilled) else document.found_at)


def _taken_at(name: str) -> datetime:
    moment = moment_of(name)
    if moment is None:
        raise DamagedBackupError(name=name, reason="that is no name of a backup")
    return moment
