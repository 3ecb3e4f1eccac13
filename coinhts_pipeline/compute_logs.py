"""Where Dagster keeps what steps print: in the bucket of the lake, or on the disk.

What lives here: the part of Dagster's configuration that says so. What stays out: keeping and reading them, which is
Dagster's, but for how it is done on a disk (`step_prints`).

A directory's installation names nothing of Amazon's, so that nothing of it is imported. Keys come by the AWS chain; an
address, which may carry a password, is named by its variable: whoever lists the processes sees this configuration.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coinhts_core.settings import PREFIX, Settings

ENDPOINT = f"{PREFIX}S3__ENDPOINT"
REGION = "AWS_DEFAULT_REGION"


def configured(settings: Settings, folder: Path) -> dict[str, Any]:
    """What goes into dagster.yaml; the folder is where logs lie, in a bucket's installation until they are whole."""
    if not settings.lake_url.startswith("s3://"):
        kept = {"base_dir": str(folder / "storage")}
        return {"compute_logs": {"module": "coinhts_pipeline.step_prints", "class": "StepPrints", "config": kept}}
    lake = urlsplit(settings.lake_url)
    config: dict[str, Any] = {
        "bucket": lake.netloc,
        "prefix": f"{lake.path.strip('/')}-compute-logs".strip("-"),
        "local_dir": str(folder / "compute-logs"),
    }
    if settings.s3.endpoint:
        config["endpoint_url"] = {"env": ENDPOINT}
    manager = {"module": "dagster_aws.s3.compute_log_manager", "class": "S3ComputeLogManager", "config": config}
    return {"compute_logs": manager}


def variables(settings: Settings) -> dict[str, str]:
    """What that configuration, and boto3, read from the environment."""
    named = {ENDPOINT: settings.s3.endpoint, REGION: settings.s3.region}
    return {name: value for name, value in named.items() if value}
