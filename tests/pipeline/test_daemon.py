import subprocess
import sys

from coinhts_pipeline.installation import PROJECT


def test_the_daemon_is_dagsters_with_our_settings(tmp_path):
    """It does not begin with settings that cannot be read."""
    command = [sys.executable, "-m", "coinhts_pipeline.daemon", "run", "--help"]
    environ = {"COINHTS_HOME": str(tmp_path), "COINHTS_LOG__LEVEL": "loud"}
    refused = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=PROJECT, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "COINHTS_LOG__LEVEL cannot be 'loud'" in refused.stderr
