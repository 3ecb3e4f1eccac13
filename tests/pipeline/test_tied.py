import signal
import subprocess
import sys

import psutil

from coinhts_pipeline import tied
from tests.pipeline.upheld import is_alive, until

_PROGRAM = "import signal, sys; print(signal.getsignal(signal.SIGINT).__name__, flush=True); sys.stdin.read()"
_STARTER = """
import os, subprocess, sys
command = [sys.executable, "-IS", sys.argv[1], str(os.getpid()), sys.executable, "-c", sys.argv[2]]
tied = subprocess.Popen(command, stdin=subprocess.PIPE)
print(tied.pid, flush=True)
tied.wait()
"""


def test_a_tied_program_ends_with_its_starter():
    """Even when that one was killed, and had no word left; until then it runs as it would."""
    command = [sys.executable, "-c", _STARTER, tied.__file__, _PROGRAM]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_deaf)  # noqa: PLW1509 - one thread
    program = psutil.Process(int(starter.stdout.readline()))
    assert starter.stdout.readline() == "default_int_handler\n"
    assert "-c" in program.cmdline()
    assert tied.__file__ not in program.cmdline()
    starter.kill()
    starter.communicate()
    until(lambda: not is_alive(program))


def test_whose_starter_is_gone_already_does_not_begin():
    """It would never be told."""
    command = [sys.executable, "-IS", tied.__file__, "1", sys.executable, "-c", "print('begun')"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert "gone already" in done.stderr


def _deaf():
    """As a shell starts what is put into the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
