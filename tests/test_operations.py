"""The lines of OPERATIONS.md that lead from nothing to a restored house, run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coinhts_core.ledger.server import EmbeddedServer
from tests.pipeline.conftest import answer
from tests.pipeline.upheld import free_port

__all__ = ["answer"]

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "OPERATIONS.md").read_text(encoding="utf-8")
SAME = (
    ("backtest", "list"),
    ("position", "list"),
    ("position", "history", "1"),
    ("data", "status"),
    ("signal", "list", "--date", "20260105"),
    ("config", "show"),
    ("ledger", "status"),
)


def lines_below(heading: str) -> list[str]:
    """Give the commands of a chapter: its indented lines."""
    _, _, rest = TEXT.partition(f"## {heading}\n")
    return re.findall(r"^    (.+)$", rest.partition("\n## ")[0], re.MULTILINE)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The person's directory and environment, after every line was run."""
    home = tmp_path_factory.mktemp("person")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"HOME": str(home), "PATH": path, "COINHTS_WEB__PORT": str(free_port())}
    script = "\n".join(lines_below("From nothing to a restored house"))
    walk = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(walk, env=environ, cwd=home, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with EmbeddedServer.share(home / "coinhts"), EmbeddedServer.share(home / "restored"):
        yield home, environ


@pytest.fixture
def asked(walked, answer, monkeypatch):
    """Ask a house of the person's, in this process."""
    home, environ = walked
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COINHTS_BACKUPS", str(home / "coinhts" / "backups"))

    def ask(house: str, *words: str):
        monkeypatch.setenv("COINHTS_HOME", str(home / house))
        code, out, err = answer(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return ask


@pytest.mark.parametrize("words", SAME, ids=" ".join)
def test_a_restored_house_answers_as_the_one_it_was_taken_of(asked, words):
    """The same commands, the same figures."""
    restored, original = asked("restored", *words), asked("coinhts", *words)
    assert original
    assert _lasting(restored) == _lasting(original)


def test_a_result_is_the_same_figure_for_figure(asked):
    """Its trades and its equity, out of the restored lake; it is computed again, and comes out the same."""
    (newest, *_) = asked("coinhts", "backtest", "list")
    shown = [asked(house, "backtest", "show", newest["id"]) for house in ("coinhts", "restored")]
    assert shown[0] == shown[1]
    again = ("--strategy", "sma_cross", "--symbols", "KRW-ETH", "--timerange", "20260101-20260105")
    runs = [asked(house, "backtest", "run", *again) for house in ("coinhts", "restored")]
    assert runs[0]["id"] == runs[1]["id"]
    assert runs[0]["symbols"] == runs[1]["symbols"]


def _lasting(told):
    """A home has its own path, and what is still held is held a second longer."""
    text = re.sub(r"/[^\"]*/(coinhts|restored)(?=[/\"])", "HOME", json.dumps(told))
    return json.loads(re.sub(r'"held_s": \d+', '"held_s": 0', text))
