"""coinhts backup: copies of the installation taken, listed, looked at, brought back.

What lives here: the group's commands. What stays out: the work (`coinhts_core.backups`).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.backups.shelf import BackupShelf, Kept


@click.group()
def backup() -> None:
    """Copies of ledger, lake and settings, in COINHTS_BACKUPS, and bringing them back."""


@backup.command("run")
@command
def backup_run(*, as_json: bool) -> None:
    """Take one now; exit code 2 when the lake lacks what the ledger knows, which the backup then lacks, too."""
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.backups.take import take
    from coinhts_core.clock import now
    from coinhts_core.errors import CheckFailedError
    from coinhts_core.ledger.address import reachable
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen

    settings = read_settings()
    shelf = BackupShelf.open(settings)
    with reachable(settings) as found, backup_screen.bar("backing up") as progress:
        manifest = take(found, shelf, now(), progress)
    if as_json:
        document(manifest.model_dump(mode="json") | {"size": manifest.size, "place": shelf.place})
    else:
        backup_screen.taken(manifest, shelf.place)
    if manifest.lacks:
        reason = f"{manifest.name} was taken, and lacks {len(manifest.lacks)} things; {manifest.lacks[0]}"
        raise CheckFailedError(check="backup run", reason=reason)


@backup.command("list")
@command
def backup_list(*, as_json: bool) -> None:
    """Every backup, the newest first: when it was taken, verified, and restored as a drill."""
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen, screen

    shelf = BackupShelf.open(read_settings())
    found = shelf.listed()
    if as_json:
        document([_facts(kept) for kept in found])
    elif found:
        backup_screen.listed(found)
    else:
        screen.say(f"there is none in {screen.plain(shelf.place)}; `coinhts backup run` takes one")


@backup.command("verify")
@click.argument("name", required=False)
@command
def backup_verify(*, name: str | None, as_json: bool) -> None:
    """Read every byte of NAME, or of the newest, and hash it; exit code 2 when anything is damaged."""
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.backups.verify import verify
    from coinhts_core.clock import now
    from coinhts_core.errors import CheckFailedError
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen, screen

    shelf = BackupShelf.open(read_settings())
    newest = next(iter(shelf.listed()), None)  # whatever is known of it
    chosen = name or (newest or _newest(shelf, None)).name
    with backup_screen.bar("reading back") as progress:
        found = verify(shelf, chosen, now(), progress)
    if as_json:
        document(vars(found))
    else:
        screen.say(f"{found.name}: {found.objects:,} objects, {backup_screen.megabytes(found.size)} read back")
        backup_screen.lacking(found.damages)
    if found.damages:
        raise CheckFailedError(check="backup verify", reason=f"{len(found.damages)} damaged; {found.damages[0]}")


@backup.command("restore")
@click.argument("name", required=False)
@click.option("--at", help="The newest backup taken by this moment, such as 2026-01-31T04:00; UTC unless it says more.")
@command
def backup_restore(*, name: str | None, at: str | None, as_json: bool) -> None:
    """Fill an empty COINHTS_HOME from NAME, or from the newest; where anything is, nothing is written over.

    Set COINHTS_BACKUPS to where the backups lie. What was interrupted is begun again by the same command.
    """
    from coinhts_core.backups.restore import restore
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.errors import RefusedError
    from coinhts_core.ledger.address import reachable
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen

    if name and at:
        raise RefusedError(reason="name a backup or a moment, not both")
    settings = read_settings()
    shelf = BackupShelf.open(settings)
    chosen = name or _newest(shelf, _moment(at) if at else None).name
    with reachable(settings) as target, backup_screen.bar("restoring") as progress:
        outcome = restore(shelf, chosen, target, progress)
    if as_json:
        document(vars(outcome))
    else:
        backup_screen.restored(outcome)


@backup.command("drill")
@click.argument("name", required=False)
@command
def backup_drill(*, name: str | None, as_json: bool) -> None:
    """Restore NAME, or the newest, to a place that nobody needs, and prove that it is what was backed up.

    Exit code 2 when anything came back otherwise. What was proved is written beside the backup.
    """
    from coinhts_core.backups.drill import drill
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.clock import now
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen

    settings = read_settings()
    shelf = BackupShelf.open(settings)
    chosen = name or _newest(shelf, None).name
    with backup_screen.bar("trying it") as progress:
        drilled = drill(shelf, chosen, settings, now(), progress)
    if as_json:
        document(drilled.model_dump(mode="json"))
    else:
        backup_screen.drilled(drilled)


@backup.command("prune")
@click.option("--yes", "is_sure", is_flag=True, help="Remove what the report lets go; it cannot be undone.")
@command
def backup_prune(*, is_sure: bool, as_json: bool) -> None:
    """Which backups no rule keeps, and why the others stay; --yes removes the former, and bytes that none names."""
    from coinhts_core.backups.pruning import looked_over, prune
    from coinhts_core.backups.shelf import BackupShelf
    from coinhts_core.clock import now
    from coinhts_core.errors import RefusedError
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import backup_screen

    settings, at = read_settings(), now()
    shelf = BackupShelf.open(settings)
    report = looked_over(shelf, at)
    pruned = prune(settings, shelf, report, at) if is_sure else None
    if as_json:
        facts = [of.facts for of in report.verdicts]
        document({"backups": facts, "refusals": report.refusals, "removed": vars(pruned) if pruned else None})
    else:
        backup_screen.retention(report, pruned)
    if pruned and pruned.refused:
        raise RefusedError(reason=f"none was removed; {pruned.refused}")


def _newest(shelf: "BackupShelf", at: datetime | None) -> "Kept":
    from coinhts_core.errors import UnknownBackupError

    kept = shelf.newest(at)
    if kept is None:
        by_then = f" taken by {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
        raise UnknownBackupError(wanted=f"whole backup{by_then}", place=shelf.place)
    return kept


def _moment(text: str) -> datetime:
    from coinhts_core.backups.manifest import moment_of
    from coinhts_core.errors import RefusedError

    try:
        told = moment_of(text) or datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(reason=f"{text!r} is no moment; write it like 2026-01-31T04:00") from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _facts(kept: "Kept") -> dict[str, object]:
    moments = ("taken_at", "verified_at", "drilled_at", "damaged_at", "failed_at")
    names = ("name", *moments, "size", "verdict", "is_whole", "lacks")
    return {name: getattr(kept, name) for name in names}
