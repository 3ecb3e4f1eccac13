"""What belongs to an installation beside its data: strategies of its own, its settings without secrets, its versions.

What lives here: reading these from a home, and putting a home's own files back. What stays out: secrets, which are
named and never read; Dagster's configuration is kept for whoever wants to look, and made anew at each start.
"""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from coinhts_core.backups.manifest import Entry, Files
from coinhts_core.backups.objects import Objects
from coinhts_core.errors import DamagedBackupError, HomeUnusableError, NotEmptyError
from coinhts_core.masking import Mask
from coinhts_core.settings import PREFIX, Settings, setting_names

_DAGSTER = "dagster/dagster.yaml"
_LOCK_FILE = Path(__file__).parents[2] / "requirements.lock"
# Where things lie is another place after a restore.
_OF_THE_PLACE = {f"{PREFIX}{name}" for name in ("HOME", "POSTGRES_URL", "DAGSTER_POSTGRES_URL", "LAKE", "BACKUPS")}


def read_files(settings: Settings, objects: Objects, schema_revision: str | None) -> Files:
    try:
        entries = tuple(_kept(settings.home, path, objects) for path in sorted(_own(settings)))
        lock = sha256(_LOCK_FILE.read_bytes()).hexdigest() if _LOCK_FILE.exists() else None
    except OSError as error:
        raise HomeUnusableError(home=settings.home, reason=f"{error.strerror}: {error.filename}") from error
    values = dict(_values(settings))
    return Files(
        settings={name: value for name, value in values.items() if value is not None},
        secrets=tuple(name for name, value in values.items() if value is None),
        lock_hash=lock,
        schema_revision=schema_revision,
        files=entries,
    )


def own_files(settings: Settings) -> list[str]:
    """What a home holds of its owner's files, by its path in the home."""
    return sorted(str(path.relative_to(settings.home)) for path in _own(settings) if path.name != Path(_DAGSTER).name)


def put_back(settings: Settings, files: Files, objects: Objects, name: str) -> list[str]:
    """Write the owner's files where none is; the same bytes are welcome there."""
    written = []
    for entry in files.files:
        if entry.path == _DAGSTER:
            continue
        target, content = settings.home / entry.path, objects.get(entry)
        if not _is_the_owners(entry.path, settings):
            raise DamagedBackupError(name=name, reason=f"it names {entry.path}, which no backup holds")
        if content is None:
            raise DamagedBackupError(name=name, reason=f"the bytes of {entry.path} are missing or damaged")
        if target.exists():
            if sha256(target.read_bytes()).hexdigest() != entry.sha256:
                raise NotEmptyError(place=target, found="other words")
            continue
        _write(target, bytes(content))
        written.append(entry.path)
    return written


def differing(files: Files, settings: Settings) -> Mapping[str, str]:
    """What was set otherwise where the backup was taken."""
    here = dict(_values(settings))
    return {name: value for name, value in files.settings.items() if here.get(name, "") != value}


def _is_the_owners(path: str, settings: Settings) -> bool:
    target = settings.home / path
    return ".." not in target.parts and (target == settings.lineup_file or settings.strategies_folder in target.parents)


def _own(settings: Settings) -> Iterator[Path]:
    for path in (settings.lineup_file, settings.home / _DAGSTER):
        if path.is_file():
            yield path
    for path in settings.strategies_folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield path


def _kept(home: Path, path: Path, objects: Objects) -> Entry:
    content = path.read_bytes()
    entry = Entry(path=str(path.relative_to(home)), size=len(content), sha256=sha256(content).hexdigest())
    objects.keep(entry, lambda: memoryview(content))
    return entry


def _values(settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Every setting that has a value; None for a secret."""
    mask = Mask.of(settings)
    for name in setting_names():
        value: Any = settings
        for part in name.removeprefix(PREFIX).lower().split("__"):
            value = getattr(value, part)
        if value is not None and name not in _OF_THE_PLACE:
            yield name, None if isinstance(value, SecretStr) else mask(_shown(value))


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}-{os.getpid()}")
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        raise HomeUnusableError(home=target.parent, reason=error.strerror or str(error)) from error
