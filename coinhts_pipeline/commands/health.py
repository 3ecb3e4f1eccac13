"""coinhts health: how each component of the house does, for people, and for machines by an exit code.

What lives here: the command. What stays out: looking (`coinhts_pipeline.health`), and what it means
(`coinhts_core.ops.health`).
"""

from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.ops.health import Health

_PATIENCE_S = 4.0  # a person waits longer than a load balancer


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="Of this component alone; may be given again.")
@command
def health(*, names: tuple[str, ...], as_json: bool) -> None:
    """How each component does, and what to do about it.

    Exit code 0 when all are healthy; 2 when the house is degraded: anything at all is not healthy; 3 when it is
    unhealthy: its ledger or its scheduler is.
    """
    from coinhts_core.clock import now
    from coinhts_core.errors import RefusedError
    from coinhts_core.settings import read_settings
    from coinhts_core.wording import nearest
    from coinhts_pipeline.health.watch import NAMES, watch

    for name in names:
        if name not in NAMES:
            raise RefusedError(reason=f"{name} is none of {', '.join(NAMES)}{nearest(name, NAMES)}")
    with watch(read_settings()) as looking:
        seen = looking.look(now(), names, _PATIENCE_S)
    if as_json:
        document(seen.facts)
    else:
        _show(seen)
    _judge(seen)


def _show(seen: "Health") -> None:
    from coinhts_pipeline import screen

    columns = ["component", "", "ms", "what was found"]
    screen.table(columns, [[of.name, of.status, f"{of.latency_ms:,.0f}", of.sentence] for of in seen.components])
    screen.say(f"the house is {seen.overall}, {screen.moment(seen.looked_at)}")


def _judge(seen: "Health") -> None:
    from coinhts_core.errors import CheckFailedError, CoinhtsError
    from coinhts_core.ops.health import Overall

    worst = seen.worst
    if seen.overall is Overall.UNHEALTHY:
        raise CoinhtsError(reason=f"{worst.name} is unhealthy: {worst.sentence}")
    if seen.overall is Overall.DEGRADED:
        raise CheckFailedError(check=worst.name, reason=worst.sentence)
