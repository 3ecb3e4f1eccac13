import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from coinhts_pipeline.front.serve import main
from coinhts_pipeline.installation import PROJECT


def test_the_process_binds_one_port_and_leaves_when_asked(tmp_path, ui, request):
    """Nothing else listens; no answer names the server; a signal ends it without a trace."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "coinhts_pipeline.front.serve", str(ui.place)],
        env={"PATH": os.environ["PATH"], "COINHTS_HOME": str(tmp_path), "COINHTS_WEB__PORT": str(port)},
        stderr=subprocess.PIPE, text=True, cwd=PROJECT,
    )  # fmt: skip
    request.addfinalizer(process.kill)
    deadline = time.monotonic() + 30
    while not (bound := [of for of in psutil.Process(process.pid).net_connections() if of.status == "LISTEN"]):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [(of.laddr.ip, of.laddr.port) for of in bound] == [("127.0.0.1", port)]
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"GET /x?y HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: asked-0815\r\n")
        caller.sendall(b"Connection: close\r\n\r\n")
        answered = b"".join(iter(partial(caller.recv, 65_536), b""))
    assert answered.startswith(b"HTTP/1.1 200 OK")
    assert b"uvicorn" not in answered.lower()
    assert answered.count(b"x-request-id: asked-0815\r\n") == 1
    assert b'["x-request-id", "asked-0815"]' in answered.replace(b'","', b'", "')  # as the UI heard it
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    line = "info     coinhts.front: answered request_id=asked-0815 role=owner method=GET path=/x status=200"
    assert (process.returncode, err.count("\n"), line in err) == (0, 1, True), err


def test_it_serves_nobody_beyond_loopback_without_a_login(tmp_path, monkeypatch):
    """Whoever starts it."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    monkeypatch.setenv("COINHTS_WEB__HOST", "0.0.0.0")  # noqa: S104 - it is refused
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(Exception, match="without a login only loopback is bound"):
            main()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_takes_long_to_import_is_there_before_somebody_asks():
    """But not before it listens: importing the process itself brings none of it."""
    script = """
import sys
from coinhts_pipeline.front import serve
heavy = ("coinhts_pipeline.front.requests", "coinhts_pipeline.front.result_pages", "polars")
print([name in sys.modules for name in heavy])
serve.warm()
print([name in sys.modules for name in heavy])
"""
    told = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [str([False] * 3), str([True] * 3)]
