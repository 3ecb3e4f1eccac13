import os
import subprocess
import sys

import dagster as dg

from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.step_prints import StepPrints

KEY = ["a run", "compute_logs", "a step"]
LINE, MANY = "a line of many\n", 20_000
STEP = """
import os, subprocess, sys, time
from coinhts_pipeline.step_prints import StepPrints
prints = StepPrints(sys.argv[1])
capture = prints.capture_logs(["a run", "compute_logs", "a step"])
"""


def begin(tmp_path, does):
    """A process of its own, for a test's streams are led elsewhere already."""
    command = [sys.executable, "-c", STEP + does, str(tmp_path)]
    return subprocess.Popen(command, cwd=PROJECT, stdin=-1, stdout=-1, stderr=-1, text=True)


def test_what_is_printed_is_kept_and_shown(tmp_path):
    """By Python and by what it calls, on either stream, to the last byte; and nothing more once it has ended."""
    does = f"""
with capture:
    subprocess.run(["echo", "of a child"], check=True)
    print({LINE!r} * {MANY}, end="", flush=True)
    os.write(2, b"a complaint")
print("afterwards", end="")
"""
    shown = begin(tmp_path, does).communicate(timeout=30)
    assert shown == (f"of a child\n{LINE * MANY}afterwards", "a complaint")
    prints = StepPrints(str(tmp_path))
    kept = prints.get_log_data(KEY)
    assert (kept.stdout.decode(), kept.stderr.decode()) == (f"of a child\n{LINE * MANY}", "a complaint")
    assert prints.is_capture_complete(KEY)


def test_it_is_shown_while_the_step_goes_on(tmp_path):
    """Who watches a terminal need not wait for the end; what a killed step had printed is kept as well."""
    step = begin(tmp_path, "with capture:\n    print('soon', flush=True)\n    sys.stdin.read()")
    assert step.stdout.readline() == "soon\n"
    step.kill()
    step.communicate(timeout=30)
    prints = StepPrints(str(tmp_path))
    assert prints.get_log_data(KEY).stdout == b"soon\n"
    assert not prints.is_capture_complete(KEY)


def test_a_step_that_fails_leaves_the_streams_as_they_were(tmp_path):
    """And what it had printed is kept."""
    does = """
try:
    with capture:
        os.write(1, b"before")
        raise ValueError
except ValueError:
    os.write(1, b" and after")
"""
    assert begin(tmp_path, does).communicate(timeout=30) == ("before and after", "")
    assert StepPrints(str(tmp_path)).get_log_data(KEY).stdout == b"before"


def test_no_process_is_begun_for_a_step(tmp_path):
    """Stock Dagster begins four."""
    kept = {"module": "coinhts_pipeline.step_prints", "class": "StepPrints", "config": {"base_dir": str(tmp_path)}}
    children = []

    @dg.asset
    def quiet():
        asked = ["ps", "--ppid", str(os.getpid()), "-o", "args="]
        told = subprocess.run(asked, capture_output=True, text=True, check=True)
        children.extend(line for line in told.stdout.splitlines() if "compute_logs" in line or "tail" in line)

    with dg.instance_for_test(overrides={"compute_logs": kept}) as instance:
        assert dg.materialize([quiet], instance=instance).success
    assert children == []
