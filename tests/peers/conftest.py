"""What comparisons may ask for: a peer in an environment of its own, and a table that their figures go to.

The environment lies in the user's cache, a folder for each version, and is made once: it takes a minute.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from tests.peers.environment import PATIENCE_S, NoPeerError, python_with

_VECTORBT = "vectorbt==1.2.0"
_SCRIPT = Path(__file__).with_name("in_vectorbt.py")
_COLUMNS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="session")
def _vectorbts_python():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coinhts" / "peers"
    try:
        return python_with(cache, _VECTORBT)
    except NoPeerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def vectorbt(_vectorbts_python, tmp_path):
    """Ask vectorbt what it makes of candles by a rule."""

    def ask(candles, **question):
        np.savez(tmp_path / "candles.npz", **{name: candles[name].to_numpy() for name in _COLUMNS})
        (tmp_path / "question.json").write_text(json.dumps(question))
        command = [_vectorbts_python, "-W", "ignore", _SCRIPT, tmp_path]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
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
