"""What was seen of the components in the last weeks: rows that a table, a curve and a share can be read off.

What lives here: the schema, and rows added and dropped. What stays out: looking, and what a look means (`health`).
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

import polars as pl

from coinhts_core.frames import Column, Schema
from coinhts_core.ops.health import Health, Status

KEPT = timedelta(weeks=4)
HEALTH = Schema(
    "health",
    1,
    (
        Column("looked_at", "time", meaning="when all components were looked at, UTC"),
        Column("component", "text", meaning="of the house"),
        Column("status", "text", meaning="healthy, warning or unhealthy"),
        Column("latency_ms", "float", meaning="how long it took to tell"),
        Column("reason", "text", meaning="what was found, in one sentence"),
        Column("to_do", "text", meaning="what to do about it"),
    ),
)
_LEAST_MS = 0.1  # what is quicker is told so, for a curve divides by its first value


def appended(before: pl.DataFrame, seen: Health) -> pl.DataFrame:
    """A look at the end, and those of the last weeks before it."""
    rows = [
        {
            "looked_at": seen.looked_at,
            "component": of.name,
            **{name: value for name, value in vars(of).items() if name != "name"},
        }
        for of in seen.components
    ]
    added = HEALTH.judge(pl.DataFrame(rows, schema=HEALTH.empty().schema))
    kept = before.filter(pl.col("looked_at") > seen.looked_at - KEPT, pl.col("looked_at") < seen.looked_at)
    return pl.concat([kept, added])


def latencies(history: pl.DataFrame, components: Collection[str]) -> dict[str, Sequence[float]]:
    """How long each took to tell, look by look."""
    return {
        name: [max(took, _LEAST_MS) for took in history.filter(pl.col("component") == name)["latency_ms"]]
        for name in components
    }


def shares(history: pl.DataFrame) -> pl.DataFrame:
    """Each component over all looks: how often it was healthy, and how long it took."""
    return (
        history.group_by("component", maintain_order=True)
        .agg(
            pl.len().alias("looks"),
            (pl.col("status") == Status.HEALTHY).mean().mul(100).round(1).alias("healthy, %"),
            pl.col("latency_ms").median().round(1).alias("median, ms"),
            pl.col("latency_ms").quantile(0.95).round(1).alias("p95, ms"),
        )
        .sort("healthy, %", maintain_order=True)
    )
