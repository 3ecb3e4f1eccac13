"""Importing candle files into an installation, and what is told about it.

What lives here: `import_files`, one file after another, and its report in rows. What stays out: reading files and
judging days (`coinhts_core.candles`).

A file that cannot be imported stops no other. A symbol must be followed: an import adds bars, never a market.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from coinhts_core.candles.files import Said, find_files, read_file
from coinhts_core.candles.imports import Fate, Imported, Importing, import_bars, sha256_of
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.stamps import Zone
from coinhts_core.clock import now
from coinhts_core.errors import BadFileError, NotFollowedError, RefusedError
from coinhts_core.markets import Market, Timeframe
from coinhts_core.settings import read_settings
from coinhts_core.wording import clipped
from coinhts_pipeline import screen
from coinhts_pipeline.installation import open_installation

_DAY = timedelta(days=1)
_COUNTS = ("good", "refused", "already_there", "different")
_SHOWN = 20


@dataclass
class Report:
    """What became of every symbol of every file, and why some files could not be imported."""

    is_rehearsal: bool
    imported: list[Imported] = field(default_factory=list)
    refusals: list[RefusedError] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        rows = [_facts_of(imported) for imported in self.imported]
        return {"is_rehearsal": self.is_rehearsal, "files": rows, "refused": [str(of) for of in self.refusals]}


def run_import(paths: Sequence[Path], said: Said, *, is_replacing: bool, is_rehearsal: bool) -> Report:
    """Import into the installation that the settings name."""
    files = files_below(paths)
    with open_installation(read_settings()) as installation, screen.progress("files", len(files)) as progress:
        rooms = installation.rooms
        importing = Importing(rooms.lake, rooms.ledger, now(), is_rehearsal, is_replacing)
        return import_files(importing, files, said, rooms.symbols, progress)


def heard(*, symbol: str | None, timeframe: str | None, timezone: str | None) -> Said:
    """What the person says about all the files."""
    return Said(
        Market.parse(symbol) if symbol else None,
        Timeframe.parse(timeframe) if timeframe else None,
        Zone(timezone) if timezone else None,
    )


def files_below(paths: Sequence[Path]) -> list[Path]:
    """What there is to import; a directory without a candle file was probably another one."""
    files = find_files(paths)
    if not files:
        raise BadFileError(file=", ".join(map(str, paths)), reason="no Parquet or CSV file lies there")
    return files


def import_files(
    importing: Importing,
    files: Sequence[Path],
    said: Said,
    followed: Mapping[Market, Registered],
    progress: Callable[[str], object],
) -> Report:
    report = Report(importing.is_rehearsal)
    for file in files:
        try:
            bars = read_file(file, said)
            sha256 = sha256_of(bars)
        except RefusedError as error:
            report.refusals.append(error)
            progress("refused")
            continue
        for symbol in bars.symbols:
            if symbol in followed:
                report.imported.append(import_bars(importing, bars, followed[symbol], sha256))
            else:
                report.refusals.append(NotFollowedError(symbol=symbol, followed=", ".join(followed)))
        bars.months.clear()
        progress(", ".join(bars.symbols))
    return report


def show(report: Report) -> None:
    """The table, and below it why days are refused; the first refused file is the command's own refusal."""
    rows = report.facts()["files"]
    columns = ("file", "symbol", "timeframe", *_COUNTS, "first", "last", "times")
    titles = [column.replace("_", " ") for column in columns]
    screen.table(titles, [[Path(row["file"]).name, *(str(row[column]) for column in columns[1:])] for row in rows])
    reasons = [f"{row['symbol']} {days}: {reason}" for row in rows for days, reason in row["reasons"].items()]
    for reason in reasons[:_SHOWN]:
        screen.note(f"refused: {reason}")
    if len(reasons) > _SHOWN:
        screen.note(f"and {len(reasons) - _SHOWN} more, which --json shows")
    if any(row["different"] for row in rows):
        screen.note("days that differ from what is stored are left as they are; --replace takes the files'")
    for refusal in report.refusals[1:]:
        screen.complain(str(refusal))
    if report.is_rehearsal:
        screen.say("nothing was written; leave out --dry-run to import")


def _facts_of(imported: Imported) -> dict[str, Any]:
    """One row of the report: counts of days by fate, the span of the file, and how its times were read."""
    counts = {fate.value.replace(" ", "_"): imported.count(fate) for fate in Fate}
    return {
        "file": clipped(imported.bars.file),
        "sha256": imported.sha256,
        "symbol": str(imported.registered.symbol),
        "timeframe": str(imported.bars.timeframe),
        **counts,
        "first": min(imported.fates, default=None),
        "last": max(imported.fates, default=None),
        "times": imported.bars.told,
        "reasons": dict(_spans(imported)),
    }


def _spans(imported: Imported) -> Iterator[tuple[str, str]]:
    """Days in a row that are refused for the same reason are told once."""
    days = sorted(imported.reasons)
    for (_, reason), group in groupby(enumerate(days), lambda placed: _line_of(imported, *placed)):
        span: list[date] = [day for _, day in group]
        yield (f"{span[0]}..{span[-1]}" if len(span) > 1 else str(span[0])), reason


def _line_of(imported: Imported, place: int, day: date) -> tuple[date, str]:
    """Days in a row lie equally far behind their places."""
    return day - place * _DAY, imported.reasons[day]
