"""People's own files, kept in the lake beside its frames: put in, fetched, listed, verified, described, deleted.

What lives here: these six. What stays out: frames (`lake`), which none of them can reach.

A file is two names in the store: its bytes, then a note of what they hash to and of what was said about them. A note
is written after the bytes and removed before them, so what has a note is whole, whoever was killed in between.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coinhts_core.clock import now
from coinhts_core.errors import DamagedObjectError, RefusedError
from coinhts_core.hashes import canonical, digest
from coinhts_core.lake.store import Listed, Store

# No asset has a hyphen in its name.
_BYTES, _NOTES = "uploaded-files", "uploaded-notes"
_PART = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,99}"
_NAME = re.compile(rf"(?!.*\.unfinished\Z){_PART}(?:/{_PART}){{0,9}}", re.ASCII)
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is known of an uploaded file."""

    name: str
    sha256: str
    size: int
    uploaded_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """What the note says, what the stored bytes hash to, and a local file's where one was to be compared."""

    size: int
    noted: str
    stored: str
    local: str | None

    @property
    def matches(self) -> bool:
        return self.noted == self.stored == (self.local or self.stored)


def upload(store: Store, file: Path, name: str, metadata: Mapping[str, str] = _NOTHING) -> Note:
    """Keep a file under a name; again is welcome, and leaves the first note; other bytes need a deletion first."""
    content = _local(file)
    note = Note(
        name=name,
        sha256=sha256(content).hexdigest(),
        size=len(content),
        uploaded_at=now(),
        metadata=dict(metadata),
    )
    place = _place(_BYTES, name)
    if store.create(place, content) or bytes(store.get(place) or b"") == content:
        store.create(_place(_NOTES, name), _to_text(note))
        kept = describe(store, name)
        if kept.sha256 == note.sha256:
            return kept
    raise RefusedError(reason=f"{store.full_name(place)} holds another file; delete it first")


def download(store: Store, name: str, file: Path) -> Note:
    """Write the bytes to a file, which is replaced only by all of them, verified."""
    note, content = describe(store, name), _stored(store, name)
    if sha256(content).hexdigest() != note.sha256:
        raise DamagedObjectError(
            path=store.full_name(_place(_BYTES, name)), reason="its bytes are not those that were uploaded"
        )
    _replace(file, content)
    return note


def delete(store: Store, name: str) -> None:
    """Free the name, also where a killed upload left bytes without a note."""
    places = _place(_NOTES, name), _place(_BYTES, name)
    if all(store.get(place) is None for place in places):
        raise _unknown(name)
    for place in places:
        store.remove(place)


def listed(store: Store, prefix: str | None = None) -> Iterator[Listed]:
    """Give every uploaded file below a prefix, by its own name."""
    below = _BYTES if prefix is None else _place(_BYTES, prefix)
    for found in store.listed(below):
        yield replace(found, path=found.path.removeprefix(f"{_BYTES}/"))


def noted(store: Store) -> list[str]:
    """Name every file that has a note, also where its bytes were lost."""
    return [found.path.removeprefix(f"{_NOTES}/") for found in store.listed(_NOTES)]


def verify(store: Store, name: str, file: Path | None = None) -> Verification:
    """Read every byte and compare; a file, if given, must be the same."""
    local = None if file is None else sha256(_local(file)).hexdigest()
    note, content = describe(store, name), _stored(store, name)
    return Verification(len(content), note.sha256, sha256(content).hexdigest(), local)


def describe(store: Store, name: str) -> Note:
    path = _place(_NOTES, name)
    text = store.get(path)
    if text is None:
        raise _unknown(name)
    return _from_text(bytes(text), store.full_name(path))


def _unknown(name: str) -> RefusedError:
    return RefusedError(reason=f"no file {name} was uploaded; `coinhts lake list` names them all")


def _place(kind: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RefusedError(reason=f"{name!r} is not a name for a file; write it like reports/2026-01.html")
    return f"{kind}/{name}"


def _stored(store: Store, name: str) -> memoryview:
    content = store.get(_place(_BYTES, name))
    if content is None:
        raise DamagedObjectError(path=store.full_name(_place(_BYTES, name)), reason="it is missing")
    return content


def _local(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unusable(file, error) from error


def _replace(file: Path, content: memoryview) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent) as folder:
            whole = Path(folder) / file.name
            whole.write_bytes(content)
            whole.replace(file)
    except OSError as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: OSError) -> RefusedError:
    return RefusedError(reason=f"the file {file} cannot be used ({error.strerror})")


_NOTE: TypeAdapter[Any] = TypeAdapter(Note)


def _to_text(note: Note) -> bytes:
    document = _NOTE.dump_python(note, mode="json")
    return canonical(document | {"digest": digest(document)}).encode()


def _from_text(text: bytes, place: str) -> Note:
    try:
        document = json.loads(text)
        if document.pop("digest") == digest(document):
            note: Note = _NOTE.validate_python(document)
            return note
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise DamagedObjectError(path=place, reason="it is not a note as coinhts writes them") from error
    raise DamagedObjectError(path=place, reason="its digest is not that of its content")
