"""coinhts backtest: a strategy over candles of the lake or of a file, its figures and its page.

What lives here: the group, and running. What stays out: what was kept (`result_commands`), and the work (`backtests`).
"""

import json
from pathlib import Path
from typing import Any

import click

from coinhts_pipeline.commands import command, document, opened, scope

_SIZINGS = ["all_in", "fraction", "fixed", "volatility"]
_ACCOUNT = (
    click.option("--cash", type=float, help="KRW at the start."),
    click.option("--fee-rate", type=float, help="A side; the rule book's when not given."),
    click.option("--slippage-bps", type=float, help="Worse than the price asked for, in 0.01 %."),
    click.option("--stop-loss", type=float, help="Fraction below the entry's price."),
    click.option("--take-profit", type=float, help="Fraction above the entry's price."),
    click.option("--trailing-stop", type=float, help="Fraction below the highest price since."),
    click.option("--max-hold-bars", type=int, help="Leave after so many bars."),
    click.option(
        "--sizing", type=click.Choice(["all_in", "fraction", "fixed", "volatility"]), help="What an entry spends."
    ),
    click.option("--fraction", type=float, help="Of what the account is worth."),
    click.option("--fixed-krw", type=float, help="KRW an entry."),
    click.option("--target-volatility", type=float, help="A year's."),
    click.option("--volatility-bars", type=int, help="Bars it is taken over."),
    click.option("--no-rules", is_flag=True, help="Without ticks, minimum and volume steps."),
)


def account_options(function: Any) -> Any:
    for option in reversed(_ACCOUNT):
        function = option(function)
    return function


@click.group()
def backtest() -> None:
    """A strategy over candles, once."""


@backtest.command("run")
@scope
@click.option("--candles", type=click.Path(path_type=Path), help="A Parquet or CSV file instead of the lake.")
@click.option("--symbol", help="Whose bars the file holds, where it does not say.")
@click.option("--timezone", type=click.Choice(["UTC", "KST"], case_sensitive=False), help="Of times without a zone.")
@click.option("--strategy", "name", required=True, help="A strategy, or a set of knobs of the lineup.")
@click.option("--set", "knobs", multiple=True, metavar="KNOB=VALUE", help="A knob; may be given several times.")
@click.option("--params", help="Knobs as one JSON object.")
@click.option("--timeframe", help="1m to 1w.")
@click.option("--mode", type=click.Choice(["account", "study"]), default="account", show_default=True)
@click.option("--full", "is_full", is_flag=True, help="With equity, a row a bar, in the document.")
@account_options
@command
def backtest_run(
    *,
    symbols: str | None,
    timerange: str | None,
    candles: Path | None,
    symbol: str | None,
    timezone: str | None,
    name: str,
    knobs: tuple[str, ...],
    params: str | None,
    timeframe: str | None,
    mode: Any,
    is_full: bool,
    no_rules: bool,
    as_json: bool,
    **account: Any,
) -> None:
    """Rehearse a strategy over stored candles, or over a file (no database is started for that)."""
    from coinhts_core.backtests.document import document_of
    from coinhts_core.candles.files import Said
    from coinhts_core.candles.stamps import Zone
    from coinhts_core.errors import RefusedError
    from coinhts_core.markets import Market, Timeframe
    from coinhts_core.settings import read_settings, usable_home
    from coinhts_pipeline.backtests import asked_for, badge_on, keep, run_on_file, run_on_lake, shelve
    from coinhts_pipeline.result_screen import show

    settings = read_settings()
    length = Timeframe.parse(timeframe) if timeframe else None
    told = {**told_knobs(params, knobs), **({"timeframe": str(length)} if length else {})}
    given = {option: value for option, value in account.items() if value is not None}
    strategy, wanted = asked_for(settings, name, told, {**given, **({"rules": None} if no_rules else {})})
    if candles:
        if symbols or timerange:
            raise RefusedError(reason="a file is run over whole; --symbols and --timerange are for stored candles")
        said = Said(Market.parse(symbol) if symbol else None, length, Zone(timezone.upper()) if timezone else None)
        result = run_on_file(candles, said, strategy, wanted, mode=mode, timeframe=length)
        usable_home(settings)
        of, counted = keep(settings, result), None
    else:
        from coinhts_core.results.shelf import Shelf

        with opened(symbols, timerange) as (installation, chosen, days):
            rooms = installation.rooms
            result = run_on_lake(rooms.lake, chosen, days, strategy, wanted, mode=mode)
            asked = {"start_date": days.first, "end_date": days.last}
            shelf = Shelf(rooms.ledger, rooms.lake)
            of = shelve(shelf, settings, result.id, result, asked)
            counted = shelf.counted(result.strategy_name)
    badge = badge_on(of, len(result.outcome.daily) - 1, counted)
    if as_json:
        document({**(document_of(result, is_full=True) if is_full else of), "badge": badge._asdict()})
    else:
        show(of, result.outcome.daily.tolist(), badge)


def told_knobs(params: str | None, knobs: tuple[str, ...]) -> dict[str, Any]:
    from coinhts_core.errors import RefusedError
    from coinhts_core.lineup_file import read_value

    try:
        told = json.loads(params) if params else {}
    except json.JSONDecodeError as error:
        raise RefusedError(reason=f"--params is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise RefusedError(reason='--params is no JSON object; write it like {"fast": 20}')
    for text in knobs:
        knob, sign, value = text.partition("=")
        if not sign or not value:
            raise RefusedError(reason=f"--set {text} is not like fast=20")
        told[knob] = read_value(value)
    return told
