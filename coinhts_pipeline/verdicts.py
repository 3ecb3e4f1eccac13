"""Where coinhts' errors meet Dagster's: wait becomes a retry, fix becomes a failure that is not retried.

What lives here: that one translation. What stays out: the sentences (`coinhts_core.errors`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from coinhts_core.errors import RefusedError, RetryableError

_RETRIES = 3
_FIRST_WAIT_SECONDS = 1.0


@contextmanager
def told_to_dagster(attempt: int) -> Iterator[None]:
    """Around whatever a step does; `attempt` counts its retries so far."""
    try:
        yield
    except RetryableError as error:
        raise dg.RetryRequested(_RETRIES, _FIRST_WAIT_SECONDS * 2**attempt) from error
    except RefusedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
