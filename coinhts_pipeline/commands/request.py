"""coinhts backtest submit, status, cancel, retry: requests that the house answers while nobody waits for them.

What lives here: these commands, and `add_to`, which puts them into their group. What stays out: running in the
command's own process (`commands.backtest`), results (`commands.result`), and the queue (`coinhts_core.requests`).
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document
from coinhts_pipeline.commands.questions import account_facts, account_options, knob_options, told_knobs

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.requests.desk import Desk, Standing

_KINDS = ["backtest", "sweep", "walkforward"]
_STATES = ["queued", "running", "completed", "failed", "cancelled", "dead"]
_ENDED = {"completed", "failed", "cancelled", "dead"}
_OF_A_SEARCH = ("samples", "seed", "folds", "ratio", "anchored", "by")
_LOOKS_EVERY_S = 0.5
_SHORT = 12


def add_to(group: click.Group) -> None:
    for one in (request_submit, request_status, request_cancel, request_retry):
        group.add_command(one)


@click.command("submit")
@click.option("--kind", type=click.Choice(_KINDS), default="backtest", show_default=True, help="What is computed.")
@click.option("--strategy", required=True, help="A strategy, or a set of knobs of the lineup.")
@click.option("--symbols", help="Such as KRW-BTC,KRW-ETH; all active ones when not given.")
@click.option("--timerange", help="Such as 20260101-20260131, both days included; open ends allowed.")
@knob_options
@click.option("--grid", multiple=True, metavar="KNOB=VALUES", help="To try: fast=4:52:2, fast=5,10,20; several times.")
@click.option("--samples", type=int, help="Of a sweep: so many combinations, by chance.")
@click.option("--seed", type=int, help="Of a sweep: of the chance.")
@click.option("--folds", type=int, help="Of a walk-forward: windows.")
@click.option("--ratio", type=float, help="Of a walk-forward: days to choose in, for each unseen one.")
@click.option("--anchored", is_flag=True, default=None, help="Of a walk-forward: choose in all days before.")
@click.option("--by", help="Of a walk-forward: the figure that is chosen by.")
@click.option("--timeframe", help="1m to 1w.")
@click.option("--mode", type=click.Choice(["account", "study"]), default="account", show_default=True)
@click.option("--wait", "waits", is_flag=True, help="Stay until it has ended, and show how far it is.")
@account_options
@command
def request_submit(
    *,
    kind: str,
    strategy: str,
    symbols: str | None,
    timerange: str | None,
    knobs: tuple[str, ...],
    params: str | None,
    grid: tuple[str, ...],
    timeframe: str | None,
    mode: str,
    waits: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask for a backtest, a sweep or a walk-forward; `coinhts up` answers. The same again is the same."""
    from coinhts_core.clock import now
    from coinhts_core.requests.reception import Reception
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.rooms import open_rooms
    from coinhts_pipeline.sweeps import read_axis

    settings = read_settings()
    search = {option: options.pop(option) for option in _OF_A_SEARCH}
    asked = {
        "kind": kind,
        "strategy": strategy,
        "params": told_knobs(params, knobs),
        "symbols": [word for word in symbols.split(",") if word.strip()] if symbols else None,
        **_days(timerange, settings.start_date),
        "timeframe": timeframe,
        "mode": mode,
        "account": account_facts(**options),
        "grid": dict(map(read_axis, grid)),
        **search,
    }
    with open_rooms(settings) as rooms:
        reception = Reception(rooms.settings, rooms.ledger, rooms.lake)
        standing = reception.submit({name: value for name, value in asked.items() if value is not None}, now())
        if waits:
            standing = _awaited(reception.desk, standing)
    _show(standing, as_json=as_json)
    if waits:
        _judge(standing)


def _days(timerange: str | None, start: Any) -> dict[str, str]:
    from coinhts_core.clock import now
    from coinhts_core.days import DayRange, last_complete_day

    if timerange is None:
        return {}
    days = DayRange.parse(timerange, start, last_complete_day(now()))
    return {"start_date": str(days.first), "end_date": str(days.last)}


@click.command("status")
@click.argument("id", required=False)
@click.option("--state", type=click.Choice(_STATES), help="Of this state, when no id is given.")
@click.option("--strategy", help="Of this strategy, when no id is given.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many at most.")
@click.option("--wait", "waits", is_flag=True, help="Stay until it has ended, and show how far it is.")
@command
def request_status(
    *,
    id: str | None,  # noqa: A002 - it is what the contract calls it
    state: Any,
    strategy: str | None,
    limit: int,
    waits: bool,
    as_json: bool,
) -> None:
    """How a request stands, by its id or the first letters of it; or the latest ones."""
    from coinhts_core.requests.desk import Filter
    from coinhts_pipeline import screen

    with _desk() as desk:
        if id:
            standing = desk.find(id)
            _show(_awaited(desk, standing) if waits else standing, as_json=as_json)
            return
        found, counts = desk.listed(Filter(state=state, strategy=strategy, limit=limit)), desk.counts()
    if as_json:
        document([of.facts for of in found])
    elif found:
        rows = [
            [of.id[:_SHORT], of.kind, of.strategy, of.state, _far(of), screen.moment(of.created_at)] for of in found
        ]
        screen.table(["id", "kind", "strategy", "state", "", "asked"], rows)
        screen.say(", ".join(f"{count} {name}" for name, count in counts.items() if count))
    else:
        screen.say("nothing was asked for; `coinhts backtest submit` does it")


@click.command("cancel")
@click.argument("id")
@command
def request_cancel(*, id: str, as_json: bool) -> None:  # noqa: A002 - it is what the contract calls it
    """Stop a request for good, whether it waits or is being answered."""
    from coinhts_core.clock import now

    with _desk() as desk:
        standing = desk.cancel(id, now())
    _show(standing, as_json=as_json)


@click.command("retry")
@click.argument("id")
@command
def request_retry(*, id: str, as_json: bool) -> None:  # noqa: A002 - it is what the contract calls it
    """Begin a request once more that failed, died or was cancelled."""
    from coinhts_core.clock import now

    with _desk() as desk:
        standing = desk.retry(id, now())
    _show(standing, as_json=as_json)


@contextmanager
def _desk() -> Iterator["Desk"]:
    from coinhts_core.requests.desk import Desk
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.schema import current_ledger

    with current_ledger(read_settings()) as ledger:
        yield Desk(ledger)


def _awaited(desk: "Desk", standing: "Standing") -> "Standing":
    """Until it has ended; on a terminal with a bar."""
    from coinhts_pipeline import screen

    with screen.progress(f"{standing.kind} {standing.id[:_SHORT]}", 100) as step:
        shown = 0
        while standing.state not in _ENDED:
            for _ in range(shown, round(standing.progress * 100)):
                step(standing.step)
            shown = max(shown, round(standing.progress * 100))
            time.sleep(_LOOKS_EVERY_S)
            standing = desk.find(standing.id)
    return standing


def _show(standing: "Standing", *, as_json: bool) -> None:
    from coinhts_pipeline import screen

    if as_json:
        document(standing.facts)
        return
    screen.say(f"request [bold]{standing.id}[/bold]")
    asked = json.dumps(dict(standing.asked), ensure_ascii=False)
    rows = [
        ["state", f"{standing.state}{_far(standing)}"],
        ["asked", screen.moment(standing.created_at)],
        ["for", f"a {standing.kind} of {standing.strategy}: {asked}"],
        *([["error", standing.error]] if standing.error else []),
    ]
    screen.table(["", ""], rows)


def _far(standing: "Standing") -> str:
    return f" {standing.progress:.0%}, {standing.step}" if standing.state == "running" else ""


def _judge(standing: "Standing") -> None:
    """Whoever waited for it learns by the exit code how it ended."""
    from coinhts_core.errors import CheckFailedError

    if standing.state != "completed":
        reason = standing.error or f"it is {standing.state}"
        raise CheckFailedError(check=f"the request {standing.id[:_SHORT]}", reason=reason)
