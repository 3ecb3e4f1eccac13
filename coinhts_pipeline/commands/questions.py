"""What is asked of candles: which ones, by which strategy with which knobs, and on what account.

What lives here: the options that `backtest`, `sweep` and `walkforward` share, and `Question`, which is what they say.
What stays out: what is done with it (`backtests`, `sweeps`, `walkforwards`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import scope

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.backtests.account import Account
    from coinhts_core.candles.files import Said
    from coinhts_core.markets import Timeframe
    from coinhts_core.settings import Settings
    from coinhts_core.strategies import Strategy

Options = Callable[[Callable[..., Any]], Callable[..., Any]]

_TRIED = "Values to try of a knob or an option of the account: fast=4:52:2, fast=5,10,20; several times."
_CANDLES = (
    click.option("--candles", type=click.Path(path_type=Path), help="A Parquet or CSV file instead of the lake."),
    click.option("--symbol", help="Whose bars the file holds, where it does not say."),
    click.option(
        "--timezone", type=click.Choice(["UTC", "KST"], case_sensitive=False), help="Of times without a zone."
    ),
    click.option("--strategy", "name", required=True, help="A strategy, or a set of knobs of the lineup."),
    click.option("--timeframe", help="1m to 1w."),
)
_KNOBS = (
    click.option("--set", "knobs", multiple=True, metavar="KNOB=VALUE", help="A knob; may be given several times."),
    click.option("--params", help="Knobs as one JSON object."),
)
_AXES = (click.option("--set", "axes", multiple=True, required=True, metavar="KNOB=VALUES", help=_TRIED),)
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


def _all(options: tuple[Options, ...]) -> Options:
    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


candle_options = _all((scope, *_CANDLES))
knob_options = _all(_KNOBS)
axis_options = _all(_AXES)
account_options = _all(_ACCOUNT)


@dataclass(frozen=True)
class Question:
    """A strategy and an account, and the file they are asked of; of stored candles there is none."""

    settings: "Settings"
    strategy: "Strategy"
    account: "Account"
    timeframe: "Timeframe | None"
    file: Path | None
    said: "Said"


def read_question(
    told: Mapping[str, Any],
    *,
    name: str,
    symbols: str | None,
    timerange: str | None,
    timeframe: str | None,
    candles: Path | None,
    symbol: str | None,
    timezone: str | None,
    **account: Any,
) -> Question:
    """What `candle_options` and `account_options` say, judged; `told` are the strategy's knobs."""
    from coinhts_core.candles.files import Said
    from coinhts_core.candles.stamps import Zone
    from coinhts_core.errors import RefusedError
    from coinhts_core.markets import Market, Timeframe
    from coinhts_core.settings import read_settings
    from coinhts_pipeline.backtests import asked_for

    if candles and (symbols or timerange):
        raise RefusedError(reason="a file is taken whole; --symbols and --timerange are for stored candles")
    settings, length = read_settings(), Timeframe.parse(timeframe) if timeframe else None
    knobs = {**told, **({"timeframe": str(length)} if length else {})}
    strategy, wanted = asked_for(settings, name, knobs, account_facts(**account))
    said = Said(Market.parse(symbol) if symbol else None, length, Zone(timezone.upper()) if timezone else None)
    return Question(settings, strategy, wanted, length, candles, said)


def account_facts(*, no_rules: bool, **given: Any) -> dict[str, Any]:
    """What `account_options` say of an account; the rest is as it always is."""
    return {option: value for option, value in given.items() if value is not None} | (
        {"rules": None} if no_rules else {}
    )


def told_knobs(params: str | None, knobs: tuple[str, ...]) -> dict[str, Any]:
    """What `knob_options` say."""
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
