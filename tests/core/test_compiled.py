import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from coinhts_core import compiled
from coinhts_core.compiled import fetch_ahead

CALLEE = """
from coinhts_core.compiled import compiled

@compiled
def inner(number):
    return number + {added}
"""
CALLER = """
from coinhts_core.compiled import compiled
from callee import inner

@compiled
def outer(number):
    return inner(number) * 2
"""
ASK = """
from caller import outer
print(outer(20), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def ask(tmp_path):
    """Ask a process of its own for twice the sum, and how often it found the function on disk."""
    (tmp_path / "caller.py").write_text(CALLER)

    def asked(added, **environ):
        (tmp_path / "callee.py").write_text(CALLEE.format(added=added))
        paths = os.pathsep.join([str(tmp_path), str(Path(compiled.__file__).parents[1])])
        kept = {
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # Python tells seconds apart, no less
        environment = {"PYTHONPATH": paths, **kept, **environ}
        told = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
        return tuple(map(int, told.stdout.split()))

    return asked


def test_what_is_kept_knows_whom_it_called(ask):
    """Found again as long as nothing has changed; worked out anew when a callee in another file has."""
    assert [ask(1), ask(1), ask(2), ask(2)] == [(42, 0), (42, 1), (44, 0), (44, 1)]


@compiled.borrowing
def total(numbers):
    """Add numbers that somebody else holds."""
    found = 0.0
    for number in numbers:
        found += number
    return found


@compiled.compiled
def totals(numbers):
    """Ask for the total of each row."""
    return np.array([total(row) for row in numbers])


@compiled.borrowing
def fresh(count):
    """Make an array, which only a caller may."""
    return np.zeros(count).sum()


@compiled.compiled
def fetched(numbers, place):
    """Ask for a number that nobody reads."""
    fetch_ahead(numbers, place)
    return numbers[0]


def test_what_is_fetched_ahead_may_lie_anywhere():
    """The processor is told so, and nothing comes of a place that no array has."""
    numbers = np.arange(6.0)
    assert [fetched(numbers, place) for place in (0, 5, 6, -1, 10**15)] == [0.0] * 5
    anew = njit(fetched.py_func)  # found on disk, a function no longer tells its assembly
    anew(numbers, 0)
    (assembly,) = anew.inspect_asm().values()
    assert "prefetch" in assembly or "prfm" in assembly


def test_what_borrows_works_on_what_others_hold():
    """It leaves them as they were, and can make none of its own: so nothing counts who refers to them."""
    numbers = np.arange(6.0).reshape(3, 2)
    before = sys.getrefcount(numbers)
    assert totals(numbers).tolist() == [1.0, 5.0, 9.0]
    assert total(numbers[2]) == 9.0
    assert sys.getrefcount(numbers) == before
    with pytest.raises(TypingError):
        fresh(3)


def test_where_nothing_can_be_written_it_compiles_all_the_same(ask, tmp_path):
    """A file stands where each directory should be."""
    (tmp_path / "__pycache__").touch()
    nowhere = {"NUMBA_CACHE_DIR": str(tmp_path / "caller.py" / "cache"), "XDG_CACHE_HOME": str(tmp_path / "caller.py")}
    assert [ask(1, **nowhere) for _ in range(2)] == [(42, 0)] * 2
