"""coinhts sweep: one strategy with many combinations of knobs, the best of them, and a map of them.

What lives here: the group's commands. What stays out: the work (`sweeps`), and single runs (`backtest_commands`).
"""

from pathlib import Path
from typing import Any

import click

from coinhts_pipeline.backtest_commands import account_options
from coinhts_pipeline.commands import command, document, opened, scope

_TRIED = "Values to try of a knob or an option of the account: fast=4:52:2, fast=5,10,20; several times."
_FEW = 10


@click.group()
def sweep() -> None:
    """A strategy over candles, with many combinations of knobs."""


@sweep.command("run")
@scope
@click.option("--candles", type=click.Path(path_type=Path), help="A Parquet or CSV file instead of the lake.")
@click.option("--symbol", help="Whose bars the file holds, where it does not say.")
@click.option("--timezone", type=click.Choice(["UTC", "KST"], case_sensitive=False), help="Of times without a zone.")
@click.option("--strategy", "name", required=True, help="A strategy, or a set of knobs of the lineup.")
@click.option("--set", "axes", multiple=True, required=True, metavar="KNOB=VALUES", help=_TRIED)
@click.option("--timeframe", help="1m to 1w.")
@click.option("--samples", type=click.IntRange(1), help="So many combinations, by chance; all when not given.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the chance.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads; as many as there are cores when not given.")
@account_options
@command
def sweep_run(
    *,
    symbols: str | None,
    timerange: str | None,
    candles: Path | None,
    symbol: str | None,
    timezone: str | None,
    name: str,
    axes: tuple[str, ...],
    timeframe: str | None,
    samples: int | None,
    seed: int,
    workers: int | None,
    no_rules: bool,
    as_json: bool,
    **account: Any,
) -> None:
    """Rehearse every combination, or some by chance; what was done before a stop is not done again."""
    from coinhts_core.candles.files import Said
    from coinhts_core.candles.stamps import Zone
    from coinhts_core.errors import RefusedError
    from coinhts_core.markets import Market, Timeframe
    from coinhts_core.settings import read_settings, usable_home
    from coinhts_pipeline.backtests import asked_for, keep_document, shelve
    from coinhts_pipeline.sweep_screen import counted, show_best
    from coinhts_pipeline.sweeps import Asked, Parts, document_of, read_axis, sweep_file, sweep_lake

    settings = read_settings()
    length = Timeframe.parse(timeframe) if timeframe else None
    given = {option: value for option, value in account.items() if value is not None}
    own = {"timeframe": str(length)} if length else {}
    strategy, wanted = asked_for(settings, name, own, {**given, **({"rules": None} if no_rules else {})})
    asked = Asked(strategy, wanted, dict(map(read_axis, axes)), samples, seed, workers)
    usable_home(settings)
    parts = Parts(settings.cache_folder / "sweeps")
    if candles:
        if symbols or timerange:
            raise RefusedError(reason="a file is run over whole; --symbols and --timerange are for stored candles")
        said = Said(Market.parse(symbol) if symbol else None, length, Zone(timezone.upper()) if timezone else None)
        with counted(asked.combinations) as asked.progress:
            rows = sweep_file(candles, said, asked, parts, length)
        of = keep_document(settings, document_of(rows, asked, parts))
    else:
        from coinhts_core.results.facts import Table
        from coinhts_core.results.shelf import Shelf
        from coinhts_core.trials import Over, trials_of

        with opened(symbols, timerange) as (installation, chosen, days):
            rooms = installation.rooms
            with counted(asked.combinations) as asked.progress:
                rows = sweep_lake(rooms.lake, chosen, days, asked, parts)
            told = {"combinations": rows.height, **asked.facts, "symbols": [str(of.symbol) for of in chosen]}
            facts = {**told, "start_date": days.first, "end_date": days.last}
            over = Over(tuple(told["symbols"]), told["timeframe"], days.first, days.last)
            table = Table("sweep", rows, told, tried=trials_of(asked.points, rows, over))
            of = shelve(Shelf(rooms.ledger, rooms.lake), settings, parts.identity, table, facts)
    parts.forget()
    if as_json:
        document(of)
    else:
        show_best(of, "sharpe", _FEW)


@sweep.command("top")
@click.argument("id")
@click.option("--by", default="sharpe", show_default=True, help="The figure that counts, the highest first.")
@click.option("--count", type=click.IntRange(1), default=_FEW, show_default=True, help="How many rows.")
@command
def sweep_top(*, id: str, by: str, count: int, as_json: bool) -> None:  # noqa: A002 - as everywhere
    """The best combinations of a sweep that was kept."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.sweep_screen import show_best
    from coinhts_pipeline.sweeps import best

    of = kept(read_settings(), id).document
    if as_json:
        document({"id": of["id"], "by": by, "rows": best(of, by, count)})
    else:
        show_best(of, by, count)


@sweep.command("heatmap")
@click.argument("id")
@click.option("--x", "across", help="The knob from left to right.")
@click.option("--y", "down", help="The knob from top to bottom.")
@click.option("--by", default="sharpe", show_default=True, help="The figure that is shown.")
@command
def sweep_heatmap(*, id: str, across: str | None, down: str | None, by: str, as_json: bool) -> None:  # noqa: A002 - as above
    """A figure over two knobs, the middle of all combinations that share both."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.sweep_screen import show_heatmap
    from coinhts_pipeline.sweeps import heatmap

    of = kept(read_settings(), id).document
    drawn = heatmap(of, by, across, down)
    if as_json:
        document({"id": of["id"], **drawn.facts})
    else:
        show_heatmap(drawn)
