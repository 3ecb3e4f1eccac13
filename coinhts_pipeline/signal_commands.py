"""coinhts signal: what the enabled strategies want done.

What lives here: the group's commands. What stays out: deciding (`coinhts_core.rehearsal`).
"""

import click

from coinhts_pipeline.commands import command, document


@click.group()
def signal() -> None:
    """What strategies decided."""


@signal.command("list")
@click.option("--date", "day", help="A day such as 20260131 (UTC); the last complete one when not given.")
@click.option("--symbols", help="Such as KRW-BTC,KRW-ETH; all active ones when not given.")
@click.option("--strategy", "name", help="One enabled strategy; all when not given.")
@command
def signal_list(*, day: str | None, symbols: str | None, name: str | None, as_json: bool) -> None:
    """The decisions of a day, of every enabled strategy and coin."""
    from coinhts_core.clock import now
    from coinhts_core.days import last_complete_day, parse_day
    from coinhts_core.decided import decided_on
    from coinhts_core.errors import FutureRangeError, NotStoredError, UnknownStrategyError, nearest
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.backfill import wanted_symbols
    from coinhts_pipeline.installation import open_installation

    last = last_complete_day(now())
    asked = parse_day(day) if day else last
    if asked > last:
        raise FutureRangeError(day=asked, last=last)
    with open_installation(read_settings()) as installation:
        rooms = installation.rooms
        lineup = rooms.lineup
        if name and name not in lineup:
            raise UnknownStrategyError(name=name, hint=nearest(name, lineup))
        entries = [lineup[name]] if name else list(lineup.values())
        chosen = [of.symbol for of in wanted_symbols(installation, symbols)]
        stored = [
            (of, symbol)
            for of in entries
            for symbol in chosen
            if asked in rooms.lake.heads(f"signals/{of.name}", symbol)
        ]
        if not stored:
            raise NotStoredError(asset="signals", symbol=", ".join(chosen), days=asked)
        decided = [made for of, symbol in stored for made in decided_on(rooms.lake, of, [symbol], asked)]
    if as_json:
        document({"day": asked, "looked_at": len(stored), "signals": [vars(of) for of in decided]})
        return
    count = f"{len(decided)} signal{'' if len(decided) == 1 else 's'}"
    screen.say(f"{count} on {asked}, of {len(stored)} strategies x coins")
    rows = [[of.strategy, of.symbol, of.side, f"{of.price_krw:,.12g}", screen.moment(of.decided_at)] for of in decided]
    if rows:
        screen.table(["strategy", "coin", "wants to", "price KRW", "when"], rows)
