"""coinhts alert: trying out where alerts go, and what was told.

What lives here: the group's commands. What stays out: keeping and sending alerts (`coinhts_core.alerts`).
"""

from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.alerts.outbox import Listed


@click.group()
def alert() -> None:
    """What people are told, and where."""


@alert.command("test")
@command
def alert_test(*, as_json: bool) -> None:
    """Send an alert to every place that the settings name, now, and say which took it."""
    from uuid import uuid4

    from coinhts_core.alerts.alert import Alert
    from coinhts_core.alerts.delivery import deliver
    from coinhts_core.alerts.outbox import Outbox
    from coinhts_core.clock import now
    from coinhts_core.errors import SinkUnavailableError
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.rooms import open_rooms

    with open_rooms(read_settings()) as rooms:
        outbox = Outbox.open(rooms.ledger, rooms.settings)
        trial = Alert(f"test {uuid4()}", "critical", "this is a test", "sent by `coinhts alert test`; nothing is wrong")
        number = outbox.raise_alert(trial, now(), to=outbox.sinks)
        deliver(outbox, now())
        (listed,) = (of for of in outbox.latest() if of.letter.number == number)
    if as_json:
        document(listed.facts)
    else:
        rows = [[sink, of.state, of.reason or ""] for sink, of in listed.deliveries.items()]
        screen.table(["place", "", "reason"], rows)
    for sink, of in listed.deliveries.items():
        if of.state != "sent":
            raise SinkUnavailableError(sink=sink, reason=of.reason or "it waits for its turn")


@alert.command("list")
@click.option("--most", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many at most.")
@command
def alert_list(*, most: int, as_json: bool) -> None:
    """The latest alerts, how often each was raised again, and which places have it."""
    from coinhts_core.alerts.outbox import Outbox
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.rooms import open_rooms

    with open_rooms(read_settings()) as rooms:
        found = Outbox.open(rooms.ledger, rooms.settings).latest(most)
    if as_json:
        document([of.facts for of in found])
    elif found:
        columns = ["", "when", "level", "title", "again", "places"]
        screen.table(columns, [_row(of) for of in found])
    else:
        screen.say("nothing was ever told")


def _row(of: "Listed") -> list[str]:
    from coinhts_pipeline import screen

    letter = of.letter
    places = ", ".join(f"{sink} {delivered.state}" for sink, delivered in of.deliveries.items())
    again = str(letter.repeats or "")
    return [str(letter.number), screen.moment(letter.raised_at), letter.level, letter.title, again, places]
