"""What Dagster says in a process of its own, said as all is said here: one line, its ids as fields, secrets masked.

What lives here: two private names of Dagster's that are taken over, by which its processes would write in ways of
their own; the versions are pinned, and a test sees the lines. What stays out: how lines look (`coinhts_core.logs`), and
commands, whose runs are silent (`backfill`).
"""

import logging
from collections.abc import Mapping, Sequence
from types import ModuleType

import dagster as dg
from dagster._core.execution import context_creation_job
from dagster._core.log_manager import get_log_record_metadata, has_log_record_metadata

from coinhts_core import logs
from coinhts_core.settings import read_settings
from coinhts_pipeline.log_ids import of_run

RUNS = "dagster.runs"


def take_over(command: ModuleType) -> None:
    """Before a command of Dagster's begins, and in each run it begins; the command would configure lines itself."""
    logs.set_up(read_settings())
    vars(command)["configure_loggers"] = _already_configured
    context_creation_job.default_system_loggers = _of_runs  # type: ignore[attr-defined, assignment]


def _already_configured(**_: object) -> None:
    pass


def _of_runs(_: dg.DagsterInstance | None) -> Sequence[tuple[dg.LoggerDefinition, Mapping[str, object]]]:
    return [(_runs, {})]


@dg.logger
def _runs(context: dg.InitLoggerContext) -> logging.Logger:
    """What happens in a run; its failures in full."""
    del context
    logger = logging.getLogger(RUNS)
    logger.addFilter(_with_ids)  # once, however often it is added
    return logger


def _with_ids(record: logging.LogRecord) -> bool:
    """Dagster writes ids into its sentences; they are fields here."""
    if has_log_record_metadata(record):
        told = get_log_record_metadata(record)
        said, original = record.getMessage(), told["orig_message"]
        record.msg, record.args = original + said.partition(original)[2], ()
        names = {"job": told["job_name"], "step": told["step_key"]}
        record.facts = of_run(told["run_id"] or "", told["job_tags"]) | {of: name for of, name in names.items() if name}
    return True
