"""Start the stand-in, tell its port, and serve until standard input ends: `python -m tests.faults.stand_in LOG`."""

import sys
from pathlib import Path
from threading import Thread

from tests.faults.stand_in.server import StandInServer

server = StandInServer(Path(sys.argv[1]))
Thread(target=server.serve_forever, daemon=True).start()
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
sys.stdin.read()
