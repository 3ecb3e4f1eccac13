"""What is written down of a backup: what it holds, and what was proved of it since.

What lives here: the documents, their strict reading, and how a backup is named. What to add: a field, with the next
number of the format, for documents outlive the code. What stays out: where they lie (`shelf`).

A document is one line of canonical JSON. Its `digest` covers everything else in it, so a damaged one is never believed.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)

from coinhts_core.errors import DamagedBackupError
from coinhts_core.hashes import canonical, digest

_NAME = r"[0-9]{8}T[0-9]{6}Z"
_AS_NAME = "%Y%m%dT%H%M%SZ"

Name = Annotated[str, Field(pattern=rf"^{_NAME}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(lambda moment: moment.astimezone(UTC).isoformat()),
]


def name_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):{_AS_NAME}}"


def moment_of(name: str) -> datetime | None:
    """None for what is no backup's name."""
    if not re.fullmatch(_NAME, name, re.ASCII):
        return None
    try:
        return datetime.strptime(name, _AS_NAME).replace(tzinfo=UTC)
    except ValueError:
        return None


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Facts):
    """A file of a backup's own; what is too long for one goes on in the next, with a number behind its name."""

    name: str
    size: Count
    sha256: Hash


class Entry(_Facts):
    """A name in the lake or in the home, and which of the shared objects its bytes are."""

    path: str
    size: Count
    sha256: Hash

    def to_text(self) -> bytes:
        return canonical(self.model_dump()).encode()


class TableFacts(_Facts):
    """What tells whether two tables hold the same rows, in whatever order they lie."""

    rows: Count
    content_hash: str


class DatabaseFacts(_Facts):
    """A database as its dump has it: in one snapshot."""

    server: str
    snapshot: str
    structure_hash: Hash
    tables: Mapping[str, TableFacts]


class LakeFacts(_Facts):
    """How many names of the lake there are to put back, and what was not yet among the shared objects."""

    names: Count
    size: Count
    new_objects: Count
    new_bytes: Count


class Document(_Facts):
    """Says what it is, which backup it is about, and signs itself."""

    kind: ClassVar[str]
    format: Literal[1] = 1
    name: Name

    @property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))

    def to_text(self) -> bytes:
        return canonical(self.model_dump(mode="json") | {"digest": self.digest}).encode()

    @classmethod
    def from_text(cls, text: bytes, name: str) -> Self:
        """Believed only when it is spelled in the one canonical way and says what its digest says."""
        what = f"its {cls.kind}"
        try:
            facts = json.loads(text)
            if canonical(facts).encode() != text:
                raise DamagedBackupError(name=name, reason=f"{what} is not spelled as coinhts writes them")
            signed = facts.pop("digest")
            if digest(facts) != signed:
                raise DamagedBackupError(name=name, reason=f"the digest of {what} is not that of its content")
            return cls.model_validate_json(canonical(facts))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            wrong = ".".join(map(str, first["loc"]))
            raise DamagedBackupError(name=name, reason=f"{what} says nothing sensible of {wrong}") from error
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise DamagedBackupError(name=name, reason=f"{what} is not one as coinhts writes them") from error


class Manifest(Document):
    """Written last: where there is none, there is no backup. Who restores trusts only what it names."""

    kind: ClassVar[str] = "manifest"
    taken_at: Moment
    coinhts: str
    programs: str
    venue: str | None
    schema_revision: str | None
    databases: Mapping[str, DatabaseFacts]
    parts: tuple[Part, ...]
    lake: LakeFacts
    lacks: tuple[str, ...] = ()
    parent: Name | None
    parent_digest: Hash | None

    @property
    def size(self) -> int:
        """The bytes it takes to bring everything back."""
        return sum(part.size for part in self.parts) + self.lake.size

    @property
    def rows(self) -> int:
        return sum(table.rows for database in self.databases.values() for table in database.tables.values())

    def parts_of(self, whole: str) -> list[Part]:
        """The parts of one file in their order."""
        return [part for part in self.parts if part.name == whole or part.name.startswith(f"{whole}.part-")]


class Verified(Document):
    """Every byte was read back and hashed, and the dumps read wholly."""

    kind: ClassVar[str] = "verified"
    manifest_digest: Hash
    verified_at: Moment
    objects: Count
    size: Count


class Drilled(Document):
    """It was restored, and what came of it was compared with what had been."""

    kind: ClassVar[str] = "drill"
    manifest_digest: Hash
    drilled_at: Moment
    seconds: float
    proved: tuple[str, ...]


class Damaged(Document):
    """A look at every byte found something wrong; it holds until a later look finds nothing."""

    kind: ClassVar[str] = "damaged"
    manifest_digest: Hash | None
    found_at: Moment
    damages: tuple[str, ...]


class Failed(Damaged):
    """A drill found something wrong, which no mere look may see; it holds until a later drill finds nothing."""

    kind: ClassVar[str] = "failed"


class Files(_Facts):
    """What belongs to an installation beside its data: its own files, its settings without secrets, its versions."""

    settings: Mapping[str, str]
    secrets: tuple[str, ...]
    lock_hash: Hash | None
    schema_revision: str | None
    files: tuple[Entry, ...]

    def to_text(self) -> bytes:
        return canonical(self.model_dump(mode="json")).encode()


DocumentT = TypeVar("DocumentT", bound=Document)
_ENTRY = TypeAdapter(Entry)


def lines_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(entry.to_text() + b"\n" for entry in sorted(entries, key=lambda of: of.path))


def entries_in(text: bytes, name: str) -> list[Entry]:
    """Every line of heads, each name once."""
    try:
        entries = [_ENTRY.validate_json(line) for line in text.splitlines()]
    except ValidationError as error:
        raise DamagedBackupError(name=name, reason="a line of its heads is not one as coinhts writes them") from error
    if lines_of(entries) != text or len({entry.path for entry in entries}) != len(entries):
        raise DamagedBackupError(name=name, reason="its heads are not spelled as coinhts writes them")
    return entries
