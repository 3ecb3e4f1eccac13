import json
import subprocess
import sys

import pytest

from coinhts_pipeline.installation import PROJECT

_RUN = """
import logging
import dagster as dg
from dagster._cli import api
from coinhts_core.errors import BadMarketError
from coinhts_pipeline.dagster_logs import take_over
from coinhts_pipeline.verdicts import asset_body

take_over(api)
take_over(api)
days = dg.StaticPartitionsDefinition(["2026-01-02|KRW-BTC"])

@dg.asset(key=["candles", "tried"], partitions_def=days)
@asset_body
def tried(context: dg.AssetExecutionContext):
    logging.getLogger("coinhts.candles").info("asked")
    context.log.warning("odd hush-0815")
    yield dg.Output(None)

@dg.asset(partitions_def=days, deps=[tried])
@asset_body
def stumbling():
    raise BadMarketError(text="hush-0815")
    yield

print(dg.materialize([tried, stumbling], partition_key="2026-01-02|KRW-BTC", raise_on_error=False).run_id)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Run a run in a process of Dagster's: its id, and the documents it wrote."""
    environ = {
        "COINHTS_HOME": str(tmp_path_factory.mktemp("home")),
        "COINHTS_WEB__TOKEN": "hush-0815",
        "COINHTS_LOG__FORMAT": "json",
        "COINHTS_LOG__LEVEL": "debug",
    }
    ran = subprocess.run(
        [sys.executable, "-c", _RUN], capture_output=True, text=True, env=environ, cwd=PROJECT, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "hush" not in ran.stderr
    return ran.stdout.strip(), [json.loads(line) for line in ran.stderr.splitlines()]


def test_every_line_of_a_run_names_it(told):
    """Its partition, its job and its step, as fields, with whatever Dagster itself has to say."""
    run_id, documents = told
    of_runs = [of for of in documents if of["logger"] == "dagster.runs"]
    assert {(of["run_id"], of["partition"]) for of in of_runs} == {(run_id, "2026-01-02|KRW-BTC")}
    assert {"candles__tried", "stumbling"} <= {of.get("step") for of in of_runs}
    assert not [of for of in of_runs if run_id in of["event"].splitlines()[0]]
    events = [of["event"] for of in of_runs]
    assert len(events) == len({(of["event"], of.get("step")) for of in of_runs})


def test_our_lines_and_a_steps_own_stand_beside_them(told):
    """Each once, with the asset they are about."""
    _, documents = told
    (ours,) = [of for of in documents if of["logger"] == "coinhts.candles"]
    assert (ours["event"], ours["asset"]) == ("asked", "candles/tried")
    (odd,) = [of for of in documents if of["event"].startswith("odd")]
    assert (odd["event"], odd["level"], odd["asset"]) == ("odd ***", "warning", "candles/tried")


def test_a_failure_is_told_in_full_and_in_one_line(told):
    """With its reason and its trace, secrets masked."""
    _, documents = told
    (failed,) = [of for of in documents if of["level"] == "error" and of.get("step") == "stumbling"]
    assert failed["event"].startswith('Execution of step "stumbling" failed.')
    assert "'***' is not a market code" in failed["event"]
    assert "Stack Trace" in failed["event"]
