"""Backups: the installation copied every day, and a copy tried every day.

What lives here: `backups/ledger`, `backups/lake`, `backups/drill`, their jobs, schedules and checks. What to add: a
check of what a backup must be. What stays out: taking, verifying and trying (`coinhts_core.backups`), and what goes
when (upkeep).

The rows of each asset are all backups, or drills, there are; the bytes lie where COINHTS_BACKUPS says. What a drill
finds wrong is a check that says no, not a run that failed: the run did what it was for.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from coinhts_core.backups.drill import SOON_ENOUGH, drill
from coinhts_core.backups.history import (
    DRILLS,
    LAKE_BACKUPS,
    LEDGER_BACKUPS,
    PROOFS,
    age_of_backup,
    age_of_drill,
    begun_at,
    drill_rows,
    drills,
    dump_size,
    lake_rows,
    ledger_rows,
    proofs_of,
)
from coinhts_core.backups.manifest import Drilled, Manifest
from coinhts_core.backups.progress import Progress
from coinhts_core.backups.shelf import BackupShelf, Kept
from coinhts_core.backups.take import take
from coinhts_core.clock import now
from coinhts_core.errors import DamagedBackupError, UnknownBackupError
from coinhts_core.frames import Schema
from coinhts_core.hashes import digest
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.log_ids import in_lines
from coinhts_pipeline.plots import plot
from coinhts_pipeline.resources import House
from coinhts_pipeline.verdicts import asset_body, told_to_dagster

BACK_UP, DRILL_BACKUP, LOOK_AT_BACKUPS = "back_up", "drill_backup", "look_at_backups"
_LEDGER, _LAKE, _DRILL = (dg.AssetKey(["backups", name]) for name in ("ledger", "lake", "drill"))
_STEP = "backups__drill"
_SHOWN = 10
_MEGABYTE = 1_000_000
_RUNNING = dg.DefaultScheduleStatus.RUNNING
_VERIFIED, _AGE = "is_verified", "is_young_enough"
_AGES = {_LEDGER: age_of_backup, _LAKE: age_of_backup, _DRILL: age_of_drill}

Results = Iterator[dg.Output[Whole] | dg.AssetCheckResult]


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    back_up = dg.define_asset_job(
        BACK_UP,
        dg.AssetSelection.assets(_LEDGER, _LAKE),
        description="Copies the ledger, Dagster's database, the lake and the settings to COINHTS_BACKUPS.",
    )
    drill_backup = dg.define_asset_job(
        DRILL_BACKUP,
        dg.AssetSelection.assets(_DRILL),
        description="Restores a backup to a place that nobody needs, and compares what came back.",
    )
    look_at_backups = dg.define_asset_job(
        LOOK_AT_BACKUPS,
        dg.AssetSelection.checks(*(dg.AssetCheckKey(key, _AGE) for key in _AGES)),
        description="Tells how old the newest backup and the newest drill are.",
    )
    return dg.Definitions(
        assets=[backed_up, drilled],
        asset_checks=[ages],
        jobs=[back_up, drill_backup, look_at_backups],
        schedules=[
            _schedule("back_up_daily", BACK_UP, "0 4 * * *", "A backup every day at 04:00 UTC (13:00 KST)."),
            _schedule(
                "look_at_backups_twice_daily",
                LOOK_AT_BACKUPS,
                "15 6,18 * * *",
                "At 06:15 and 18:15 UTC, when what did not happen at 04:00 begins to be a warning, and then an error.",
            ),
            drill_backup_daily,
            drill_older_backup_weekly,
        ],
    )


def _spec(key: dg.AssetKey, name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key, description=description)


def _out(key: dg.AssetKey, schema: Schema, kinds: set[str], description: str) -> dg.AssetOut:
    return dg.AssetOut(
        key=key,
        description=description,
        group_name="backups",
        kinds=kinds,
        code_version="1",
        io_manager_key="lake",
        tags={"copies": "house"},
        metadata=described(schema.columns),
    )


@dg.multi_asset(
    name="backups",
    outs={
        "ledger": _out(
            _LEDGER,
            LEDGER_BACKUPS,
            {"postgres", "parquet"},
            "Ledger and Dagster's database, each dumped out of a snapshot of its own and read back wholly.",
        ),
        "lake": _out(
            _LAKE,
            LAKE_BACKUPS,
            {"parquet"},
            "The lake's newest commits and what they name, each object copied once and read back.",
        ),
    },
    check_specs=[
        _spec(_LEDGER, _VERIFIED, "Every byte of the dumps was read back and hashed, and every row of them read."),
        _spec(_LAKE, _VERIFIED, "Every byte of what the lake's newest commits name was read back and hashed."),
        _spec(_LAKE, "lacks_nothing", "All that the ledger knows of was in the lake when it was copied."),
    ],
)
def backed_up(context: dg.AssetExecutionContext, house: House) -> Results:
    with in_lines(asset="backups"), told_to_dagster():
        rooms = house.rooms
        replaces = {key: rooms.lake.number_of_whole("/".join(key.path)) for key in (_LEDGER, _LAKE)}
        shelf = BackupShelf.open(rooms.settings)
        manifest = take(rooms.settings, shelf, now(), _in_words(context))
        backups = shelf.listed()
        rows = {_LEDGER: ledger_rows(backups), _LAKE: lake_rows(backups)}
        yield _of_ledger(manifest, rows[_LEDGER], replaces[_LEDGER])
        yield _of_lake(manifest, rows[_LAKE], replaces[_LAKE])
        yield from _verified(shelf.find(manifest.name))
        yield dg.AssetCheckResult(
            asset_key=_LAKE,
            check_name="lacks_nothing",
            passed=not manifest.lacks,
            description=manifest.lacks[0] if manifest.lacks else "nothing is missing",
            metadata={"lacks": list(manifest.lacks[:_SHOWN])},
        )


class Trial(dg.Config):
    """Which backup is tried."""

    name: str = Field(default="", description="of the backup, such as 20260102T030405Z; chosen when none is named")
    which: Literal["newest", "older"] = Field(default="newest", description="the newest, or one of those before it")


@dg.asset(
    key=_DRILL,
    deps=[_LEDGER, _LAKE],
    description="A backup restored to a place that nobody needs, and compared: every drill, and what it proved.",
    group_name="backups",
    kinds={"postgres", "parquet"},
    code_version="1",
    io_manager_key="lake",
    tags={"proves": "backups"},
    metadata=described(DRILLS.columns, ledger_backups=[_LEDGER], lake_backups=[_LAKE]),
    check_specs=[
        _spec(
            _DRILL,
            "proved_what_it_must",
            "Tables, constraints, lake, partitions and a backtest came back as they were.",
        ),
        _spec(_DRILL, "is_quick_enough", "Bringing a backup back takes a quarter of an hour at most."),
    ],
)
@asset_body
def drilled(context: dg.AssetExecutionContext, config: Trial, house: House) -> Results:
    settings, moment = house.rooms.settings, now()
    replaces = house.rooms.lake.number_of_whole("backups/drill")
    shelf = BackupShelf.open(settings)
    name = config.name or _chosen(shelf, config.which, moment)
    found, damage = _tried(shelf, name, settings, moment, _in_words(context))
    backups = shelf.listed()
    held = drills(shelf, backups)
    rows = DayRows.of(DRILLS, drill_rows(held, backups))
    whole = Whole(rows, replaces, digest(rows.entry.content_hash), preview=_table(rows.frame))
    facts: dict[str, Any] = {"seconds": found.seconds, **proofs_of(found)} if found else {"damage": damage}
    shown = {"backup": name, "age": age_of_drill(backups, moment).told, **facts}
    yield whole.output({**shown, **plot([of.seconds for of in held], "how long drills took, s")})
    missing = [of for of in PROOFS if not found or of not in proofs_of(found)]
    yield dg.AssetCheckResult(
        check_name="proved_what_it_must",
        passed=not missing,
        description=damage or (f"nothing was proved of {', '.join(missing)}" if missing else "; ".join(_proved(found))),
        metadata={"backup": name},
    )
    yield dg.AssetCheckResult(
        check_name="is_quick_enough",
        passed=bool(found and found.seconds <= SOON_ENOUGH.total_seconds()),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"it took {found.seconds:,.1f} s" if found else "it did not come to its end",
        metadata={"backup": name},
    )


def _tried(
    shelf: BackupShelf, name: str, settings: Settings, moment: datetime, progress: Progress
) -> tuple[Drilled | None, str]:
    try:
        return drill(shelf, name, settings, moment, progress), ""
    except DamagedBackupError as error:
        return None, str(error)


def _chosen(shelf: BackupShelf, which: str, moment: datetime) -> str:
    """Of those before the newest another one each week, as if by chance."""
    whole = [of.name for of in shelf.listed() if of.is_whole]
    if not whole:
        raise UnknownBackupError(wanted="whole backup", place=shelf.place)
    older = whole[1:] if which == "older" else []
    return older[int(digest(str(moment.date()))[:8], 16) % len(older)] if older else whole[0]


def _proved(found: Drilled | None) -> list[str]:
    return list(found.proved) if found else []


def _of_ledger(manifest: Manifest, rows: pl.DataFrame, replaces: int) -> dg.Output[Whole]:
    """Its version is the ledger's own: of rows that did not change it is the same."""
    ledger = manifest.databases["ledger"].tables
    version = digest(*(f"{name} {of.rows} {of.content_hash}" for name, of in sorted(ledger.items())))
    whole = Whole(DayRows.of(LEDGER_BACKUPS, rows), replaces, version, preview=_table(rows))
    sizes = plot([size / _MEGABYTE for size in rows["size"]], "dumps, MB")
    facts: dict[str, Any] = {"backup": manifest.name, "rows": manifest.rows, "dump_bytes": dump_size(manifest)}
    return dg.Output(whole, "ledger", metadata={**facts, **sizes}, data_version=dg.DataVersion(version))


def _of_lake(manifest: Manifest, rows: pl.DataFrame, replaces: int) -> dg.Output[Whole]:
    """Its version is that of all names and what they name."""
    version = digest(*(part.sha256 for part in manifest.parts_of("heads.jsonl")))
    whole = Whole(DayRows.of(LAKE_BACKUPS, rows), replaces, version, preview=_table(rows))
    sizes = plot([size / _MEGABYTE for size in rows["size"]], "the lake, MB")
    facts: dict[str, Any] = {"backup": manifest.name, **manifest.lake.model_dump()}
    return dg.Output(whole, "lake", metadata={**facts, **sizes}, data_version=dg.DataVersion(version))


def _verified(kept: Kept) -> Iterator[dg.AssetCheckResult]:
    for key in (_LEDGER, _LAKE):
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=_VERIFIED,
            passed=kept.verdict == "verified",
            description=f"{kept.name} is {kept.verdict}",
            metadata={"backup": kept.name, "bytes": kept.size},
        )


@dg.multi_asset_check(
    name="ages_of_backups",
    specs=[
        _spec(
            key,
            _AGE,
            "The newest, or a house without one, is at most 26 hours old; from 36 hours on this is an error.",
        )
        for key in _AGES
    ],
    can_subset=True,
)
def ages(context: dg.AssetCheckExecutionContext, house: House) -> Iterator[dg.AssetCheckResult]:
    """All at one look at the place where backups lie."""
    with told_to_dagster():
        listed, begun = BackupShelf.open(house.rooms.settings).listed(), begun_at(house.rooms.ledger)
    for key in sorted(of.asset_key for of in context.selected_asset_check_keys):
        age = _AGES[key](listed, now(), begun)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=_AGE,
            passed=age.is_young_enough,
            severity=dg.AssetCheckSeverity.ERROR if age.is_too_old else dg.AssetCheckSeverity.WARN,
            description=age.told,
            metadata={"newest": str(age.newest or "none")},
        )


def _schedule(name: str, job: str, cron: str, description: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=_RUNNING,
        description=description,
    )


@dg.schedule(
    job_name=DRILL_BACKUP,
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    default_status=_RUNNING,
    description="The newest backup is tried every day at 04:30 UTC (13:30 KST), when there is one.",
)
def drill_backup_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    return _asked(context, "newest")


@dg.schedule(
    job_name=DRILL_BACKUP,
    cron_schedule="50 4 * * 0",
    execution_timezone="UTC",
    default_status=_RUNNING,
    description="An older backup is tried every Sunday at 04:50 UTC (13:50 KST), when there is one.",
)
def drill_older_backup_weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    return _asked(context, "older")


def _asked(context: dg.ScheduleEvaluationContext, which: str) -> dg.RunRequest | dg.SkipReason:
    least = 2 if which == "older" else 1
    if sum(of.is_whole for of in BackupShelf.open(read_settings()).listed()) < least:
        return dg.SkipReason("there is no such backup yet")
    key = f"{which} {context.scheduled_execution_time.isoformat()}"
    return dg.RunRequest(run_key=key, run_config={"ops": {_STEP: {"config": {"which": which}}}})


def _in_words(context: dg.AssetExecutionContext) -> Progress:
    """Ten lines of long work, whatever there is to do."""
    told = [0]

    def progress(step: str, done: int, total: int) -> None:
        if done * 10 // max(total, 1) > told[0]:
            told[0] = done * 10 // max(total, 1)
            context.log.info("%d of %d: %s", done, total, step)

    return progress


def _table(rows: pl.DataFrame) -> str:
    return markdown(rows.tail(_SHOWN).reverse()) if rows.height else "there is none yet"
