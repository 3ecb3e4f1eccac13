import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coinhts_core.code_version import _closure, code_version, core_file, forget

STRATEGY = '''"""A module."""
from ._shared import mean
from coinhts_core.indicators import rolling_sum

class Mine:
    """A class."""

    def decide(self, bars):
        """A method."""
        return mean(bars) + 1  # more
'''
SHARED = '''"""Shared."""
from . import _deeper

def mean(bars):
    return _deeper.total(bars) / len(bars)
'''
DEEPER = "def total(bars):\n    return sum(bars)\n"


@pytest.fixture
def version(tmp_path):
    """Write a user's folder afresh and tell its strategy's version: files are read once a process."""
    folders = iter(range(100))

    def of(strategy=STRATEGY, shared=SHARED, deeper=DEEPER):
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        for name, text in {"mine": strategy, "_shared": shared, "_deeper": deeper, "unused": str(folder)}.items():
            (folder / f"{name}.py").write_text(text)
        return code_version(folder / "mine.py", core_file("signals.py"))

    return of


def test_the_place_of_a_file_does_not_count(version):
    """The same code in another folder is the same code."""
    assert version() == version()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # more", ""),
        ('"""A module."""\n', ""),
        ('"""A module."""', '"""Another\n\nmodule."""'),
        ('    """A class."""\n\n', ""),
        ('        """A method."""\n', "\n\n"),
        ("mean(bars) + 1", "(mean( bars )+1)"),
        ('"""A method."""', "'''A better sentence.'''"),
    ],
)
def test_words_and_layout_do_not_count(version, old, new):
    """A better comment never makes a year of backtests stale."""
    assert old in STRATEGY
    assert version(STRATEGY.replace(old, new)) == version()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ 1", "+ 2"),
        ("+ 1", "+ 1.0"),
        ("+ 1", "- 1"),
        ("bars", "rows"),
        ("class Mine:", "class Mine(object):"),
        ("return mean(bars) + 1", "return None"),
        ("return mean(bars) + 1", "return"),
    ],
)
def test_code_counts(version, old, new):
    """Whatever could change a decision changes the version."""
    assert version(STRATEGY.replace(old, new)) != version()


def test_neighbouring_files_count(version):
    """Those that are imported, and those that they import; not those that merely lie there."""
    assert version(shared=SHARED.replace("/", "//")) != version()
    assert version(deeper=DEEPER.replace("sum", "max")) != version()
    assert version(shared=SHARED.replace('"""Shared."""', "")) == version()


def test_imported_core_modules_count(tmp_path):
    """Directly or not, in any way of importing them, with the packages that run first."""
    ways = [
        "import coinhts_core.rules",
        "from coinhts_core import rules",
        "from coinhts_core.rules import rules_on as r",
    ]
    for place, line in enumerate(ways):
        file = tmp_path / f"mine{place}.py"
        file.write_text(f"def later():\n    {line}\n")
        found = {found.relative_to(core_file()).as_posix() for found in _closure((file,)) - {file}}
        assert found >= {"rules.py", "errors.py", "hashes.py"}
    (tmp_path / "crossing.py").write_text(
        "from coinhts_core.strategies.sma_cross import SmaCross\nimport numpy.typing\n"
    )
    found = {file.name for file in _closure((tmp_path / "crossing.py",))}
    assert found >= {"sma_cross.py", "__init__.py", "indicators.py", "bars.py"}
    assert "ledger.py" not in found


def test_a_backtest_stands_on_the_engine_and_a_signal_does_not():
    """A better engine leaves decisions alone; both stand on the resampling only through the lineup."""
    engine, account = core_file("backtests", "engine.py"), core_file("backtests", "account.py")
    assert {engine, account} <= _closure((core_file("backtests", "chain.py"),))
    assert engine not in _closure((core_file("signals.py"), core_file("strategies", "sma_cross.py")))


def test_the_order_of_arguments_does_not_count():
    """The version is of a set of files."""
    files = [core_file("signals.py"), core_file("rules.py"), core_file("candles", "resample.py")]
    assert code_version(*files) == code_version(*reversed(files))


def test_every_process_finds_the_same_version():
    """Nothing random, such as the order of a set, gets in."""
    script = "from coinhts_core.lineup import read_lineup; print(read_lineup()['sma_cross'].backtests_code)"
    versions = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(core_file()).parent)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(versions) == 1


def test_what_only_type_checkers_read_does_not_count(tmp_path):
    """An import that never runs makes no result another one."""
    (tmp_path / "_other.py").write_text("Other = 1\n")
    guarded, plain = tmp_path / "guarded.py", tmp_path / "plain.py"
    plain.write_text("from ._other import Other\n")
    guarded.write_text("if TYPE_CHECKING:\n    from ._other import Other\n")
    assert tmp_path / "_other.py" in _closure((plain,))
    assert _closure((guarded,)) == {guarded}
    assert core_file("backtests", "runs.py") not in _closure((core_file("backtests", "chain.py"),))


def test_files_are_read_again_once_they_are_forgotten(tmp_path):
    """A process that lives for weeks is told when they have changed."""
    file = tmp_path / "mine.py"
    file.write_text("x = 1")
    before = code_version(file)
    file.write_text("x = 2")
    assert code_version(file) == before
    forget()
    assert code_version(file) != before


def test_many_who_ask_at_once_wait_for_one_who_reads(tmp_path, monkeypatch):
    """A version takes a quarter of a second, and each of them would hold up the others."""
    file, read = tmp_path / "mine.py", []

    def slowly(files):
        read.append(files)
        time.sleep(0.05)
        return _closure(files)

    monkeypatch.setattr("coinhts_core.code_version._closure", slowly)
    file.write_text("x = 1")
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: code_version(file), range(8)))) == 1
    assert len(read) == 1
