"""coinhts sweep: one strategy with many combinations of knobs, the best of them, and a map of them.

What lives here: the group's commands. What stays out: the work (`sweeps`), and single runs (`commands.backtest`).
"""

from typing import Any

import click

from coinhts_pipeline.commands.options import command, document, opened_rooms
from coinhts_pipeline.commands.questions import account_options, axis_options, candle_options, read_question

_FEW = 10


@click.group()
def sweep() -> None:
    """A strategy over candles, with many combinations of knobs."""


@sweep.command("run")
@candle_options
@axis_options
@click.option("--samples", type=click.IntRange(1), help="So many combinations, by chance; all when not given.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the chance.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads; as many as there are cores when not given.")
@account_options
@command
def sweep_run(
    *,
    symbols: str | None,
    timerange: str | None,
    axes: tuple[str, ...],
    samples: int | None,
    seed: int,
    workers: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Rehearse every combination, or some by chance; what was done before a stop is not done again."""
    from coinhts_core.settings import usable_home
    from coinhts_pipeline.backtests import keep_document, shelve
    from coinhts_pipeline.sweep_screen import counted, show_best
    from coinhts_pipeline.sweeps import Asked, Parts, document_of, read_axis, sweep_file, sweep_lake

    question = read_question({}, symbols=symbols, timerange=timerange, **options)
    settings = question.settings
    asked = Asked(question.strategy, question.account, dict(map(read_axis, axes)), samples, seed, workers)
    usable_home(settings)
    parts = Parts(settings.cache_folder / "sweeps")
    if question.file:
        with counted(asked.combinations) as asked.progress:
            rows = sweep_file(question.file, question.said, asked, parts, question.timeframe)
        of = keep_document(settings, document_of(rows, asked, parts))
    else:
        from coinhts_core.results.facts import Table
        from coinhts_core.results.shelf import Shelf
        from coinhts_core.trials import Over, trials_of

        with opened_rooms(symbols, timerange) as (rooms, chosen, days):
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
    from coinhts_core.results.swept import best
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.sweep_screen import show_best

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
    from coinhts_core.results.swept import heatmap
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.sweep_screen import show_heatmap

    of = kept(read_settings(), id).document
    drawn = heatmap(of, by, across, down)
    if as_json:
        document({"id": of["id"], **drawn.facts})
    else:
        show_heatmap(drawn)
