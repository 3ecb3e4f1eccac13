"""A program tied to the process that starts it: `python tied.py PID PROGRAM WORD…`, where PID is that process' own.

What lives here: what must be so before the program begins and cannot be said from outside without a fork of threads.
What stays out: everything else; it is run as a file, and imports next to nothing.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asked to stop when its starter dies, however that happens; where the system cannot promise it, the next sweeps.

    Ctrl-C in its default form: Dagster stops on SIGTERM only where SIGINT is not ignored.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("who started this is gone already")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - our own interpreter and modules, no shell


if __name__ == "__main__":
    main()
