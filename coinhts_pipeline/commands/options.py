"""What every command takes and gives.

What lives here: options, arguments judged, documents. What stays out: the commands (`cli`, `commands.data`).
"""

import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from coinhts_core.hashes import Fact

if TYPE_CHECKING:
    from datetime import date

    from coinhts_core.days import DayRange


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes: `--json` for one document on stdout, `--debug` for a traceback."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @wraps(function)
    def judged(*args: Any, debug: bool, **kwargs: Any) -> Any:
        from coinhts_core.logs import set_up_command

        set_up_command(debug=debug)
        return function(*args, **kwargs)

    return judged


def scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """Symbols and days, as most commands take them."""
    function = click.option("--timerange", help="Such as 20260101-20260131, both days included; open ends allowed.")(
        function
    )
    return click.option("--symbols", help="Such as KRW-BTC,KRW-ETH; all active ones when not given.")(function)


def document(facts: Fact | list[Any] | dict[str, Any]) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=str, allow_nan=False))


@contextmanager
def opened(symbols: str | None, timerange: str | None) -> Iterator[tuple[Any, Any, Any]]:
    """The installation, with the symbols and days a command was asked about."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.installation import open_installation

    settings = read_settings()
    days = wanted_days(timerange, settings.start_date)
    with open_installation(settings) as installation:
        yield installation, installation.rooms.chosen(symbols), days


@contextmanager
def opened_rooms(symbols: str | None, timerange: str | None) -> Iterator[tuple[Any, Any, Any]]:
    """The same without Dagster, which takes longer to load than many a command to work."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.rooms import open_rooms

    settings = read_settings()
    days = wanted_days(timerange, settings.start_date)
    with open_rooms(settings) as rooms:
        yield rooms, rooms.chosen(symbols), days


def wanted_days(timerange: str | None, start: "date") -> "DayRange":
    """The asked days, none before the start nor after the last complete one."""
    from coinhts_core.clock import now
    from coinhts_core.days import DayRange, last_complete_day
    from coinhts_core.errors import BadTimeRangeError, FutureRangeError

    latest = last_complete_day(now())
    if timerange is None:
        if start > latest:
            raise FutureRangeError(day=start, last=latest)
        return DayRange(start, latest)
    days = DayRange.parse(timerange, start, latest)
    if days.first < start:
        raise BadTimeRangeError(text=timerange, reason=f"it begins before COINHTS_START_DATE, which is {start}")
    return days


def told(planned: Any, nothing: str, *, as_json: bool) -> None:
    """The runs of a plan, as a document or a table."""
    from coinhts_pipeline import screen

    blocks = [{"symbols": list(of.symbols), "first": of.first, "last": of.last} for of in planned.blocks]
    if as_json:
        document({"partitions": planned.partitions, "runs": blocks})
    elif blocks:
        screen.plan(planned)
    else:
        screen.say(nothing)


def who() -> str:
    """The user of the operating system, whatever the environment claims."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
