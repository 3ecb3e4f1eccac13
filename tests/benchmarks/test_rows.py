import subprocess
import sys
from pathlib import Path

from tests.benchmarks import engines, house

ROOT = Path(__file__).parents[2]


def bench(*arguments):
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_rows_are_told():
    """`make bench ARGS=--rows` names each with what it measures."""
    said = bench("--rows").stdout
    for name, row in {**house.ROWS, **engines.ROWS}.items():
        assert f"{name:12} {row.__doc__}" in " ".join(said.split("\n")), name


def test_an_unknown_row_is_refused():
    """Before anything is measured."""
    done = bench("w9")
    assert done.returncode == 2
    assert "there is no row w9; choose from lake, process" in done.stderr
