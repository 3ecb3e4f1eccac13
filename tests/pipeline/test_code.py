import subprocess
import sys

from coinhts_pipeline.installation import PROJECT

_AS_A_RUN = """
import gc, logging, runpy, sys
runpy.run_module("coinhts_pipeline.code", run_name="__mp_main__")
from coinhts_pipeline.definitions import defs
defs()
print({"pandas", "boto3", "matplotlib"} & set(sys.modules), gc.get_threshold()[0] > 10_000)
logging.getLogger("coinhts.test").info("in a run")
"""


def test_a_run_begins_as_the_code_location_does(tmp_path):
    """It imports the module, never starts the server, nor what few steps need; it seldom collects rubbish, and logs."""
    environ = {"COINHTS_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", _AS_A_RUN], capture_output=True, text=True, env=environ, cwd=PROJECT, check=True
    )
    assert ran.stdout == "set() True\n"
    assert ran.stderr.endswith("Z info     coinhts.test: in a run\n")
