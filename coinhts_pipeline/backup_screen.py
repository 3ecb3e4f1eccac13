"""Backups on a terminal: how far one is, which there are, and what came of bringing one back.

What lives here: a function a view. What stays out: tables as such (`screen`), and what is told
(`coinhts_core.backups`).
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from coinhts_core.backups.manifest import Drilled, Manifest
from coinhts_core.backups.progress import Progress as Told
from coinhts_core.backups.pruning import Pruned
from coinhts_core.backups.restore import Restored
from coinhts_core.backups.retention import Report
from coinhts_core.backups.shelf import Kept
from coinhts_pipeline import screen

_MEGABYTE = 1_000_000


@contextmanager
def bar(title: str) -> Iterator[Told]:
    """With an estimate, on a terminal, for work that learns on its way how much there is to do."""
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
        disable=not sys.stderr.isatty(),
    )
    with shown:
        task = shown.add_task(title, total=None)

        def progress(step: str, done: int, total: int) -> None:
            shown.update(task, completed=done, total=total, description=screen.plain(f"{title}: {step}"))

        yield progress


def taken(manifest: Manifest, place: str) -> None:
    """What was backed up, and what could not be."""
    rows = f"{manifest.rows:,} rows of {len(manifest.databases)} databases"
    names = f"{manifest.lake.names:,} names of the lake"
    screen.say(f"backed up {manifest.name} to {screen.plain(place)}: {rows}, {names}, {megabytes(manifest.size)}")
    new = f"{manifest.lake.new_objects:,} objects, {megabytes(manifest.lake.new_bytes)}"
    screen.say(f"new among the shared ones: {new}; all of it was read back")
    lacking(manifest.lacks)


def lacking(lacks: Sequence[str]) -> None:
    for sentence in lacks:
        screen.say(screen.plain(sentence))


def listed(backups: Sequence[Kept]) -> None:
    """The newest first."""
    looks = [[_when(of.verified_at), _when(of.drilled_at)] for of in backups]
    rows = [
        [of.name, screen.moment(of.taken_at), megabytes(of.size), of.verdict, *look]
        for of, look in zip(backups, looks, strict=True)
    ]
    screen.table(["backup", "taken", "size", "verdict", "verified", "drilled"], rows)


def restored(outcome: Restored) -> None:
    """What is there again, and what is left to do."""
    counts = f"{outcome.rows:,} rows, {outcome.names:,} names of the lake, {megabytes(outcome.size)}"
    screen.say(f"restored {outcome.name}, taken {screen.moment(outcome.taken_at)}: {counts}, compared and equal")
    lacking(outcome.lacks)
    if outcome.files:
        screen.say(screen.plain(f"files of your own: {', '.join(outcome.files)}"))
    if outcome.settings:
        screen.say("\nset otherwise where it was taken:")
        screen.table(["", ""], [[name, value] for name, value in outcome.settings.items()])
    if outcome.secrets:
        screen.say(screen.plain(f"\nsecrets are in no backup; to be set again: {', '.join(outcome.secrets)}"))


def drilled(found: Drilled) -> None:
    """What was proved, a line each."""
    screen.say(f"{found.name} came back whole, in {found.seconds:,.1f} s")
    proofs = [list(proof.partition(": ")[::2]) for proof in found.proved]
    screen.table(["proved", ""], proofs)


def retention(report: Report, pruned: Pruned | None) -> None:
    """What becomes of each, and what went."""
    rows = [[of.backup.name, megabytes(of.backup.size), of.state, of.why] for of in report.verdicts]
    screen.table(["backup", "size", "becomes", "why"], rows)
    for refusal in report.refusals:
        screen.say(screen.plain(f"none goes: {refusal}"))
    if pruned is None:
        obsolete = len(report.obsolete)
        screen.say(f"{obsolete} of {len(rows)} may go; `coinhts backup prune --yes` removes them" if obsolete else "")
    elif not pruned.refused:
        screen.say(f"{len(pruned.backups)} backups and {pruned.objects:,} objects are gone, {megabytes(pruned.size)}")
    if pruned and pruned.left_alone:
        screen.say(screen.plain(f"shared objects were left alone: {pruned.left_alone}"))


def megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB"


def _when(moment: datetime | None) -> str:
    return screen.moment(moment) if moment else "never"
