"""Health: how each component of the house did, in the last weeks.

What lives here: `ops/health`, its job, and the sensor that asks for it. What to add: nothing for a component. What
stays out: looking (`coinhts_pipeline.health`), and what it means (`coinhts_core.ops`).

A look is cheap and a run is not: every materialisation stays in Dagster's event log. So the sensor looks every ten
minutes, and asks for a run when a status has changed, else once an hour: 24 a day, and 144 when all is in flux.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

import dagster as dg
import polars as pl

from coinhts_core.backtests.report import as_image, svg_curves
from coinhts_core.clock import now
from coinhts_core.errors import NotStoredError
from coinhts_core.hashes import digest
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.ops.health import Component, Health, Status
from coinhts_core.ops.history import HEALTH, appended, latencies, shares
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.health.watch import watch
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.plots import plot
from coinhts_pipeline.resources import House
from coinhts_pipeline.verdicts import asset_body

PUBLISH_HEALTH = "publish_health"
_ASSET = "ops/health"
_KEY = dg.AssetKey(_ASSET.split("/"))
_PATIENCE_S = 4.0  # nobody waits for it
_DRAWN = ("ledger", "lake", "exchange", "scheduler", "signals")
_NO_FAILURE, _NO_WARNING = "no_component_is_unhealthy", "no_component_warns"


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    publish_health = dg.define_asset_job(
        PUBLISH_HEALTH, dg.AssetSelection.assets(_KEY), description="Looks at every component, and keeps what it saw."
    )
    return dg.Definitions(assets=[health], jobs=[publish_health], sensors=[on_health])


@dg.asset(
    key=_KEY,
    description="How each component of the house does, and did in the last four weeks: status, latency, reason.",
    group_name="ops",
    kinds={"parquet"},
    code_version="1",
    io_manager_key="lake",
    tags={"measures": "health"},
    metadata=described(HEALTH.columns),
    check_specs=[
        dg.AssetCheckSpec(_NO_FAILURE, asset=_KEY, description="Nothing that the house is made of fails."),
        dg.AssetCheckSpec(_NO_WARNING, asset=_KEY, description="Nothing that the house is made of is about to fail."),
    ],
)
@asset_body
def health(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
    lake = house.rooms.lake
    replaces = lake.number_of_whole(_ASSET)
    seen = _seen(house.rooms.settings)
    rows = DayRows.of(HEALTH, appended(_before(lake), seen))
    whole = Whole(rows, replaces, digest(rows.entry.content_hash), preview=_table(seen.components))
    yield whole.output({"house": seen.overall.value, **_shown(rows.frame)})
    yield _check(_NO_FAILURE, seen, Status.UNHEALTHY, dg.AssetCheckSeverity.ERROR)
    yield _check(_NO_WARNING, seen, Status.WARNING, dg.AssetCheckSeverity.WARN)


@dg.sensor(
    job_name=PUBLISH_HEALTH,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What a look at the components sees is kept once an hour, and whenever the status of one has changed.",
)
def on_health(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    seen = _seen(read_settings())
    found = json.dumps({of.name: of.status.value for of in seen.components})
    cursor = digest(f"{seen.looked_at:%Y-%m-%d %H}", found)
    if cursor == context.cursor:
        return dg.SkipReason(f"{seen.overall}, as before in this hour")
    context.update_cursor(cursor)
    return dg.RunRequest(run_key=cursor)


def _seen(settings: Settings) -> Health:
    with watch(settings) as looking:
        return looking.look(now(), patience_s=_PATIENCE_S)


def _before(lake: Lake) -> pl.DataFrame:
    with suppress(NotStoredError):
        return lake.read_whole(_ASSET)
    return HEALTH.empty()


def _table(components: Collection[Component]) -> str:
    words = [(of.name, of.status.value, of.latency_ms, of.reason, of.to_do) for of in components]
    return markdown(pl.DataFrame(words, schema=["component", "status", "ms", "reason", "what to do"], orient="row"))


def _shown(history: pl.DataFrame) -> dict[str, dg.MarkdownMetadataValue]:
    took = latencies(history, _DRAWN)
    days = (str(history["looked_at"].min())[:10], str(history["looked_at"].max())[:10])
    title = "how long components took to tell, ms"
    return {
        **plot(took["ledger"], "how long the ledger took to tell, ms"),
        "latency": dg.MetadataValue.md(as_image(svg_curves(took, title, days), title)),
        "weeks": dg.MetadataValue.md(markdown(shares(history))),
    }


def _check(name: str, seen: Health, status: Status, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    found = {of.name: of.sentence for of in seen.components if of.status is status}
    return dg.AssetCheckResult(
        check_name=name,
        passed=not found,
        severity=severity,
        description=f"{len(found)} of {len(seen.components)}: {', '.join(found)}" if found else "none",
        metadata=found,
    )
