"""coinhts walkforward: choose on days that were seen, trade on days that were not, window by window.

What lives here: the group's commands. What stays out: the work (`walkforwards`), and sweeps (`commands.sweep`).
"""

from typing import Any

import click

from coinhts_pipeline.commands.options import command, document, opened_rooms
from coinhts_pipeline.commands.questions import account_options, axis_options, candle_options, read_question


@click.group()
def walkforward() -> None:
    """What was best before, tried on what came after."""


@walkforward.command("run")
@candle_options
@axis_options
@click.option("--folds", type=click.IntRange(1, 100), default=5, show_default=True, help="Windows.")
@click.option("--ratio", type=float, default=3.0, show_default=True, help="Days to choose in, for each unseen one.")
@click.option("--anchored", "is_anchored", is_flag=True, help="Choose in all days before, not in the last ones.")
@click.option("--by", default="sharpe", show_default=True, help="The figure that is chosen by.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads; as many as there are cores when not given.")
@account_options
@command
def walkforward_run(
    *, symbols: str | None, timerange: str | None, axes: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Choose and try, window by window, over stored candles or over a file (no database is started for that)."""
    from coinhts_core.settings import usable_home
    from coinhts_pipeline.backtests import keep_document, shelve
    from coinhts_pipeline.sweeps import read_axis
    from coinhts_pipeline.walkforward_screen import counted, show
    from coinhts_pipeline.walkforwards import Asked, badge_on, document_of, table_of, walk_file, walk_lake

    windows = {option: options.pop(option) for option in ("by", "folds", "ratio", "is_anchored", "workers")}
    question = read_question({}, symbols=symbols, timerange=timerange, **options)
    settings = question.settings
    asked = Asked(question.strategy, question.account, dict(map(read_axis, axes)), **windows)
    usable_home(settings)
    if question.file:
        with counted(asked.folds + 1) as progress:
            walk = walk_file(question.file, question.said, asked, question.timeframe, progress)
        of, tries = keep_document(settings, document_of(walk)), None
    else:
        from coinhts_core.results.shelf import Shelf
        from coinhts_core.trials import tried_on

        with opened_rooms(symbols, timerange) as (rooms, chosen, days):
            with counted(len(chosen) * (asked.folds + 1)) as progress:
                walk = walk_lake(rooms.lake, chosen, days, asked, progress)
            shelf = Shelf(rooms.ledger, rooms.lake)
            of = shelve(shelf, settings, walk.id, table_of(walk, tried_on(walk)), walk.asked)
            tries = shelf.counted(walk.strategy)
    badge = badge_on(of, len(walk.unseen), tries)
    if as_json:
        document({**of, "equity": document_of(walk)["equity"], "badge": badge._asdict()})
    else:
        show(of, walk.equity["equity"].to_list(), badge)


@walkforward.command("show")
@click.argument("id")
@command
def walkforward_show(*, id: str, as_json: bool) -> None:  # noqa: A002 - as everywhere
    """A walk-forward that was kept, by its id or the first letters of it; judged by all that was tried until now."""
    from coinhts_core.errors import RefusedError
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.walkforward_screen import show
    from coinhts_pipeline.walkforwards import badge_on, days_unseen

    found = kept(read_settings(), id)
    of = found.document
    if of.get("kind") != "walkforward":
        raise RefusedError(reason=f"result {of['id'][:12]} is no walk-forward; `coinhts backtest show` shows it")
    badge = badge_on(of, days_unseen(of), found.counted)
    if as_json:
        document({**of, "badge": badge._asdict()})
    else:
        show(of, list(found.equity) or [equity for _, equity, _ in of.get("equity", [])], badge)
