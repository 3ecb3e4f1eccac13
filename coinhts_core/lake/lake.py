"""The lake itself: frames published day by day, read back whole, never half.

What lives here: `Lake`, everything a room or an IO manager asks of the lake. What to add: nothing per
asset; a room brings its own schema. What stays out: how (`writer`, `reader`, `journal`, `sweep`), and whose
configuration names the place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Self

import polars as pl

from coinhts_core.errors import DamagedObjectError, VenueMismatchError
from coinhts_core.hashes import canonical
from coinhts_core.lake.audit import Audited, audit
from coinhts_core.lake.commits import UNDATED, Day, DayEntry, Folder, locate, month_of
from coinhts_core.lake.decoded import Decoded
from coinhts_core.lake.journal import Journal
from coinhts_core.lake.places import open_store
from coinhts_core.lake.reader import Reader, Stored
from coinhts_core.lake.store import Store
from coinhts_core.lake.sweep import Swept, sweep
from coinhts_core.lake.writer import DayRows, Writer
from coinhts_core.markets import Market
from coinhts_core.settings import S3

_VENUE = "venue.json"
_AMAZON = S3()


@dataclass(frozen=True)
class Published:
    """The rows handed in, the bytes that had to be written, and each month's commit that has them now."""

    rows: int
    size: int
    commits: Mapping[str, int]


class Lake:
    """Frames by asset, symbol and day, in one place."""

    def __init__(self, store: Store, decoded: Decoded | None = None) -> None:
        self._store = store
        self._journal = Journal(store)
        self._reader = Reader(store, self._journal, decoded)
        self._writer = Writer(store, self._journal, self._reader)

    @classmethod
    def open(cls, url: str, s3: S3 = _AMAZON, cache: Path | None = None) -> Self:
        """Open the lake at a directory or an s3:// URL; `s3` tells where such URLs lead.

        What is decoded is kept in the folder `cache`, if one is named.
        """
        return cls(open_store(url, s3), Decoded(cache) if cache else None)

    def mark_venue(self, venue: str, suggestion: str) -> None:
        """Make the first caller's venue the lake's for ever; send any other to the place suggested."""
        mark = canonical({"format": 1, "venue": venue}).encode()
        if self._store.get(_VENUE) is None:
            self._store.create(_VENUE, mark)
        content = bytes(self._store.get(_VENUE) or b"")
        if content != mark:
            place = self._store.full_name(_VENUE)
            found = _venue_in(content, place)
            raise VenueMismatchError(place=place, found=found, wanted=venue, suggestion=suggestion)

    def publish(self, asset: str, symbol: Market, days: Mapping[date, DayRows], *, monthly: bool = True) -> Published:
        """Merge days into what is stored; `monthly=False` is for bars so few that years share an object."""
        folders: dict[Folder, dict[Day, DayRows]] = {}
        for day, rows in days.items():
            folder = Folder(asset, symbol, month_of(day) if monthly else UNDATED)
            folders.setdefault(folder, {})[day] = rows
        written = {folder.month: self._writer.merge_in(folder, group) for folder, group in folders.items()}
        return Published(
            rows=sum(rows.entry.rows for rows in days.values()),
            size=sum(one.size for one in written.values()),
            commits={month: one.number for month, one in written.items()},
        )

    def publish_whole(self, asset: str, rows: DayRows, *, replaces: int) -> Published:
        """Store undated rows, computed after `number_of_whole` said `replaces`; if overtaken, recompute."""
        written = self._writer.replace(Folder(asset), rows, replaces)
        return Published(rows.entry.rows, written.size, {UNDATED: written.number})

    def number_of_whole(self, asset: str) -> int:
        """Tell which commit has the undated rows now; 0 before the first."""
        head = self._journal.head(Folder(asset))
        return head.number if head else 0

    def heads(self, asset: str, symbol: Market) -> dict[date, DayEntry]:
        """Every stored day of a symbol, by one listing and the markers not seen before."""
        heads = self._journal.heads(Folder(asset, symbol).parent)
        return dict(sorted(entry for head in heads.values() for entry in head.dated.items()))

    def read(
        self,
        asset: str,
        symbol: Market,
        first_day: date,
        last_day: date,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Give the rows of a range's stored days, each row with its `day`."""
        return self.read_with_entries(asset, symbol, first_day, last_day, columns).rows

    def read_with_entries(
        self,
        asset: str,
        symbol: Market,
        first_day: date,
        last_day: date,
        columns: Sequence[str] | None = None,
    ) -> Stored:
        """Give rows and entries; a day that is not stored is in neither."""
        return self._reader.days(Folder(asset, symbol), first_day, last_day, columns)

    def read_whole(self, asset: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        return self._reader.whole(Folder(asset), columns)

    def forget_whole(self, asset: str) -> None:
        """Remove every commit of undated rows, the newest last, and their objects; a reader then finds nothing."""
        found = [of for of in self._store.listed(Folder(asset).path) if locate(of.path)]
        for listed in sorted(found, key=lambda of: (not of.path.endswith(".json"), of.path)):
            self._store.remove(listed.path)

    def folders(self, asset: str | None = None, symbol: Market | None = None) -> list[Folder]:
        """Everywhere that something is stored: of an asset, of one of its symbols, or of all."""
        return self._journal.folders(None if asset is None else Folder(asset, symbol).parent)

    def audit(self, folder: Folder) -> Audited:
        """Read a folder back and hash it again."""
        return audit(folder, self._store, self._journal, self._reader)

    def sweep(self, moment: datetime, *, only_looks: bool = False) -> Swept:
        """Remove what was superseded over a week ago and what killed writers left over an hour ago, or find it."""
        return sweep(self._store, self._journal, moment, only_looks=only_looks)


def _venue_in(content: bytes, place: str) -> str:
    try:
        return str(json.loads(content)["venue"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObjectError(path=place, reason="it names no venue") from error
