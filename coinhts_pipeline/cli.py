"""coinhts NOUN VERB: the command line.

What lives here: arguments judged at the door, the document or the words that come out, exit codes. What to add: a
command, which opens what it needs inside its own body, so that `--help` stays quick. What stays out: the work.
"""

import gc
import sys

import click

from coinhts_core.errors import CoinhtsError
from coinhts_pipeline.commands.alert import alert
from coinhts_pipeline.commands.backtest import backtest
from coinhts_pipeline.commands.backup import backup
from coinhts_pipeline.commands.config import config
from coinhts_pipeline.commands.data import data
from coinhts_pipeline.commands.health import health
from coinhts_pipeline.commands.lake import lake
from coinhts_pipeline.commands.ledger import ledger
from coinhts_pipeline.commands.market import market
from coinhts_pipeline.commands.metrics import metrics
from coinhts_pipeline.commands.options import command, document, opened, scope, told
from coinhts_pipeline.commands.position import position
from coinhts_pipeline.commands.request import add_to as add_requests_to
from coinhts_pipeline.commands.result import add_to as add_results_to
from coinhts_pipeline.commands.signal import signal
from coinhts_pipeline.commands.strategy import strategy
from coinhts_pipeline.commands.sweep import sweep
from coinhts_pipeline.commands.upkeep import maintain
from coinhts_pipeline.commands.walkforward import walkforward

_CRASHED = 3
_ASKED_WRONG = 1
_OBJECTS_BETWEEN_LOOKS = 50_000  # for garbage: imports alone make hundreds of thousands, and all of them stay


def main() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
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


def _complain(sentence: str) -> None:
    from coinhts_core.masking import Mask
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    try:
        mask = Mask.of(read_settings())
    except Exception:  # noqa: BLE001 - reading them may be what is broken; what is complained about is told all the same
        mask = Mask.found()
    screen.complain(mask(sentence))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="coinhts")
def cli() -> None:
    """Collect KRW candles, rehearse strategies, keep positions.

    Data lies in COINHTS_HOME (./.coinhts). Exit codes: 0 done, 1 you asked for something wrong, 2 a check failed,
    3 an exchange or a service failed.
    """


@cli.command()
@command
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
        document({**facts, "candles": outcome.candles, "figures": outcome.figures})
        return
    screen.demo(outcome)


@cli.command()
@scope
@click.option("--stale", is_flag=True, help="Only what repaired candles, new code or an earlier start left behind.")
@command
def backfill(*, symbols: str | None, timerange: str | None, stale: bool, as_json: bool) -> None:
    """Candles to positions for symbols x days; days already current are left alone."""
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import Runner, execute, plan, plan_stale
    from coinhts_pipeline.data import inventories, judge
    from coinhts_pipeline.definitions import defs

    with opened(symbols, timerange) as (installation, chosen, days):
        planned = plan_stale(installation, chosen) if stale else plan(installation, chosen, days.first, days.last)
        with screen.progress("candles to positions", planned.steps) as progress:
            execute(Runner(installation, defs()), planned, progress)
        left = [] if stale else inventories(installation, chosen, days)
    told(planned, "every day is current; nothing to do", as_json=as_json)
    judge(left)


@cli.command()
@command
def up(*, as_json: bool) -> None:
    """The UI on http://127.0.0.1:3000, schedules and sensors, until Ctrl-C."""
    from coinhts_core import logs
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.up import keep_up

    settings = read_settings()
    logs.set_up(settings)
    keep_up(settings, document if as_json else None)


@cli.command()
@command
def doctor(*, as_json: bool) -> None:
    """What works here, what does not, and what to do about it."""
    from coinhts_core.errors import CheckFailedError
    from coinhts_pipeline import screen
    from coinhts_pipeline.doctor import examine

    findings = list(examine())
    if as_json:
        document([vars(finding) for finding in findings])
    else:
        screen.table(["check", "", "what was found"], [[of.check, of.state, of.found] for of in findings])
    for finding in findings:
        if not finding.is_well:
            raise CheckFailedError(check=finding.check, reason=finding.found)


cli.add_command(alert)
cli.add_command(backtest)
add_requests_to(backtest)
add_results_to(backtest)
cli.add_command(backup)
cli.add_command(config)
cli.add_command(data)
cli.add_command(health)
cli.add_command(lake)
cli.add_command(ledger)
cli.add_command(maintain)
cli.add_command(market)
cli.add_command(metrics)
cli.add_command(position)
cli.add_command(signal)
cli.add_command(strategy)
cli.add_command(sweep)
cli.add_command(walkforward)


if __name__ == "__main__":
    main()
