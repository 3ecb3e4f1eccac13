"""coinhts maintain: what the house does for itself every day and every week, now.

What lives here: the report, then the deed. What stays out: the chores (`coinhts_pipeline.upkeep`).
"""

from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_pipeline.upkeep import Done


@click.command()
@click.option("--dry-run", "only_looks", is_flag=True, help="Tell what would go, and leave it.")
@command
def maintain(*, only_looks: bool, as_json: bool) -> None:
    """Put away what is old: logs, runs, results, versions of the lake, backups, whatever killed processes left."""
    from dataclasses import replace

    from coinhts_core.clock import now
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen
    from coinhts_pipeline.installation import open_installation
    from coinhts_pipeline.upkeep import CHORES, Looked, look_after_all

    with open_installation(read_settings()) as house:
        looked = Looked(house.rooms, house.instance, now(), only_looks=True)
        with screen.progress("looking", len(CHORES)) as progress:
            found = list(look_after_all(looked, progress))
        if not as_json:
            _report(found)
        done = []
        if not only_looks:
            with screen.progress("putting away", len(CHORES)) as progress:
                done = list(look_after_all(replace(looked, only_looks=False), progress))
    if as_json:
        document({"found": [of.facts for of in found], "done": [of.facts for of in done]})
    else:
        screen.say("nothing was put away: that was a rehearsal" if only_looks else _summary(done))
    for of in done or found:
        if of.error:
            raise of.error


def _report(found: "list[Done]") -> None:
    from coinhts_pipeline import screen

    rows = [
        [of.chore.name, of.chore.every, f"{of.tidied.count:,}", f"{of.tidied.size:,}", str(of.error or of.chore.says)]
        for of in found
    ]
    screen.table(["chore", "every", "found", "bytes", "what"], rows)


def _summary(done: "list[Done]") -> str:
    count, size = sum(of.tidied.count for of in done), sum(of.tidied.size for of in done)
    return f"{count:,} things of {size:,} bytes were put away"
