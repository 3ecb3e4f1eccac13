"""A backup's own files, kept in pieces that no memory is too small for and no slow line takes too long over.

What lives here: which files there are, writing one piece by piece, and reading it back, every piece proved. What stays
out: what the manifest says of them (`manifest`), and bytes that backups share (`objects`).
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from pydantic import ValidationError

from coinhts_core.backups.manifest import Entry, Files, Manifest, Part, entries_in
from coinhts_core.errors import DamagedBackupError, RefusedError
from coinhts_core.lake.store import Store

HEADS, FILES = "heads.jsonl", "files.json"


def dump_name(database: str) -> str:
    return f"{database}.dump"


def dump_of(store: Store, manifest: Manifest, database: str) -> Iterator[bytes]:
    return read(store, manifest.name, manifest.parts_of(dump_name(database)))


def heads_of(store: Store, manifest: Manifest) -> list[Entry]:
    """Which shared object is which name of the lake."""
    return entries_in(b"".join(read(store, manifest.name, manifest.parts_of(HEADS))), manifest.name)


def files_of(store: Store, manifest: Manifest) -> Files:
    text = b"".join(read(store, manifest.name, manifest.parts_of(FILES)))
    try:
        return Files.model_validate_json(text)
    except ValidationError as error:
        raise DamagedBackupError(name=manifest.name, reason=f"{FILES} is not as coinhts writes them") from error


def write(store: Store, name: str, file: str, pieces: Iterable[bytes]) -> tuple[Part, ...]:
    """The first piece bears the file's name, the others a number behind it."""
    parts = []
    for number, piece in enumerate(pieces, start=1):
        part = Part(name=_part_name(file, number), size=len(piece), sha256=sha256(piece).hexdigest())
        if not store.create(f"{name}/{part.name}", piece):
            raise RefusedError(reason=f"the backup {name} was begun already; begin another in a second")
        parts.append(part)
    return tuple(parts)


def read(store: Store, name: str, parts: Iterable[Part]) -> Iterator[bytes]:
    """Each piece as it was written, or an error that names it."""
    for part in parts:
        yield read_part(store, name, part)


def read_part(store: Store, name: str, part: Part) -> bytes:
    content = store.get(f"{name}/{part.name}")
    if content is None:
        raise DamagedBackupError(name=name, reason=f"{part.name} is missing")
    if len(content) != part.size:
        raise DamagedBackupError(name=name, reason=f"{part.name} has {len(content)} bytes instead of {part.size}")
    if sha256(content).hexdigest() != part.sha256:
        raise DamagedBackupError(name=name, reason=f"the bytes of {part.name} are not those that were written")
    return bytes(content)


def _part_name(file: str, number: int) -> str:
    return file if number == 1 else f"{file}.part-{number:04}"
