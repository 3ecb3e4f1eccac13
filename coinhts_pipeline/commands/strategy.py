"""coinhts strategy: what can be rehearsed, with which knobs, and whether it keeps the laws.

What lives here: the group's commands. What stays out: the lineup and the laws (`coinhts_core`).
"""

from typing import Any

import click

from coinhts_pipeline.commands.options import command, document


@click.group()
def strategy() -> None:
    """What can be rehearsed."""


@strategy.command("list")
@command
def strategy_list(*, as_json: bool) -> None:
    """Every strategy that was found, shipped or in COINHTS_HOME/strategies, and every further set of knobs."""
    from coinhts_core.lineup import read_lineup
    from coinhts_core.settings import read_settings
    from coinhts_core.strategies import load, strategy_names
    from coinhts_pipeline import screen

    settings = read_settings()
    folder = settings.strategies_folder
    lineup = read_lineup(folder, settings.lineup_file)
    found = {name: load(name, folder) for name in strategy_names(folder)}
    running = {name: entry.strategy for name, entry in lineup.items()}
    rows = [
        {
            "name": name,
            "enabled": name in lineup,
            "timeframe": str(of.timeframe),
            "description": (type(of).__doc__ or "").strip().partition("\n")[0],
        }
        for name, of in sorted({**found, **running}.items())
    ]
    if as_json:
        document(rows)
    else:
        columns = ["name", "enabled", "timeframe", "description"]
        screen.table(columns, [[str(row[column]) for column in columns] for row in rows])


@strategy.command("show")
@click.argument("name")
@command
def strategy_show(name: str, *, as_json: bool) -> None:
    """One strategy: what it does, its knobs and its account."""
    from coinhts_core.lineup import read_lineup
    from coinhts_core.settings import read_settings
    from coinhts_core.strategies import load
    from coinhts_pipeline import screen

    settings = read_settings()
    entry = read_lineup(settings.strategies_folder, settings.lineup_file).get(name)
    shown = entry.strategy if entry else load(name, settings.strategies_folder)
    schema = type(shown).model_json_schema()
    knobs = [
        {
            "name": knob,
            "value": getattr(shown, knob),
            "default": facts.get("default"),
            "bounds": _bounds(facts),
            "description": facts.get("description", ""),
        }
        for knob, facts in schema["properties"].items()
    ]
    if as_json:
        account = entry.account.facts() if entry else None
        own = {symbol: strategy.parameters() for symbol, (strategy, _) in entry.symbols.items()} if entry else {}
        facts = {"name": name, "enabled": entry is not None, "description": schema["description"]}
        document({**facts, "warmup": shown.warmup, "parameters": knobs, "account": account, "symbols": own})
        return
    screen.say(f"{schema['description']}\n")
    screen.table(
        ["parameter", "value", "default", "bounds", "meaning"],
        [
            [knob["name"], str(knob["value"]), str(knob["default"]), knob["bounds"], knob["description"]]
            for knob in knobs
        ],
    )


def _bounds(facts: dict[str, Any]) -> str:
    if "minimum" not in facts and "maximum" not in facts:
        return ""
    return f"{facts.get('minimum', '')}..{facts.get('maximum', '')}"


@strategy.command("new")
@click.argument("name")
@command
def strategy_new(name: str, *, as_json: bool) -> None:
    """A file in COINHTS_HOME/strategies that works, for changing."""
    from coinhts_core.settings import read_settings, usable_home
    from coinhts_pipeline import screen
    from coinhts_pipeline.new_strategy import write_strategy

    settings = read_settings()
    usable_home(settings)
    file = write_strategy(settings.strategies_folder, name)
    if as_json:
        document({"name": name, "file": str(file)})
    else:
        screen.say(f"{file} is there and enabled; change it, then `coinhts strategy check {name}`")


@strategy.command("check")
@click.argument("names", nargs=-1)
@command
def strategy_check(names: tuple[str, ...], *, as_json: bool) -> None:
    """Whether strategies keep the laws: nothing after the bar, warm-up enough, the same answer twice."""
    from coinhts_core.errors import StrategyBreaksLawError
    from coinhts_core.laws import breaches
    from coinhts_core.lineup import read_lineup
    from coinhts_core.settings import read_settings
    from coinhts_core.strategies import load
    from coinhts_pipeline import screen

    settings = read_settings()
    lineup = read_lineup(settings.strategies_folder, settings.lineup_file)
    asked = {
        name: lineup[name].strategy if name in lineup else load(name, settings.strategies_folder)
        for name in names or lineup
    }
    found = {}
    with screen.progress("strategies", len(asked)) as progress:
        for name, of in asked.items():
            found[name] = breaches(of)
            progress(name)
    rows = [
        {"strategy": name, "law": of.law, "opened_at": of.opened_at, "sentence": of.sentence}
        for name, broken in found.items()
        for of in broken
    ]
    if as_json:
        document({"checked": list(asked), "breaches": rows})
    else:
        words = {name: "; ".join(of.law for of in broken) or "keeps all laws" for name, broken in found.items()}
        screen.table(["strategy", ""], [[name, told] for name, told in words.items()])
    for row in rows:
        raise StrategyBreaksLawError(strategy=row["strategy"], law=row["law"], reason=row["sentence"])


@strategy.command("enable")
@click.argument("name")
@command
def strategy_enable(name: str, *, as_json: bool) -> None:
    """Let a strategy have assets and run daily."""
    _change(name, {"enabled": True}, None, as_json=as_json)


@strategy.command("disable")
@click.argument("name")
@command
def strategy_disable(name: str, *, as_json: bool) -> None:
    """Let a strategy rest; what it has stored stays readable."""
    _change(name, {"enabled": False}, None, as_json=as_json)


@strategy.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[KNOB=VALUE]...")
@click.option("--of", "kind", help="The strategy this is a further set of knobs of.")
@click.option("--symbol", help="For one coin alone.")
@command
def strategy_set(name: str, values: tuple[str, ...], kind: str | None, symbol: str | None, *, as_json: bool) -> None:
    """Knobs of a strategy, its timeframe, or its account: fast=20 timeframe=4h account.stop_loss=0.05.

    A knob with nothing behind the = goes back to its default. `set sma_fast --of sma_cross fast=5` makes a further set.
    """
    from coinhts_core.errors import RefusedError
    from coinhts_core.lineup_file import read_value

    facts: dict[str, Any] = {"strategy": kind} if kind else {}
    for text in values:
        knob, sign, value = text.partition("=")
        if not sign or not knob:
            raise RefusedError(reason=f"{text!r} is not like fast=20")
        facts[knob] = read_value(value)
    if not facts:
        raise RefusedError(reason=f"nothing to set; write it like `coinhts strategy set {name} fast=20`")
    _change(name, facts, symbol, as_json=as_json)


def _change(name: str, facts: dict[str, Any], symbol: str | None, *, as_json: bool) -> None:
    from coinhts_core.lineup_file import change
    from coinhts_core.markets import Market
    from coinhts_core.settings import read_settings, usable_home
    from coinhts_pipeline import screen

    settings = read_settings()
    usable_home(settings)
    coin = Market.parse(symbol) if symbol else None
    lineup = change(settings.lineup_file, settings.strategies_folder, name, facts, coin)
    entry = lineup.get(name)
    if as_json:
        of = entry.of(coin) if entry and coin else entry
        told = {"parameters": of.strategy.parameters(), "account": of.account.facts()} if of else {}
        document({"name": name, "enabled": entry is not None, "symbol": coin, **told})
    elif entry:
        screen.say(f"{settings.lineup_file} says so now; `coinhts backfill --stale` folds again what stood on it")
    else:
        screen.say(f"{name} rests now; what it has stored stays readable")
