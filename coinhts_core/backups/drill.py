"""A drill: a backup is restored to a place that nobody needs, and what came back is compared with what had been.

What lives here: `drill`, and what it proves. What to add: a proof, as a sentence that says what was seen. What stays
out: restoring itself (`restore`), the place (`scratch`), and when drills are held.

A backup that could be read is not yet one that can be brought back. So every drill has to prove, of the restored:
    tables       as many rows as were dumped, with the same content, in the same structure; restoring compares them
    constraints  each is held against every row once more
    lake         every day hashes to what was published, which restoring compares; the ledger knows of no more
    partitions   some are read as a strategy would read them
    backtest     a stored one is worked out again to the same rows, where one can be
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from coinhts_core.backups.facts import Snapshot, snapshot_of
from coinhts_core.backups.manifest import Drilled, Failed, Manifest
from coinhts_core.backups.progress import Progress
from coinhts_core.backups.recomputed import recomputed
from coinhts_core.backups.restore import Restored, restore
from coinhts_core.backups.scratch import scratch
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import addresses
from coinhts_core.candles.frame import MINUTES
from coinhts_core.errors import DamagedBackupError, DamagedObjectError, NotStoredError
from coinhts_core.lake.commits import UNDATED, month_of
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger, connect
from coinhts_core.ledger.queries import load_queries
from coinhts_core.markets import Market
from coinhts_core.settings import Settings

SOON_ENOUGH = timedelta(minutes=15)
_SPOKEN = {"ledger": "the ledger", "dagster": "Dagster's database"}
_ROOM_FOR_DUMPS = 8  # a dump is that much smaller than its tables, at most


class Proof(NamedTuple):
    """One thing that was proved, and how."""

    what: str
    told: str


def drill(
    shelf: BackupShelf, name: str, settings: Settings, moment: datetime, progress: Progress | None = None
) -> Drilled:
    """What was proved, written beside the backup; or an error that names what came back otherwise, written as well."""
    begun = time.monotonic()
    manifest = shelf.manifest(name)
    needed = manifest.lake.size + _ROOM_FOR_DUMPS * (manifest.size - manifest.lake.size)
    try:
        with scratch(settings, needed) as there:
            again = restore(shelf, name, there, progress)
            proofs = list(_proofs(manifest, again, there))
    except DamagedBackupError as error:
        _note_damage(shelf, manifest, moment, str(error.reason))
        raise
    seconds = round(time.monotonic() - begun, 3)
    told = tuple(f"{proof.what}: {proof.told}" for proof in proofs)
    drilled = Drilled(name=name, manifest_digest=manifest.digest, drilled_at=moment, seconds=seconds, proved=told)
    shelf.note(drilled)
    return drilled


def _note_damage(shelf: BackupShelf, manifest: Manifest, moment: datetime, damage: str) -> None:
    shelf.note(
        Failed(name=manifest.name, manifest_digest=manifest.digest, found_at=moment, damages=(f"in a drill, {damage}",))
    )


def _proofs(manifest: Manifest, again: Restored, there: Settings) -> Iterator[Proof]:
    urls = {database: url for database, url in addresses(there).items() if database in manifest.databases}
    tables = sum(len(of.tables) for of in manifest.databases.values())
    where = " and ".join(_SPOKEN[database] for database in urls)
    yield Proof("tables", f"{again.rows:,} rows in {tables} tables of {where} are those that were dumped")
    for database, url in urls.items():
        yield _constraints(manifest, database, url)
    lake = Lake.open(there.lake_url, there.s3)
    yield _lake(manifest, again, lake, urls["ledger"])
    yield _partitions(manifest, lake)
    with Ledger.open(urls["ledger"]) as ledger:
        yield _backtest(manifest, ledger, lake, there)


def _constraints(manifest: Manifest, database: str, url: str) -> Proof:
    statements = load_queries("drills")
    try:
        with connect(url) as connection:
            connection.execute(statements["check_constraints_again"])
            every, valid = connection.execute(statements["count_constraints"]).fetchone() or (0, 0)
    except psycopg.IntegrityError as error:
        reason = f"a constraint of {_SPOKEN[database]} does not hold: {str(error).partition(chr(10))[0]}"
        raise DamagedBackupError(name=manifest.name, reason=reason) from None
    if valid != every:
        reason = f"{every - valid} constraints of {_SPOKEN[database]} hold of some rows only"
        raise DamagedBackupError(name=manifest.name, reason=reason)
    return Proof("constraints", f"{every} hold of every row of {_SPOKEN[database]}")


def _lake(manifest: Manifest, again: Restored, lake: Lake, url: str) -> Proof:
    with snapshot_of(url) as snapshot:
        lost = list(_lost(lake, snapshot))
    if lost and not manifest.lacks:
        raise DamagedBackupError(name=manifest.name, reason=lost[0])
    told = "but for what it lacked before" if manifest.lacks else "and nothing is missing that the ledger knows"
    return Proof("lake", f"{again.names} names hash as published, {told}")


def _lost(lake: Lake, snapshot: Snapshot) -> Iterator[str]:
    """What the ledger came back knowing, and the lake came back without."""
    for symbol, known in snapshot.days_answered().items():
        if lost := sorted(set(known) - lake.heads(MINUTES, Market(symbol)).keys()):
            yield f"the lake came back without {len(lost)} days of {MINUTES} {symbol}, such as {lost[0]}"
    assets = {folder.asset for folder in lake.folders()}
    for identity, frames in snapshot.frames_kept().items():
        if lost_frames := [name for name in frames if f"results/{identity}/{name}" not in assets]:
            yield f"the lake came back without the {', '.join(lost_frames)} of result {identity[:12]}"


def _partitions(manifest: Manifest, lake: Lake) -> Proof:
    """The first, the middle and the last place that holds days, each read by its newest day."""
    dated = [(of.asset, of.symbol, of.month) for of in lake.folders() if of.symbol and of.month != UNDATED]
    read = []
    for asset, symbol, month in (
        dated[place] for place in sorted({0, len(dated) // 2, len(dated) - 1} if dated else ())
    ):
        day = max(day for day in lake.heads(asset, symbol) if month_of(day) == month)
        try:
            rows = lake.read(asset, symbol, day, day)
        except (DamagedObjectError, NotStoredError) as error:
            raise DamagedBackupError(name=manifest.name, reason=str(error)) from error
        read.append(f"{asset} {symbol} {day} ({rows.height:,} row{'' if rows.height == 1 else 's'})")
    return Proof("partitions", ", ".join(read) or "none is stored")


def _backtest(manifest: Manifest, ledger: Ledger, lake: Lake, there: Settings) -> Proof:
    again = recomputed(ledger, lake, there)
    if again.outcome == "other":
        raise DamagedBackupError(name=manifest.name, reason=again.told)
    return Proof("backtest", again.told)
