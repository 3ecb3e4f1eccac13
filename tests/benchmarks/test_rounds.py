import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.rounds import Candles, Timed

HERE = Path(__file__).parent
# A contestant that multiplies the closes, part by part.
_SCRIPT = """
from at_work import serve

def products(parts, by):
    calls = [lambda part=part: part["close"] * by for part in parts]
    return calls, lambda outcomes: {"final": [of[0] for of in outcomes]}

serve({"products": products})
"""


def answers(*shares):
    return [{"seconds": float(place), "on_a_core": share, "others": 1 - share} for place, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("shares", "seconds", "clean"),
    [((0.99, 0.5, 0.99, 0.5, 0.95), 2.0, 3), ((0.99, 0.5, 0.5, 0.99, 0.5), 2.0, 2), ((1, 1, 1, 0.5, 0.5), 1.0, 3)],
)
def test_clean_rounds_are_preferred_where_there_are_three(shares, seconds, clean):
    """A round is clean when the call was on a core nearly all the time, or nobody else used much of the machine."""
    for threads in (1, 2):
        timed = Timed.of(answers(*shares), threads)
        assert (timed.seconds, timed.clean, timed.rounds) == (seconds, clean, 5)


def test_no_round_sees_the_candles_of_another():
    """Nobody learns them by heart."""
    closes = []
    for round_ in range(2):
        with Candles(100).fresh(round_) as folder:
            closes.append(np.load(folder / "close.npy"))
    assert not np.allclose(*closes)


def test_a_contestant_tells_its_figures_and_its_time(tmp_path):
    """Parts are equal pieces of the candles; whatever it prints does not disturb the conversation."""
    script = tmp_path / "contestant.py"
    script.write_text(f"print('hello')\n{_SCRIPT}")
    environ = {**os.environ, "PYTHONPATH": str(HERE)}
    with Candles(100).fresh(0) as folder:
        questions = [
            {"do": "prepare", "task": "products", "folder": str(folder), "parts": 4, "by": 2},
            {"do": "tell"},
            {"do": "call", "again": 3},
        ]
        close = np.load(folder / "close.npy")
        asked = "".join(f"{json.dumps(question)}\n" for question in questions)
        command = [sys.executable, script]
        done = subprocess.run(command, input=asked, env=environ, capture_output=True, text=True, timeout=60, check=True)
    _, told, timed = map(json.loads, done.stdout.splitlines()[-3:])
    assert told["told"]["final"] == (2 * close[::25]).tolist()
    assert told["again"] > 100
    assert timed["seconds"] > 0
    assert 0 <= timed["others"] <= 1
    assert timed["above_inputs_mb"] >= 0
