"""coinhts backtest list, show, compare, report, pin, prune: results that were kept, found again.

What lives here: these commands, and `add_to`, which puts them into their group. What stays out: running
(`commands.backtest`), and the work (`backtests`, `coinhts_core.results`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.results.shelf import Shelf

_SORTS = ["newest", "return", "sharpe", "drawdown", "trades"]
_KINDS = ["backtest", "sweep", "walkforward"]


def add_to(group: click.Group) -> None:
    for one in (result_list, result_show, result_compare, result_report, result_pin, result_prune):
        group.add_command(one)


@click.command("list")
@click.option("--strategy", help="Of this strategy.")
@click.option("--kind", type=click.Choice(_KINDS), help="Of this kind.")
@click.option("--symbol", help="That look at this coin, such as KRW-BTC.")
@click.option("--from", "since", help="Kept on this day or later, UTC.")
@click.option("--to", "until", help="Kept on this day or before, UTC.")
@click.option("--min-return", type=float, help="At least this total return, a fraction.")
@click.option("--max-return", type=float, help="At most this total return, a fraction.")
@click.option("--sort", type=click.Choice(_SORTS), default="newest", show_default=True, help="The highest first.")
@click.option("--limit", type=int, default=50, show_default=True, help="How many at most.")
@command
def result_list(*, since: str | None, until: str | None, as_json: bool, **filters: Any) -> None:
    """Results that were kept, the newest first or the best."""
    from coinhts_core.results.kept import read_wanted
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import listed
    from coinhts_pipeline.result_screen import listing

    found = listed(read_settings(), read_wanted({**filters, "from": since, "to": until}))
    if as_json:
        document([of.facts for of in found])
    else:
        listing(found)


@click.command("show")
@click.argument("id")
@command
def result_show(*, id: str, as_json: bool) -> None:  # noqa: A002 - it is what the contract calls it
    """A result that was kept, by its id or the first letters of it."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import kept
    from coinhts_pipeline.result_screen import show

    found = kept(read_settings(), id)
    if as_json:
        document({**found.document, **({"badge": found.badge._asdict()} if found.badge else {})})
    else:
        show(found.document, found.equity, found.badge)


@click.command("compare")
@click.argument("first")
@click.argument("second")
@click.option("--page", type=click.Path(path_type=Path), help="Draw both into this file, an HTML page.")
@command
def result_compare(*, first: str, second: str, page: Path | None, as_json: bool) -> None:
    """Two results side by side: what may have made the difference, their figures, and both curves."""
    from coinhts_core.results.comparison_page import page_of
    from coinhts_pipeline.result_screen import comparison

    with _shelf(first) as shelf:
        found = shelf.compare(first, second)
    if page:
        page.write_text(page_of(found), encoding="utf-8")
    if as_json:
        document(found.facts)
    else:
        comparison(found)


@click.command("report")
@click.argument("id")
@click.option("--to", type=click.Path(path_type=Path), help="Copy the page to this file.")
@command
def result_report(*, id: str, to: Path | None, as_json: bool) -> None:  # noqa: A002 - it is what the contract calls it
    """The page of a result: one file that needs nothing else."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import page_of

    page = page_of(read_settings(), id)
    if to:
        to.write_bytes(page.read_bytes())
    if as_json:
        document({"page": str(to or page)})
    else:
        click.echo(str(to or page))


@click.command("pin")
@click.argument("id")
@click.option("--off", is_flag=True, help="It may go again.")
@command
def result_pin(*, id: str, off: bool, as_json: bool) -> None:  # noqa: A002 - as everywhere
    """Keep a result for ever, whatever newer one answers the same question."""
    from coinhts_pipeline import screen

    with _shelf(id) as shelf:
        found = shelf.pin(id, is_pinned=not off)
    if as_json:
        document(found.facts)
    else:
        screen.say(
            f"{found.id[:12]} stays for ever" if found.is_pinned else f"{found.id[:12]} may go when its time comes"
        )


@click.command("prune")
@click.option("--older-than", "days", type=click.IntRange(0, 36_500), default=30, show_default=True, help="Days.")
@click.option("--yes", "is_sure", is_flag=True, help="Remove what the report says; it cannot be undone.")
@command
def result_prune(*, days: int, is_sure: bool, as_json: bool) -> None:
    """Which results a newer one has stood for so many days, and why the others stay; --yes removes the former."""
    from datetime import timedelta

    from coinhts_core.clock import now
    from coinhts_core.results.retention import judged
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import opened_shelf, remove
    from coinhts_pipeline.result_screen import retention

    settings = read_settings()
    with opened_shelf(settings) as shelf:
        verdicts = judged(shelf.answers() if shelf else [], now(), timedelta(days=days))
        gone = remove(settings, shelf, verdicts) if shelf and is_sure else []
    if as_json:
        facts = [
            {"id": of.answer.id, "strategy": of.answer.strategy, "goes": of.goes, "why": of.why} for of in verdicts
        ]
        document({"results": facts, "removed": gone})
    else:
        retention(verdicts, gone)


@contextmanager
def _shelf(name: str) -> Iterator["Shelf"]:
    """The home's; where there is none, nothing is kept by that name."""
    from coinhts_core.errors import UnknownResultError
    from coinhts_core.results.kept import read_id
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import opened_shelf

    read_id(name)
    with opened_shelf(read_settings()) as shelf:
        if shelf is None:
            raise UnknownResultError(name=name)
        yield shelf
