"""Upkeep: the house looks after itself, a little every day and more every week.

What lives here: two jobs, an op a chore, and their schedules. What stays out: the chores (`coinhts_pipeline.upkeep`).
"""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from coinhts_core.clock import now
from coinhts_core.lineup import Entry
from coinhts_core.settings import Settings
from coinhts_pipeline.resources import House
from coinhts_pipeline.upkeep import CHORES, Chore, Looked, look_after
from coinhts_pipeline.verdicts import told_to_dagster

LOOK_AFTER_DAILY, LOOK_AFTER_WEEKLY = "look_after_daily", "look_after_weekly"
_RUNNING = dg.DefaultScheduleStatus.RUNNING


class Care(dg.Config):
    """The form of a chore."""

    only_looks: bool = Field(default=False, description="tells what would go, and leaves it")


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    daily = _job(LOOK_AFTER_DAILY, "day", "Puts away what a day left: drafts, old runs, logins that are over.")
    weekly = _job(LOOK_AFTER_WEEKLY, "week", "Puts away old logs, results, requests, alerts and versions of the lake.")
    return dg.Definitions(
        jobs=[daily, weekly],
        schedules=[
            _schedule(daily, "20 5 * * *", "What a day left is put away, every day at 05:20 UTC (14:20 KST)."),
            _schedule(weekly, "40 5 * * 0", "What is old is put away, every Sunday at 05:40 UTC (14:40 KST)."),
        ],
    )


def _job(name: str, every: str, description: str) -> dg.JobDefinition:
    ops = [_op(chore) for chore in CHORES if chore.every == every]

    @dg.job(name=name, description=description)
    def looked_after() -> None:
        for op in ops:
            op()

    return looked_after


def _op(chore: Chore) -> dg.OpDefinition:
    @dg.op(name=f"look_after_{chore.name}", description=chore.says)
    def looks_after(context: dg.OpExecutionContext, config: Care, house: House) -> None:
        with told_to_dagster():
            done = look_after(Looked(house.rooms, context.instance, now(), config.only_looks), chore)
        context.add_output_metadata({name: value for name, value in done.facts.items() if name != "chore"})
        context.log.info("%s", done.facts)

    return looks_after


def _schedule(job: dg.JobDefinition, cron: str, description: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=job.name,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=_RUNNING,
        description=description,
    )
