"""From settings to core objects: what assets, sensors and commands hold in their hands.

What lives here: `House`. What stays out: what is done with it (`defs`), and starting servers (`installation`). It has
no fields on purpose: the UI shows a resource's fields, and addresses carry passwords.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import PrivateAttr

from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.claims import claim
from coinhts_pipeline.log_ids import in_lines, of_run
from coinhts_pipeline.rooms import Rooms


def claims_folder(settings: Settings) -> Path:
    return settings.home / "dagster" / "claims"


class House(dg.ConfigurableResource[Any]):
    """The rooms a run may enter: ledger, lake, exchange, lineup. Whoever opens them for a run claims it."""

    _rooms: Rooms | None = PrivateAttr(None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        settings = read_settings()
        ids = of_run(context.run.run_id, context.run.tags) if context.run else {}
        if context.run:
            claim(claims_folder(settings), context.run.run_id)
        with in_lines(**ids), Rooms.open(settings) as self._rooms:
            yield self
        self._rooms = None

    @property
    def rooms(self) -> Rooms:
        if self._rooms is None:
            msg = "the house is open only inside a run"
            raise RuntimeError(msg)
        return self._rooms
