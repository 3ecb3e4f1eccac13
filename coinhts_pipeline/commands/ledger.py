"""coinhts ledger: the schema of the database that holds what must not be lost.

What lives here: migrate, rollback, status. What stays out: the order in which they do it (`schema`).
"""

import click

from coinhts_pipeline.commands.options import command, document


@click.group()
def ledger() -> None:
    """The Postgres database that holds what must not be lost."""


@ledger.command("migrate")
@command
def ledger_migrate(*, as_json: bool) -> None:
    """Bring the schema up to date; what there is is backed up before."""
    from coinhts_core.ledger.address import reachable, url_of
    from coinhts_core.ledger.connection import Ledger
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.schema import bring_forward

    with reachable(read_settings()) as settings, Ledger.open(url_of(settings)) as opened:
        applied = bring_forward(settings, opened)
    if as_json:
        document(applied)
    else:
        screen.say(f"applied {', '.join(applied)}" if applied else "nothing was missing")


@ledger.command("rollback")
@click.option("--to", type=click.IntRange(min=0), help="The number to go back to; without it, one step.")
@click.option("--yes", "is_sure", is_flag=True, help="Do it; what the migrations brought is lost, but for the backup.")
@command
def ledger_rollback(*, to: int | None, is_sure: bool, as_json: bool) -> None:
    """Take migrations back, for an older coinhts; a backup is taken before, and `coinhts up` must be off."""
    from coinhts_core.errors import RefusedError
    from coinhts_core.ledger.address import reachable, url_of
    from coinhts_core.ledger.connection import Ledger
    from coinhts_core.settings import read_settings, usable_home
    from coinhts_pipeline import screen
    from coinhts_pipeline.only_one import only_one
    from coinhts_pipeline.schema import steps_back, take_back

    given = read_settings()
    with only_one(usable_home(given)), reachable(given) as settings, Ledger.open(url_of(settings)) as opened:
        steps = steps_back(opened, to)
        if steps and not is_sure:
            names = ", ".join(steps)
            raise RefusedError(reason=f"taking back {names} loses what they brought; add --yes if it is to be")
        backup, done = take_back(settings, opened, to)
    if as_json:
        document({"backup": backup, "taken_back": done})
    elif done:
        screen.say(f"took back {', '.join(done)}; {backup} is the backup from before")
        screen.say("this coinhts applies them again when it starts: install the older one now")
    else:
        screen.say("nothing was to be taken back")


@ledger.command("status")
@command
def ledger_status(*, as_json: bool) -> None:
    """Which migrations this ledger has been through."""
    from coinhts_core.ledger.address import connected_ledger
    from coinhts_core.ledger.migrate import status
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    with connected_ledger(read_settings()) as open_ledger:
        steps = status(open_ledger)
    if as_json:
        document([{"migration": of.name, "applied_at": of.applied_at} for of in steps])
        return
    moments = [screen.moment(of.applied_at) if of.applied_at else "not yet" for of in steps]
    screen.table(["migration", "applied"], [[of.name, at] for of, at in zip(steps, moments, strict=True)])
