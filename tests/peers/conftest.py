"""What comparisons may ask for: a peer in an environment of its own, and a table that their figures go to.

The environment lies in the user's cache, a folder for each version, and is made once: it takes a minute.
"""

import fcntl
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

_VECTORBT = "vectorbt==1.2.0"
_SCRIPT = Path(__file__).with_name("in_vectorbt.py")
_COLUMNS = ("open", "high", "low", "close", "volume")
_PATIENCE_S = 900


@pytest.fixture(scope="session")
def _vectorbts_python():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coinhts" / "peers"
    folder = cache / f"{_VECTORBT}-python-{platform.python_version()}"
    python, is_whole = folder / "bin" / "python", folder / "is_whole"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (is_whole.exists() and python.exists()):
            venv.create(folder, clear=True, with_pip=True)
            _install(python)
            is_whole.touch()
    return python


def _install(python):
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _VECTORBT]
    pip = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if pip.returncode:
        said = (pip.stderr.strip().splitlines() or ["nothing"])[-1]
        sentence = f"{_VECTORBT} cannot be installed, and without it nothing is compared; is the package index there?"
        pytest.fail(f"{sentence} pip says: {said}", pytrace=False)


@pytest.fixture
def vectorbt(_vectorbts_python, tmp_path):
    """Ask vectorbt what it makes of candles by a rule."""

    def ask(candles, **question):
        np.savez(tmp_path / "candles.npz", **{name: candles[name].to_numpy() for name in _COLUMNS})
        (tmp_path / "question.json").write_text(json.dumps(question))
        command = [_vectorbts_python, "-W", "ignore", _SCRIPT, tmp_path]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        assert asked.returncode == 0, asked.stderr
        with np.load(tmp_path / "answer.npz") as answer:
            return dict(answer)

    return ask


@pytest.fixture(scope="session")
def agreement():
    """Take a row of figures; at the end all are shown to whoever runs pytest with -s."""
    table = Table(
        title=f"Agreement with {_VECTORBT}, Python {platform.python_version()}; ours compiles in the first row"
    )
    for name in ("workload", "bars", "points", "trades", "one ends with", "the other", "apart by", "ours, s"):
        table.add_column(name, justify="left" if name == "workload" else "right")
    yield table.add_row
    Console(file=sys.stdout, width=140).print(table)
