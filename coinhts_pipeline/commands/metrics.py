"""coinhts metrics: how often jobs ran and did well, and how long they took.

What lives here: the command. What stays out: measuring (`coinhts_pipeline.measuring`), and the figures
(`coinhts_core.ops.job_metrics`).
"""

from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from collections.abc import Iterable
    from datetime import datetime

    from coinhts_core.ops.job_metrics import Figures

_SHOWN_DAYS = 30
_WIDTH = 12


@click.command()
@click.option("--job", help="This one alone, such as rehearse_days.")
@click.option("--since", help=f"The first day, UTC, such as 2026-01-01; {_SHOWN_DAYS} days ago when not given.")
@click.option("--steps", "by_step", is_flag=True, help="The steps of jobs, attempt by attempt, rather than whole runs.")
@command
def metrics(*, job: str | None, since: str | None, by_step: bool, as_json: bool) -> None:
    """How often each job ran and did well, how long it took, and how many rows it made a second.

    Runs that ended since are measured first. p95 is what 95 of 100 took at most; the curve is its course, day by day.
    """
    from coinhts_core.clock import now
    from coinhts_core.ops.job_metrics import Window, daily, figures
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.measuring import measure
    from coinhts_pipeline.rooms import open_rooms

    at = now()
    window = Window(_beginning(since, at), at, job)
    with open_rooms(read_settings()) as rooms:
        measure(rooms.ledger, rooms.settings)
        found = figures(rooms.ledger, window, by_step=by_step)
        courses = {name: list(days.values()) for name, days in daily(rooms.ledger, window).items()}
    if as_json:
        document({"since": window.since, "until": window.until, "jobs": [of.facts for of in found]})
    else:
        _show(found, {} if by_step else courses, window.since)


def _beginning(since: str | None, at: "datetime") -> "datetime":
    from datetime import UTC, datetime, time, timedelta

    from coinhts_core.days import parse_day
    from coinhts_core.errors import BadTimeRangeError

    day = parse_day(since) if since else at.date() - timedelta(days=_SHOWN_DAYS)
    begins_at = datetime.combine(day, time(), UTC)
    if begins_at > at:
        raise BadTimeRangeError(text=since or "", reason="nothing has ended since a day that is still to come")
    return begins_at


def _show(found: "list[Figures]", courses: "dict[str, list[float]]", since: "datetime") -> None:
    from coinhts_pipeline import screen

    if not found:
        screen.say(f"no run has ended since {screen.moment(since)}")
        return
    named = ["job", "step"] if any(of.step for of in found) else ["job"]
    columns = [*named, "", "runs", "did well", "p50", "p95", "p99", "rows/s"]
    rows = [[*_names(of, named), _course(courses.get(of.job, ())), *_numbers(of)] for of in found]
    screen.table(columns, rows, words=len(named) + 1)


def _names(of: "Figures", named: list[str]) -> list[str]:
    return [getattr(of, name) for name in named]


def _numbers(of: "Figures") -> list[str]:
    from coinhts_core.backtests.report import UNDEFINED

    rate = UNDEFINED if of.rows_per_s is None else f"{of.rows_per_s:,.0f}"
    return [f"{of.count:,}", f"{of.success_rate:.1%}", *map(_time, (of.p50_s, of.p95_s, of.p99_s)), rate]


def _time(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1_000:,.0f} ms"


def _course(values: "Iterable[Any]") -> str:
    from coinhts_core.backtests.report import text_curve

    return "".join(text_curve(list(values), width=_WIDTH, height=1))
