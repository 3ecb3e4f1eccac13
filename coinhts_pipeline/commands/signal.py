"""coinhts signal: what the enabled strategies want done.

What lives here: the group's commands. What stays out: deciding (`coinhts_core.rehearsal`).
"""

import click

from coinhts_pipeline.commands.options import command, document


@click.group()
def signal() -> None:
    """What strategies decided."""


@signal.command("list")
@click.option("--date", "day", help="A day such as 20260131 (UTC); the newest that is stored when not given.")
@click.option("--symbols", help="Such as KRW-BTC,KRW-ETH; all active ones when not given.")
@click.option("--strategy", "name", help="One enabled strategy; all when not given.")
@command
def signal_list(*, day: str | None, symbols: str | None, name: str | None, as_json: bool) -> None:
    """The decisions of a day, of every enabled strategy and coin."""
    from coinhts_core.clock import now
    from coinhts_core.days import last_complete_day, parse_day
    from coinhts_core.decided import decided_on
    from coinhts_core.errors import FutureRangeError, NotStoredError, UnknownStrategyError
    from coinhts_core.settings import read_settings
    from coinhts_core.wording import nearest
    from coinhts_pipeline import screen
    from coinhts_pipeline.rooms import open_rooms

    last = last_complete_day(now())
    asked = parse_day(day) if day else None
    if asked and asked > last:
        raise FutureRangeError(day=asked, last=last)
    with open_rooms(read_settings()) as rooms:
        lineup = rooms.lineup
        if name and name not in lineup:
            raise UnknownStrategyError(name=name, hint=nearest(name, lineup))
        entries = [lineup[name]] if name else list(lineup.values())
        chosen = [of.symbol for of in rooms.chosen(symbols)]
        stored = [(of, symbol, rooms.lake.heads(f"signals/{of.name}", symbol)) for of in entries for symbol in chosen]
        shown = asked or max((at for *_, days in stored for at in days if at <= last), default=last)
        found = [(of, symbol) for of, symbol, days in stored if shown in days]
        if not found:
            raise NotStoredError(asset="signals", symbol=", ".join(chosen), days=shown)
        decided = [made for of, symbol in found for made in decided_on(rooms.lake, of, [symbol], shown)]
    if shown not in {asked, last}:
        screen.note(f"{shown} is the newest day that is stored; `coinhts backfill` goes on to {last}")
    if as_json:
        document({"day": shown, "looked_at": len(found), "signals": [vars(of) for of in decided]})
        return
    count = f"{len(decided)} signal{'' if len(decided) == 1 else 's'}"
    screen.say(f"{count} on {shown}, of {len(found)} strategies x coins")
    rows = [[of.strategy, of.symbol, of.side, f"{of.price_krw:,.12g}", screen.moment(of.decided_at)] for of in decided]
    if rows:
        screen.table(["strategy", "coin", "wants to", "price KRW", "when"], rows)
