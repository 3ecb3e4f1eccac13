"""Where coinhts' errors meet Dagster's: wait becomes a retry, fix becomes a failure that is not retried.

What lives here: that one translation, in both directions. What stays out: the sentences (`coinhts_core.errors`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import dagster as dg

from coinhts_core.errors import LedgerBusyError, LedgerUnreachableError, RefusedError, RetryableError, RunFailedError
from coinhts_pipeline.log_ids import in_lines

_RETRIES = 3
_SECONDS_BETWEEN = 2
_AWAY = {of.__name__ for of in (RetryableError, LedgerBusyError, LedgerUnreachableError)}

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Around whatever a step does."""
    try:
        yield
    except RetryableError as error:
        raise dg.RetryRequested(_RETRIES, _SECONDS_BETWEEN) from error
    except RefusedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def asset_body(body: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """An asset's generator whose errors are told to Dagster, and its name in every line meanwhile."""

    @wraps(body)
    def told(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        asset = "/".join(dg.AssetExecutionContext.get().asset_key.path)
        with in_lines(asset=asset), told_to_dagster():
            yield from body(*args, **kwargs)

    return told


def failure_of(result: dg.ExecuteInProcessResult) -> RunFailedError:
    """The first step that failed, in the words of its innermost cause."""
    for event in result.all_events:
        if event.is_step_failure:
            return RunFailedError(run_id=result.run_id, step=event.step_key, reason=reason_of(event))
    return RunFailedError(run_id=result.run_id, step="its start", reason="see `coinhts up`, Runs")


def is_passing(result: dg.ExecuteInProcessResult) -> bool:
    """Whether every step that failed only met the lake or the ledger while they were away: both come back."""
    failed = [event for event in result.all_events if event.is_step_failure]
    return bool(failed) and all(_first_cause(event) in _AWAY for event in failed)


def _first_cause(failed: dg.DagsterEvent) -> str | None:
    error = failed.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return error.cls_name if error else None


def reason_of(failed: dg.DagsterEvent) -> str:
    """Why a step failed, in the words of the innermost cause."""
    data = failed.step_failure_data
    error = data.error
    while error and error.cause:
        error = error.cause
    told = data.user_failure_data.description if data.user_failure_data else None
    return told or (error.message.strip() if error else "unknown")
