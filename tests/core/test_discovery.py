import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from coinhts_core import exchanges, strategies
from coinhts_core.discovery import load_from_file, load_from_package, names_in
from coinhts_core.errors import DiscoveryError
from coinhts_core.exchanges import Exchange
from coinhts_core.strategies import Strategy

GOOD = """
from coinhts_core.strategies import Strategy

class Mine(Strategy):
    @property
    def warmup(self): return 1
    def decide(self, bars): return []
"""


def write(folder, name, text):
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def test_a_package_is_scanned():
    """A module's name is its registered name; nobody keeps a list."""
    files = [file.stem for file in Path(strategies.__file__).parent.glob("*.py") if file.stem != "__init__"]
    assert names_in(strategies) == sorted(files)
    assert load_from_package(strategies, "sma_cross", Strategy).__name__ == "SmaCross"


def test_a_package_may_stand_where_a_file_does(tmp_path):
    """It holds its one class in its `__init__`, which a refusal names."""
    assert load_from_package(exchanges, "upbit", Exchange).__name__ == "UpbitExchange"
    package = ModuleType("coinhts_of_packages")
    package.__path__ = [str(tmp_path)]
    write(tmp_path / "broken", "__init__", "nonsense(")
    with pytest.raises(DiscoveryError, match=r"broken/__init__\.py cannot be loaded"):
        load_from_package(package, "broken", Exchange)


def test_a_users_file_is_loaded_as_it_is_now(tmp_path):
    """Changed on disk, it is another class; even within a second, and as long as before."""
    loaded = []
    for name in ("Mine", "Then", "Anon"):
        file = write(tmp_path, "mine", GOOD.replace("Mine", name))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        loaded.append(load_from_file(file, Strategy).__name__)
    assert loaded == ["Mine", "Then", "Anon"]


def test_a_users_file_uses_its_neighbours(tmp_path):
    """And two folders' neighbours of the same name stay apart."""
    names = []
    for folder, name in ((tmp_path / "one", "One"), (tmp_path / "two", "Two")):
        write(folder, "_shared", f"NAME = '{name}'\n")
        file = write(folder, "mine", f"from ._shared import NAME\n{GOOD}    label: str = NAME\n")
        names.append(load_from_file(file, Strategy)().label)
    assert names == ["One", "Two"]


def test_compiled_functions_of_a_users_file_outlive_their_process(tmp_path):
    """What numba kept in one process is taken in the next, whatever its hashes of texts."""
    numba = "from numba import njit\n@njit(cache=True)\ndef doubled(of):\n    return 2 * of\n"
    file = write(tmp_path, "mine", GOOD.replace("return 1", "return doubled(1)") + numba)
    said = [_in_a_process(file, seed) for seed in ("1", "2")]
    assert said == ["2 compiled 1", "2 compiled 0"]


def _in_a_process(file, seed):
    script = f"""
from pathlib import Path
import sys
from coinhts_core.discovery import load_from_file
from coinhts_core.strategies import Strategy
found = load_from_file(Path({str(file)!r}), Strategy)
told = found().warmup
doubled = sys.modules[found.__module__].doubled
print(told, "compiled", sum(doubled.stats.cache_misses.values()))
"""
    environ = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must hold exactly one Strategy class and holds 0"),
        (GOOD + GOOD.replace("Mine", "Other"), "must hold exactly one Strategy class and holds 2"),
        ("from coinhts_core.strategies.sma_cross import SmaCross\n", "holds 0"),
        ("def decide(", "SyntaxError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('half\\nway')", "RuntimeError: half?way"),
        (GOOD.replace("def warmup", "def warm"), "its class Mine lacks warmup"),
        (GOOD.replace("def decide", "def decides"), "its class Mine lacks decide"),
        (GOOD.replace("@property", "knob = 1"), "PydanticUserError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named(tmp_path, text, reason):
    """A broken strategy is never skipped in silence."""
    file = write(tmp_path, "mine", text)
    with pytest.raises(DiscoveryError) as refusal:
        load_from_file(file, Strategy)()
    assert str(refusal.value).startswith(f"{file} cannot be loaded: ")
    assert reason in str(refusal.value)


def test_an_alias_is_not_a_second_class(tmp_path):
    """One class under two names is one class."""
    assert load_from_file(write(tmp_path, "mine", f"{GOOD}\nAlias = Mine\n"), Strategy).__name__ == "Mine"


def test_a_broken_module_of_a_package_is_named(tmp_path):
    """Shipped or not, the sentence names the file."""
    package = ModuleType("coinhts_broken")
    package.__path__ = [str(tmp_path)]
    with pytest.raises(DiscoveryError, match=r"absent\.py cannot be loaded: ModuleNotFoundError"):
        load_from_package(package, "absent", Exchange)
