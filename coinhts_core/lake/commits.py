"""What a commit says: which object holds a folder's rows, and the identity of each of its days.

What lives here: the lake's layout (`Folder`, `locate`), a marker's text and its strict reading, and the
rule of merging; all of it pure. What to add: nothing without a new format number, for markers outlive the
code. What stays out: when and where markers are created and read (`journal`).

A marker is one line of canonical JSON. Its `digest` covers everything else in it, so a damaged marker is
never believed. `parent_digest` names the very commit it was merged from: a number alone may have been swept
and taken again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from functools import cached_property, lru_cache
from hashlib import sha256
from secrets import token_hex
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)

from coinhts_core.errors import BadAssetError, BadMarketError, DamagedObjectError, RefusedError
from coinhts_core.hashes import canonical, digest
from coinhts_core.markets import Market

UNDATED: Literal["all"] = "all"
_FORMAT = 1
_PATHS_REMEMBERED = 16_384

Day = date | Literal["all"]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(lambda moment: moment.astimezone(UTC).isoformat()),
]

_ASSET = r"[a-z0-9_]{1,100}(?:/[a-z0-9_]{1,100}){0,9}"
_PATH = re.compile(
    rf"(?P<asset>{_ASSET})(?:/symbol=(?P<symbol>[^/]+))?/(?:month=(?P<month>\d{{4}}-\d{{2}})|all)/"
    r"(?P<number>\d{12})(?:\.json|-[0-9a-f]{16}\.parquet)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where one line of commits lies: a symbol's month, all of a symbol, or all of an asset."""

    asset: str
    symbol: Market | None = None
    month: str = UNDATED

    def __post_init__(self) -> None:
        if not re.fullmatch(_ASSET, self.asset, re.ASCII):
            raise BadAssetError(text=self.asset)
        if self.symbol is not None:
            Market(self.symbol)

    @property
    def parent(self) -> str:
        return self.asset if self.symbol is None else f"{self.asset}/symbol={self.symbol}"

    @property
    def path(self) -> str:
        return f"{self.parent}/{UNDATED if self.month == UNDATED else f'month={self.month}'}"

    def marker(self, number: int) -> str:
        return f"{self.path}/{number:012}.json"

    def object(self, name: str) -> str:
        return f"{self.path}/{name}"


def month_of(day: date) -> str:
    return day.isoformat()[:7]


@dataclass(frozen=True, slots=True)
class Place:
    """What the path of a marker or an object tells."""

    folder: Folder
    number: int
    is_marker: bool


@lru_cache(_PATHS_REMEMBERED)
def locate(path: str) -> Place | None:
    """None for a path that is not ours."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    try:
        symbol = None if found["symbol"] is None else Market(found["symbol"])
    except BadMarketError:
        return None
    folder = Folder(found["asset"], symbol, found["month"] or UNDATED)
    return Place(folder, int(found["number"]), path.endswith(".json"))


def new_object_name(number: int) -> str:
    return f"{number:012}-{token_hex(8)}.parquet"


@dataclass(frozen=True, slots=True)
class DayEntry:
    """A day's identity: what its rows hash to, what they were made from, and when their source was asked."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    rows: Count
    content_hash: Hash
    data_version: str
    asked_at: Moment | None = None
    made_from: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaMark:
    """Which schema the object's columns follow."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: str
    version: int


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One version of a folder."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    format: Literal[1] = 1
    number: Annotated[int, Field(ge=1)]
    parent: int | None
    parent_digest: Hash | None
    asset: str
    symbol: str | None
    month: str
    object: Annotated[str, Field(pattern=r"^[0-9]{12}-[0-9a-f]{16}\.parquet$")]
    sha256: Hash
    size: Count
    rows: Count
    schema: SchemaMark
    published_at: Moment
    days: Mapping[Day, DayEntry]

    def belongs_to(self, folder: Folder, number: int) -> bool:
        return (self.asset, self.symbol, self.month, self.number) == (
            folder.asset,
            folder.symbol,
            folder.month,
            number,
        )

    @property
    def digest(self) -> str:
        return digest(_COMMIT.dump_python(self, mode="json"))

    @cached_property
    def dated(self) -> Mapping[date, DayEntry]:
        """Its days, in their order."""
        return dict(sorted((day, entry) for day, entry in self.days.items() if day != UNDATED))

    def to_text(self) -> bytes:
        return canonical(_COMMIT.dump_python(self, mode="json") | {"digest": self.digest}).encode()

    @classmethod
    def from_text(cls, text: bytes, name: str) -> Self:
        """Believed only when it is spelled in the one canonical way and says what its digest says."""
        try:
            document = json.loads(text)
            is_canonical = canonical(document).encode() == text
        except (ValueError, RecursionError) as error:
            raise DamagedObjectError(path=name, reason="it is not JSON") from error
        if not is_canonical or not isinstance(document, dict):
            raise DamagedObjectError(path=name, reason="it is not a commit as coinhts writes them")
        if document.get("format") != _FORMAT:
            reason = f"{name} has format {document.get('format')}, this coinhts reads 1; use the newer coinhts"
            raise RefusedError(reason=reason)
        signed = document.pop("digest", None)
        content = text.replace(f'"digest":"{signed}",'.encode(), b"", 1)
        if signed != sha256(b"[" + content + b"]").hexdigest():
            raise DamagedObjectError(path=name, reason="its digest is not that of its content")
        try:
            commit: Self = _COMMIT.validate_json(content)
        except ValidationError as error:
            raise DamagedObjectError(path=name, reason=f"its field {error.errors()[0]['loc']} is wrong") from error
        return commit


_COMMIT: TypeAdapter[Any] = TypeAdapter(Commit)


def merge(held: Mapping[Day, DayEntry], written: Mapping[Day, DayEntry]) -> dict[Day, DayEntry]:
    """Put the writer's days over the held ones, except where the held day was asked for later."""
    return {**held, **{day: entry for day, entry in written.items() if _prevails(entry, held.get(day))}}


def _prevails(entry: DayEntry, held: DayEntry | None) -> bool:
    if held is None or entry.asked_at is None or held.asked_at is None:
        return True
    return (entry.asked_at, entry.content_hash) > (held.asked_at, held.content_hash)
