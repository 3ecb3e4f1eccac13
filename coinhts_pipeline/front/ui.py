"""Dagster's UI on a socket in a private directory: `python -m coinhts_pipeline.front.ui SOCKET WORKSPACE`.

What lives here: Dagster's own application, told for each request whether it may change anything. It answers whoever
reaches the socket, so nobody but the front may. What stays out: who asks (`wall`).
"""

import sys
from contextlib import suppress
from pathlib import Path

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from coinhts_core import logs
from coinhts_core.settings import read_settings
from coinhts_pipeline.front.listening import listening
from coinhts_pipeline.front.proxy import ROLE_HEADER

_LIVE_EVERY_MS = 2_000
# As Dagster's own command sets them: milliseconds a statement, seconds a connection, connections above the pool.
_STORAGE = (15_000, 3_600, 20)


class Workspace(WorkspaceProcessContext):
    """A workspace that only the owner changes."""

    def create_request_context(self, source: object | None = None) -> WorkspaceRequestContext:
        context = super().create_request_context(source)
        if not (isinstance(source, HTTPConnection) and source.headers.get(ROLE_HEADER) == "owner"):
            context._read_only = True  # noqa: SLF001 - the versions are pinned, and a test sees a viewer refused
        return context


def open_workspace(instance: DagsterInstance, workspace: Path) -> Workspace:
    instance.optimize_for_webserver(*_STORAGE)
    target = WorkspaceFileTarget([str(workspace)])
    return Workspace(instance, version=__version__, workspace_load_target=target)


def build(workspace: Workspace) -> Starlette:
    return create_app_from_workspace_process_context(workspace, "", _LIVE_EVERY_MS)


def main() -> None:
    place, workspace = map(Path, sys.argv[1:3])
    logs.set_up(read_settings())
    setup_interrupt_handlers()
    with suppress(KeyboardInterrupt), DagsterInstance.get() as instance, open_workspace(instance, workspace) as opened:
        config = listening(build(opened), "coinhts.ui", uds=str(place), date_header=False)
        uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
