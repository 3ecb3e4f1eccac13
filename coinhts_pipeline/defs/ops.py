"""Ops: how the house itself does.

What lives here: `ops/benchmarks`, the history of what `make bench` measured, and its job. What to add: another look at
the house, as an asset of its own. What stays out: measuring (`tests/benchmarks`), and the figures (`speed`).
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import polars as pl

from coinhts_core.backtests.report import as_image, svg_curves
from coinhts_core.hashes import digest
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.settings import Settings
from coinhts_pipeline.columns import described
from coinhts_pipeline.io_managers.blocks import Whole
from coinhts_pipeline.io_managers.lake import markdown
from coinhts_pipeline.resources import House
from coinhts_pipeline.speed import BENCHMARKS, WORDS, Bench, curves, history, table, worse
from coinhts_pipeline.verdicts import asset_body

PUBLISH_BENCHMARKS = "publish_benchmarks"
_KEY = dg.AssetKey(["ops", "benchmarks"])
_NOTHING = "nothing was measured yet; `make bench` does it"


def define(settings: Settings, lineup: Mapping[str, Entry]) -> dg.Definitions:
    del settings, lineup
    publish_benchmarks = dg.define_asset_job(
        PUBLISH_BENCHMARKS, dg.AssetSelection.assets(_KEY), description="Shows what `make bench` has measured."
    )
    return dg.Definitions(assets=[benchmarks], jobs=[publish_benchmarks])


@dg.asset(
    key=_KEY,
    description="What `make bench` measured, run by run: limits of the machine, peers and us, goals beside figures.",
    group_name="ops",
    kinds={"parquet"},
    code_version="1",
    io_manager_key="lake",
    tags={"measures": "speed"},
    metadata=described(BENCHMARKS.columns),
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_lost_a_fifth",
            asset=_KEY,
            description="No figure is a fifth worse than the median of its last ones on such a machine.",
        )
    ],
)
@asset_body
def benchmarks(house: House) -> Iterator[dg.Output[Whole] | dg.AssetCheckResult]:
    replaces = house.rooms.lake.number_of_whole("ops/benchmarks")
    benches = history(house.rooms.settings.benchmarks_folder)
    rows = DayRows.of(BENCHMARKS, table(benches))
    whole = Whole(rows, replaces, digest(rows.entry.content_hash), preview=_newest(benches))
    yield whole.output({"history": dg.MetadataValue.md(_drawn(benches))})
    lost = worse(benches)
    yield dg.AssetCheckResult(
        check_name="nothing_lost_a_fifth",
        passed=not lost,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(lost)} figures lost a fifth" if lost else "none did",
        metadata={"figures": lost},
    )


def _newest(benches: Sequence[Bench]) -> str:
    if not benches:
        return _NOTHING
    words = [figure.in_words() for figure in benches[-1].worst_first()]
    return markdown(pl.DataFrame(words, schema=[name or "state" for name in WORDS], orient="row"))


def _drawn(benches: Sequence[Bench]) -> str:
    if not benches:
        return _NOTHING
    title = "figures in parts of their goals, above 1 is better"
    days = (str(benches[0].measured_at.date()), str(benches[-1].measured_at.date()))
    return as_image(svg_curves(curves(benches), title, days), title)
