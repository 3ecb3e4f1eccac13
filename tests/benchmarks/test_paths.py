import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def told(folder, *break_it):
    folder.mkdir()
    environ = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": str(Path(__file__).parent),
        "COINHTS_HOME": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.paths", folder, *break_it],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_benched_is_what_everybody_uses(tmp_path):
    """Break the engine's loop: the bench's judge objects, and a command, a sweep and an asset tell wrong figures."""
    whole, broken = told(tmp_path / "whole"), told(tmp_path / "broken", "broken")
    assert whole["bench"] == "they agree"
    assert broken["bench"].startswith("ours and plain end ")
    assert whole["sweep"] == whole["command"]
    assert broken["sweep"] != pytest.approx(whole["sweep"], rel=1e-9)
    assert broken["command"] != pytest.approx(whole["command"], rel=1e-9)
    assert broken["asset"] != pytest.approx(whole["asset"], rel=1e-9)
