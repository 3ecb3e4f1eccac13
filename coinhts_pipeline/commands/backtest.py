"""coinhts backtest: a strategy over candles of the lake or of a file, its figures and its page.

What lives here: the group, and running. What stays out: what was kept (`commands.result`), and the work (`backtests`).
"""

from typing import Any

import click

from coinhts_pipeline.commands.options import command, document, opened_rooms
from coinhts_pipeline.commands.questions import account_options, candle_options, knob_options, read_question, told_knobs


@click.group()
def backtest() -> None:
    """A strategy over candles, once."""


@backtest.command("run")
@candle_options
@knob_options
@click.option("--mode", type=click.Choice(["account", "study"]), default="account", show_default=True)
@click.option("--full", "is_full", is_flag=True, help="With equity, a row a bar, in the document.")
@account_options
@command
def backtest_run(
    *,
    symbols: str | None,
    timerange: str | None,
    knobs: tuple[str, ...],
    params: str | None,
    mode: Any,
    is_full: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Rehearse a strategy over stored candles, or over a file (no database is started for that)."""
    from coinhts_core.backtests.document import document_of
    from coinhts_core.settings import usable_home
    from coinhts_pipeline.backtests import badge_on, keep, run_on_file, run_on_lake, shelve
    from coinhts_pipeline.result_screen import show

    asked = read_question(told_knobs(params, knobs), symbols=symbols, timerange=timerange, **options)
    if asked.file:
        result = run_on_file(
            asked.file, asked.said, asked.strategy, asked.account, mode=mode, timeframe=asked.timeframe
        )
        usable_home(asked.settings)
        of, counted = keep(asked.settings, result), None
    else:
        from coinhts_core.results.shelf import Shelf

        with opened_rooms(symbols, timerange) as (rooms, chosen, days):
            result = run_on_lake(rooms.lake, chosen, days, asked.strategy, asked.account, mode=mode)
            shelf = Shelf(rooms.ledger, rooms.lake)
            span = {"start_date": days.first, "end_date": days.last}
            of = shelve(shelf, asked.settings, result.id, result, span)
            counted = shelf.counted(result.strategy_name)
    badge = badge_on(of, len(result.outcome.daily) - 1, counted)
    if as_json:
        document({**(document_of(result, is_full=True) if is_full else of), "badge": badge._asdict()})
    else:
        show(of, result.outcome.daily.tolist(), badge)
