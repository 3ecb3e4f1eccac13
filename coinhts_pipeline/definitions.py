"""All definitions: the rooms of defs/, and the house policies applied to them once.

What lives here: the entry point that Dagster loads. What to add: a room, as a file in defs/. What stays out: anything
that needs a server; definitions load without one.
"""

import pkgutil
import warnings
from importlib import import_module

import dagster as dg

import coinhts_pipeline.defs
from coinhts_core.lineup import read_lineup
from coinhts_core.settings import read_settings
from coinhts_pipeline.hush import hush
from coinhts_pipeline.io_managers.lake import lake_io_manager
from coinhts_pipeline.io_managers.ledger import ledger_io_manager
from coinhts_pipeline.resources import House

OWNER = "team:coinhts"
for _new in (dg.BetaWarning, dg.PreviewWarning):  # backfill policies, mapped specs: pinned, and tested
    warnings.filterwarnings("ignore", category=_new)


@dg.definitions
def defs() -> dg.Definitions:
    hush()
    settings = read_settings()
    lineup = read_lineup(settings.strategies_folder, settings.lineup_file)
    rooms = [import_module(f"{coinhts_pipeline.defs.__name__}.{room}").define(settings, lineup) for room in _rooms()]
    shared = dg.Definitions(
        resources={
            "house": House(),
            "lake": lake_io_manager,
            "ledger": ledger_io_manager,
            "io_manager": lake_io_manager,
        },
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(*rooms, shared).map_asset_specs(func=_with_owner)


def _rooms() -> list[str]:
    return sorted(room.name for room in pkgutil.iter_modules(coinhts_pipeline.defs.__path__))


def _with_owner(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.merge_attributes(owners=[OWNER])
