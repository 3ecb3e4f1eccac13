import json
import subprocess
import sys

import pytest
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from coinhts_core.settings import S3, Settings
from coinhts_pipeline.compute_logs import configured, variables
from coinhts_pipeline.installation import PROJECT

WORDS = "a step that has something to say"
_TALKATIVE = f"""
import json, subprocess, sys
import dagster as dg
from coinhts_core.settings import read_settings
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import open_installation

@dg.asset
def talkative():
    print("{WORDS}", file=sys.stderr)
    subprocess.run(["echo", "{WORDS}"], check=True)

with open_installation(read_settings()) as installation:
    defs()
    heavy = sorted({{name.split(".")[0] for name in sys.modules}} & {{"boto3", "botocore", "dagster_aws"}})
    run = dg.materialize([talkative], instance=installation.instance)
    events = [of.dagster_event for of in installation.instance.all_logs(run.run_id) if of.dagster_event]
    (file,) = [of.logs_captured_data.file_key for of in events if of.event_type_value == "LOGS_CAPTURED"]
print(json.dumps([heavy, [run.run_id, "compute_logs", file]]))
"""


def talk(house):
    """Run a talkative step in a process of its own; tell what had been imported before, and the key of its logs."""
    command, pipes = [sys.executable, "-c", _TALKATIVE], {"capture_output": True, "text": True}
    done = subprocess.run(command, env=house.environ, cwd=PROJECT, check=False, **pipes)
    assert done.returncode == 0, done.stderr
    spoken, answer = done.stdout.splitlines()
    assert spoken == WORDS
    return json.loads(answer)


def test_what_steps_print_lies_beside_the_lake(open_house, s3):
    """With the lake in a bucket, every process reads stdout and stderr of each step from there; the lake holds none."""
    with open_house(lake=s3.url, s3__endpoint=s3.endpoint) as house:
        _, key = talk(house)
        told = house.instance.compute_log_manager.get_log_data(key)
        assert (told.stdout.decode(), WORDS in told.stderr.decode()) == (f"{WORDS}\n", True)
        assert s3.ask("GET", f"prefix-compute-logs/storage/{'/'.join(key)}.out") == (200, told.stdout)
        assert {found.path for found in house.rooms.lake._store.listed()} == {"venue.json"}


def test_a_directorys_installation_imports_nothing_of_amazons(house):
    """Its logs lie in its home, and neither boto3 nor dagster_aws is waited for."""
    heavy, key = talk(house)
    assert heavy == []
    manager = house.instance.compute_log_manager
    assert isinstance(manager, LocalComputeLogManager)
    assert manager.get_log_data(key).stdout.decode() == f"{WORDS}\n"


@pytest.mark.parametrize(
    ("lake", "prefix"),
    [("s3://b-b/one/two", "one/two-compute-logs"), ("s3://b-b/one/", "one-compute-logs"), ("s3://b-b", "compute-logs")],
)
def test_they_have_a_prefix_of_their_own(tmp_path, lake, prefix):
    """Beside the lake's; where the lake is the whole bucket, its own listing tells them apart by name."""
    manager = configured(Settings(home=tmp_path, lake=lake), tmp_path)["compute_logs"]
    assert (manager["config"]["bucket"], manager["config"]["prefix"]) == ("b-b", prefix)


def test_a_secret_in_an_address_is_named_by_its_variable(tmp_path):
    """Dagster puts its configuration on command lines, which everybody on the machine may read."""
    endpoint = "http://user:canary@127.0.0.1:1"
    settings = Settings(home=tmp_path, lake="s3://bucket/prefix", s3=S3(endpoint=endpoint, region="seoul"))
    assert "canary" not in json.dumps(configured(settings, tmp_path))
    assert variables(settings) == {"COINHTS_S3__ENDPOINT": endpoint, "AWS_DEFAULT_REGION": "seoul"}
    (kept,) = configured(Settings(home=tmp_path), tmp_path).values()
    assert (kept["class"], kept["config"]) == ("StepPrints", {"base_dir": str(tmp_path / "storage")})
    assert variables(Settings(home=tmp_path)) == {}
