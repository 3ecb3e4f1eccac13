"""How our two servers listen: silently, each request known by its id, and no longer than they are asked to.

What lives here: what both have in common. What stays out: what they serve (`app`, `ui`), and where.
"""

from typing import Any

import uvicorn
from starlette.types import ASGIApp

from coinhts_pipeline.front.access import Access

_LAST_WORDS_S = 1


def listening(app: ASGIApp, speaker: str, **place: Any) -> uvicorn.Config:
    """No header of a client's changes its address, and no answer names the server."""
    return uvicorn.Config(
        Access(app, speaker),
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_WORDS_S,
        **place,
    )
