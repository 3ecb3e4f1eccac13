"""What Dagster was told: the versions it recorded, against those that are stored.

What lives here: the stored days that Dagster does not know as they are. What stays out: days whose content is not
current (`coinhts_core.agenda`). A process that dies between storing a day and recording it leaves such days behind.
"""

from collections.abc import Mapping
from datetime import date

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from coinhts_core.backtests.chain import positions_version
from coinhts_core.candles.frame import MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.days import DayRange
from coinhts_core.ledger.books import chain_ids
from coinhts_pipeline.partitions import partition_key
from coinhts_pipeline.rooms import Rooms


def untold_days(instance: dg.DagsterInstance, rooms: Rooms, registered: Registered, days: DayRange) -> set[date]:
    """Days of which Dagster has recorded no materialisation, or one of another version, for some asset."""
    stored = _stored_versions(rooms, registered, days)
    return {day for asset, versions in stored.items() for day in _differing(instance, asset, registered, versions)}


def _differing(
    instance: dg.DagsterInstance, asset: str, registered: Registered, versions: Mapping[date, str]
) -> set[date]:
    keys = {day: partition_key(registered.symbol, day) for day in versions}
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        dg.AssetKey(asset.split("/")),
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        [DATA_VERSION_TAG],
        asset_partitions=list(keys.values()),
    )
    return {day for day, version in versions.items() if tags.get(keys[day], {}).get(DATA_VERSION_TAG) != version}


def _stored_versions(rooms: Rooms, registered: Registered, days: DayRange) -> dict[str, dict[date, str]]:
    """The version each asset's days lie in the lake and the ledger under."""
    found = {}
    for asset in (MINUTES, *(f"{room}/{name}" for name in rooms.lineup for room in ("signals", "backtests"))):
        heads = rooms.lake.heads(asset, registered.symbol)
        found[asset] = {day: entry.data_version for day, entry in heads.items() if day in days}
    for name in rooms.lineup:
        links = chain_ids(rooms.ledger, f"backtest:{name}", registered.symbol, days.first, days.last)
        found[f"positions/{name}"] = {day: positions_version(link) for day, link in links.items()}
    return found
