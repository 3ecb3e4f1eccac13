"""coinhts NOUN VERB: the command line.

What lives here: arguments judged at the door, the document or the words that come out, exit codes. What to add: a
command, which opens what it needs inside its own body, so that `--help` stays quick. What stays out: the work.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from coinhts_core.errors import CoinhtsError
from coinhts_core.hashes import Fact

_CRASHED = 3
_ASKED_WRONG = 1


def main() -> None:
    sys.exit(_answered(sys.argv[1:]))


def _answered(arguments: list[str]) -> int:
    try:
        cli.main(arguments, prog_name="coinhts", standalone_mode=False)
    except CoinhtsError as error:
        if "--debug" in arguments:
            raise
        _complain(str(error))
        return error.exit_code
    except click.ClickException as error:
        _complain(f"{error.format_message().rstrip('.')}; `coinhts --help` shows the commands")
        return _ASKED_WRONG
    except (click.Abort, KeyboardInterrupt):
        _complain("stopped")
        return _ASKED_WRONG
    except Exception as error:
        if "--debug" in arguments:
            raise
        _complain(f"{type(error).__name__}: {error}; run it again with --debug and report what it shows")
        return _CRASHED
    return 0


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes: `--json` for one document on stdout, `--debug` for a traceback."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @wraps(function)
    def command(*args: Any, debug: bool, **kwargs: Any) -> Any:
        del debug
        return function(*args, **kwargs)

    return command


def _complain(sentence: str) -> None:
    from coinhts_pipeline import screen

    screen.complain(sentence)


def _scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """Symbols and days, as most commands take them."""
    function = click.option("--timerange", help="Such as 20260101-20260131, both days included; open ends allowed.")(
        function
    )
    return click.option("--symbols", help="Such as KRW-BTC,KRW-ETH; all active ones when not given.")(function)


def _document(facts: Fact | list[Any] | dict[str, Any]) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=str, allow_nan=False))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="coinhts")
def cli() -> None:
    """Collect KRW candles, rehearse strategies, keep positions.

    Data lies in COINHTS_HOME (./.coinhts). Exit codes: 0 done, 1 you asked for something wrong, 2 a check failed,
    3 an exchange or a service failed.
    """


@cli.command()
@_command
def demo(*, as_json: bool) -> None:
    """Thirty days of the sample market, candles to positions, and what came of them."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner
    from coinhts_pipeline.definitions import defs
    from coinhts_pipeline.demo import demo_plan, run_demo
    from coinhts_pipeline.installation import open_installation

    with open_installation(read_settings()) as installation:
        days, active, planned = demo_plan(installation)
        with screen.progress("candles to positions", planned.steps) as progress:
            outcome = run_demo(Runner(installation, defs()), days, active, planned, progress)
    if as_json:
        facts = {"days": str(outcome.days), "runs": outcome.runs, "partitions": outcome.partitions}
        _document({**facts, "candles": outcome.candles, "figures": outcome.figures})
        return
    screen.demo(outcome)


@cli.command()
@_scope
@click.option("--stale", is_flag=True, help="Only what repaired candles, new code or an earlier start left behind.")
@_command
def backfill(*, symbols: str | None, timerange: str | None, stale: bool, as_json: bool) -> None:
    """Candles to positions for symbols x days; days already current are left alone."""
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner, execute, plan, plan_stale
    from coinhts_pipeline.definitions import defs

    with _opened(symbols, timerange) as (installation, chosen, days):
        planned = plan_stale(installation, chosen) if stale else plan(installation, chosen, days.first, days.last)
        with screen.progress("candles to positions", planned.steps) as progress:
            execute(Runner(installation, defs()), planned, progress)
    _told(planned, "every day is current; nothing to do", as_json=as_json)


@cli.command()
@_command
def up(*, as_json: bool) -> None:
    """The UI on http://127.0.0.1:3000, schedules and sensors, until Ctrl-C."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.up import keep_up

    keep_up(read_settings(), _document if as_json else None)


@cli.command()
@_command
def doctor(*, as_json: bool) -> None:
    """What works here, what does not, and what to do about it."""
    from coinhts_core.errors import CheckFailedError
    from coinhts_pipeline import screen
    from coinhts_pipeline.doctor import examine

    findings = list(examine())
    if as_json:
        _document([vars(finding) for finding in findings])
    else:
        marks = {True: "ok", False: "FAILED"}
        screen.table(["check", "", "what was found"], [[of.check, marks[of.is_well], of.found] for of in findings])
    for finding in findings:
        if not finding.is_well:
            raise CheckFailedError(check=finding.check, reason=finding.found)


@cli.group()
def strategy() -> None:
    """What can be rehearsed."""


@strategy.command("list")
@_command
def strategy_list(*, as_json: bool) -> None:
    """Every strategy that was found, shipped or in COINHTS_HOME/strategies."""
    from coinhts_core.settings import read_settings
    from coinhts_core.strategies import find_strategy, strategy_names
    from coinhts_pipeline import screen

    folder = read_settings().strategies_folder
    kinds = {name: find_strategy(name, folder) for name in strategy_names(folder)}
    rows = [
        {
            "name": name,
            "enabled": kind.enabled,
            "timeframe": str(kind().timeframe),
            "description": _first_line(kind),
        }
        for name, kind in kinds.items()
    ]
    if as_json:
        _document(rows)
    else:
        columns = ["name", "enabled", "timeframe", "description"]
        screen.table(columns, [[str(row[column]) for column in columns] for row in rows])


@strategy.command("show")
@click.argument("name")
@_command
def strategy_show(name: str, *, as_json: bool) -> None:
    """One strategy: what it does and its knobs."""
    from coinhts_core.settings import read_settings
    from coinhts_core.strategies import load
    from coinhts_pipeline import screen

    shown = load(name, read_settings().strategies_folder)
    schema = type(shown).model_json_schema()
    knobs = [
        {
            "name": knob,
            "default": getattr(shown, knob),
            "bounds": _bounds(facts),
            "description": facts.get("description", ""),
        }
        for knob, facts in schema["properties"].items()
    ]
    if as_json:
        _document({"name": name, "description": schema["description"], "warmup": shown.warmup, "parameters": knobs})
        return
    screen.say(f"{schema['description']}\n")
    screen.table(
        ["parameter", "default", "bounds", "meaning"],
        [[knob["name"], str(knob["default"]), knob["bounds"], knob["description"]] for knob in knobs],
    )


@cli.group()
def data() -> None:
    """The candles: what is there, what is missing and why."""


@data.command("status")
@_scope
@_command
def data_status(*, symbols: str | None, timerange: str | None, as_json: bool) -> None:
    """Days by state, and the bars stored, for each symbol."""
    from coinhts_core.candles.coverage import State
    from coinhts_pipeline import screen
    from coinhts_pipeline.data import inventories

    with _opened(symbols, timerange) as (installation, chosen, days):
        found = inventories(installation, chosen, days)
    rows = [
        {"symbol": of.registered.symbol, "bars": of.rows, **{state: of.count(state) for state in State}} for of in found
    ]
    if as_json:
        _document({"first": days.first, "last": days.last, "symbols": rows})
    else:
        screen.table(
            ["symbol", "bars", *State],
            [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row.values()] for row in rows],
            words=1,
        )


@data.command("gaps")
@_scope
@click.option(
    "--quiet",
    default=60,
    show_default=True,
    type=click.IntRange(1, 1440),
    help="Name quiet stretches of so many minutes.",
)
@_command
def data_gaps(*, symbols: str | None, timerange: str | None, quiet: int, as_json: bool) -> None:
    """Every hole with its reason: no trade, not fetched, exchange down, not listed."""
    from datetime import timedelta

    from coinhts_pipeline import screen
    from coinhts_pipeline.data import holes, inventories

    with _opened(symbols, timerange) as (installation, chosen, days):
        found = holes(installation, inventories(installation, chosen, days), days, timedelta(minutes=quiet))
    if as_json:
        _document([vars(hole) for hole in found])
    elif found:
        screen.holes(found)
    else:
        screen.say("no hole: every day was answered and traded")


@data.command("download")
@_scope
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be asked for, and ask for nothing.")
@_command
def data_download(*, symbols: str | None, timerange: str | None, only_plan: bool, as_json: bool) -> None:
    """Candles alone, for the days nobody has answered for yet."""
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner
    from coinhts_pipeline.data import download, download_plan, inventories
    from coinhts_pipeline.definitions import defs

    with _opened(symbols, timerange) as (installation, chosen, days):
        planned = download_plan(installation, inventories(installation, chosen, days))
        if not only_plan:
            with screen.progress("candles", planned.steps) as progress:
                download(Runner(installation, defs()), planned, progress)
    _told(planned, "every day is there; nothing to ask for", as_json=as_json)


@data.command("repair")
@_scope
@_command
def data_repair(*, symbols: str | None, timerange: str | None, as_json: bool) -> None:
    """Ask again for what is missing, then fold again what stood on it."""
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner
    from coinhts_pipeline.data import download_plan, inventories, repair
    from coinhts_pipeline.definitions import defs

    with _opened(symbols, timerange) as (installation, chosen, days):
        planned = download_plan(installation, inventories(installation, chosen, days))
        with screen.progress("candles", planned.steps) as progress:
            repair(Runner(installation, defs()), chosen, planned, progress)
        left = download_plan(installation, inventories(installation, chosen, days)).partitions
    _told(planned, "nothing to mend", as_json=as_json)
    if left and not as_json:
        screen.say(f"{left} symbol-days could not be mended; `coinhts data gaps` says why")


@contextmanager
def _opened(symbols: str | None, timerange: str | None) -> Iterator[tuple[Any, Any, Any]]:
    """The installation, with the symbols and days a command was asked about."""
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backfill import wanted_days, wanted_symbols
    from coinhts_pipeline.installation import open_installation

    settings = read_settings()
    days = wanted_days(timerange, settings.start_date)
    with open_installation(settings) as installation:
        yield installation, wanted_symbols(installation, symbols), days


def _told(planned: Any, nothing: str, *, as_json: bool) -> None:
    """The runs of a plan, as a document or a table."""
    from coinhts_pipeline import screen

    blocks = [{"symbols": list(of.symbols), "first": of.first, "last": of.last} for of in planned.blocks]
    if as_json:
        _document({"partitions": planned.partitions, "runs": blocks})
    elif blocks:
        screen.plan(planned)
    else:
        screen.say(nothing)


@cli.group()
def ledger() -> None:
    """The Postgres database that holds what must not be lost."""


@ledger.command("migrate")
@_command
def ledger_migrate(*, as_json: bool) -> None:
    """Bring the schema up to date."""
    from coinhts_core.ledger.migrate import migrate
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.installation import connected_ledger

    with connected_ledger(read_settings()) as open_ledger:
        applied = migrate(open_ledger)
    if as_json:
        _document(applied)
    else:
        screen.say(f"applied {', '.join(applied)}" if applied else "nothing was missing")


@ledger.command("status")
@_command
def ledger_status(*, as_json: bool) -> None:
    """Which migrations this ledger has been through."""
    from coinhts_core.ledger.migrate import status
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.installation import connected_ledger

    with connected_ledger(read_settings()) as open_ledger:
        steps = status(open_ledger)
    if as_json:
        _document([{"migration": of.name, "applied_at": of.applied_at} for of in steps])
        return
    moments = [screen.moment(of.applied_at) if of.applied_at else "not yet" for of in steps]
    screen.table(["migration", "applied"], [[of.name, at] for of, at in zip(steps, moments, strict=True)])


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _bounds(facts: dict[str, Any]) -> str:
    if "minimum" not in facts and "maximum" not in facts:
        return ""
    return f"{facts.get('minimum', '')}..{facts.get('maximum', '')}"


if __name__ == "__main__":
    main()
