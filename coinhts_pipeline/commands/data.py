"""coinhts data: what is there of the candles, what is missing and why, and how it comes.

What lives here: the group's commands. What stays out: the work (`data`, `effort`, `import_files`, `export_files`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document, opened, opened_rooms, scope, told

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_pipeline.export_files import Format


@click.group()
def data() -> None:
    """The candles: what is there, what is missing and why."""


@data.command("status")
@scope
@command
def data_status(*, symbols: str | None, timerange: str | None, as_json: bool) -> None:
    """Bars stored, days by state, and days that were told differently later, for each symbol."""
    from coinhts_core.candles.coverage import State
    from coinhts_pipeline import screen
    from coinhts_pipeline.data import inventories

    with opened(symbols, timerange) as (installation, chosen, days):
        found = inventories(installation, chosen, days)
    rows = [
        {
            "symbol": of.registered.symbol,
            "bars": of.rows,
            **{state: of.count(state) for state in State},
            "revised": of.revised,
        }
        for of in found
    ]
    if as_json:
        document({"first": days.first, "last": days.last, "symbols": rows})
    else:
        shown = ["symbol", "bars", *(of for of in (*State, "revised") if any(row[of] for row in rows))]
        screen.table(shown, [[row["symbol"], *(f"{row[of]:,}" for of in shown[1:])] for row in rows], words=1)


@data.command("gaps")
@scope
@click.option(
    "--quiet",
    default=60,
    show_default=True,
    type=click.IntRange(1, 1440),
    help="Name quiet stretches of so many minutes.",
)
@command
def data_gaps(*, symbols: str | None, timerange: str | None, quiet: int, as_json: bool) -> None:
    """Every hole with its reason: no trade, bad bars (one by one), not fetched, exchange down, not listed."""
    from datetime import timedelta

    from coinhts_pipeline import screen
    from coinhts_pipeline.data import holes, inventories

    with opened(symbols, timerange) as (installation, chosen, days):
        found = holes(installation, inventories(installation, chosen, days), days, timedelta(minutes=quiet))
    if as_json:
        document([vars(hole) for hole in found])
    elif found:
        screen.holes(found)
    else:
        screen.say("no hole: every day was answered and traded")


@data.command("download")
@scope
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be asked for, and ask for nothing.")
@command
def data_download(*, symbols: str | None, timerange: str | None, only_plan: bool, as_json: bool) -> None:
    """Candles alone, for the days nobody has answered for yet; not 0 when some did not come, or came with bad bars."""
    from coinhts_pipeline import effort, screen
    from coinhts_pipeline.backfill import Runner
    from coinhts_pipeline.data import download, download_plan, inventories, judge
    from coinhts_pipeline.definitions import defs

    with opened(symbols, timerange) as (installation, chosen, days):
        planned = download_plan(installation, inventories(installation, chosen, days))
        cost = effort.effort_of(installation.rooms.exchange, chosen, planned)
        if not only_plan:
            with screen.progress("candles", planned.steps) as progress:
                download(Runner(installation, defs()), planned, progress)
        left = [] if only_plan else inventories(installation, chosen, days)
    if as_json:
        document(cost.facts())
    else:
        effort.show(cost)
    judge(left)


@data.command("repair")
@scope
@command
def data_repair(*, symbols: str | None, timerange: str | None, as_json: bool) -> None:
    """Ask again for what is missing, then fold again what stood on it."""
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner
    from coinhts_pipeline.data import inventories, judge, repair, repair_plan
    from coinhts_pipeline.definitions import defs

    with opened(symbols, timerange) as (installation, chosen, days):
        planned = repair_plan(installation, inventories(installation, chosen, days))
        with screen.progress("candles", planned.steps) as progress:
            repair(Runner(installation, defs()), chosen, planned, progress)
        left = inventories(installation, chosen, days)
    told(planned, "nothing to mend", as_json=as_json)
    judge(left)


@data.command("export")
@scope
@click.option("--timeframe", default="1m", show_default=True, help="1m, 3m, 5m, 10m, 15m, 30m, 1h, 4h, 1d or 1w.")
@click.option("--format", "form", default="parquet", show_default=True, type=click.Choice(["parquet", "csv"]))
@click.option(
    "--to", "folder", default=".", show_default=True, type=click.Path(path_type=Path), help="Made when it is missing."
)
@click.option("--replace", "is_replacing", is_flag=True, help="Overwrite files of the same names.")
@command
def data_export(
    *,
    symbols: str | None,
    timerange: str | None,
    timeframe: str,
    form: "Format",
    folder: Path,
    is_replacing: bool,
    as_json: bool,
) -> None:
    """Bars into one Parquet or CSV file a symbol, which other programs, and `data import`, read."""
    from coinhts_core.markets import Timeframe
    from coinhts_pipeline.export_files import Wanted, export_files, show

    length = Timeframe.parse(timeframe)
    with opened_rooms(symbols, timerange) as (rooms, chosen, days):
        wanted = Wanted(days, length, form, folder, is_replacing)
        report = export_files(rooms.lake, chosen, wanted)
    if as_json:
        document(report.facts())
    else:
        show(report)


@data.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", help="Whose bars they are, such as KRW-BTC, where the files do not say.")
@click.option("--timeframe", help="1m or 1d, where the files do not say.")
@click.option("--timezone", type=click.Choice(["UTC", "KST"], case_sensitive=False), help="Of times without a zone.")
@click.option("--replace", "is_replacing", is_flag=True, help="Replace days that differ from the files.")
@click.option("--dry-run", "is_rehearsal", is_flag=True, help="Tell what would be imported, and write nothing.")
@command
def data_import(
    *, paths: tuple[Path, ...], is_replacing: bool, is_rehearsal: bool, as_json: bool, **said: str | None
) -> None:
    """Bars out of Parquet and CSV files, or directories of them, judged like downloads."""
    from coinhts_pipeline.import_files import heard, run_import, show

    report = run_import(paths, heard(**said), is_replacing=is_replacing, is_rehearsal=is_rehearsal)
    if as_json:
        document(report.facts())
    else:
        show(report)
    if report.refusals:
        raise report.refusals[0]
