"""The house rules no other tool holds: sizes, names, mirrors, papers. Each failure says what to do.

What to add: a rule as one test with its remedy. What stays out: what ruff, mypy or import-linter already say; here
only that nobody switches them off.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"coinhts_core": "tests/core", "coinhts_pipeline": "tests/pipeline"}
PLACES = (*ROOMS, "tests", "dagster_home", "docker", ".ci", ".github")
PAPERS = ("README.md", "README.ko.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "OPERATIONS.md", "CHANGELOG.md")

DISCOVERED = ("coinhts_core/strategies/", "coinhts_core/exchanges/", "coinhts_pipeline/defs/")
# A venue or strategy that is a package is one class behind its `__init__`.
DOORS = (
    "coinhts_core/strategies/",
    "coinhts_core/exchanges/",
    "coinhts_core/lake/__init__.py",
    "coinhts_core/backtests/__init__.py",
)
LONGEST = 400
MEANINGLESS = {"common", "handler", "handlers", "helper", "helpers", "manager", "misc", "service", "util", "utils"}
OPAQUE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
CLOCKS = {("datetime", "now"), ("datetime", "today"), ("date", "today"), ("time", "time"), ("Timestamp", "now")}
RUNS_SQL = {"execute", "executemany", "copy", "stream"}
LEAVES_OUT = {"skip", "skipif", "xfail", "importorskip"}
MAY_LEAVE_OUT = "tests/ui/conftest.py"

# exec, pickle, eval, SQL from pieces, naive times, print, notes to self, unexplained exceptions
LAWS = ("S102", "S301", "S302", "S307", "S608", "DTZ", "T20", "FIX", "TD", "PGH")


def test_files_are_short():
    """A file that needs scrolling for minutes holds more than one story."""
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in _files(".py", ".sql")}
    long = [f"{_shown(file)}: {length} lines" for file, length in lengths.items() if length > LONGEST]
    _nobody(long, f"split it by noun, to at most {LONGEST} lines")


def test_names_mean_something():
    """Whatever could hold anything soon holds everything."""
    empty = [_shown(file) for file in _code() if MEANINGLESS & {file.stem, file.parent.name}]
    _nobody(empty, "name the file after the noun of the domain it is about")


def test_packages_are_doors_or_a_sentence():
    """Importing a package runs its `__init__`; only the doors do more than say what the package is."""
    full = [
        _shown(file)
        for file in _code()
        if file.name == "__init__.py" and len(_tree(file).body) != 1 and not _shown(file).startswith(DOORS)
    ]
    _nobody(full, "move the code to a file with a noun for a name, and leave the docstring")


def test_every_module_has_its_test():
    """Who knows a module knows where its test is."""
    bare = [
        f"{_shown(file)}: no {_shown(_test_of(file))}"
        for file in _code()
        if file.name != "__init__.py" and not _shown(file).startswith(DISCOVERED) and not _test_of(file).exists()
    ]
    _nobody(bare, "write the test the message names")


def test_every_test_has_its_module():
    """A test that mirrors nothing is left over from a module that moved."""
    known = {_test_of(file) for file in _code()}
    orphans = [
        _shown(file)
        for mirror in ROOMS.values()
        for file in sorted((ROOT / mirror).rglob("test_*.py"))
        if file not in known
    ]
    _nobody(orphans, "move it to where its module is: tests/core/lake/test_store.py, coinhts_core/lake/store.py")


def test_every_test_says_what_is_true():
    """The sentence tells a reader what the house promises."""
    silent = [
        f"{_shown(file)}: {node.name}"
        for file in _tests()
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").endswith(".")
    ]
    _nobody(silent, "give it a docstring of one sentence, with its full stop")


def test_no_test_is_left_out():
    """Only looking at the UI may be left out, where no browser is installed, and `make test` says so."""
    left_out = _found(
        (file for file in _tests() if _shown(file) != MAY_LEAVE_OUT),
        lambda node: isinstance(node, ast.Attribute) and node.attr in LEAVES_OUT,
    )
    _nobody(left_out, "make the test pass everywhere, or remove it with what it tests")


def test_nothing_opaque_is_imported():
    """What is stored stays readable by others, and reading it runs no code."""
    opaque = _found(_code(), lambda node: bool(OPAQUE & set(_imported(node))))
    _nobody(opaque, "store frames with coinhts_core.lake, facts as JSON")


def test_only_the_clock_knows_the_time():
    """A room that is handed the time can be tested, and rehearsed, at any moment."""
    files = (file for file in _code() if _shown(file) != "coinhts_core/clock.py")
    watches = _found(files, lambda node: isinstance(node, ast.Attribute) and _ends(node) in CLOCKS)
    _nobody(watches, "take the moment as an argument; at an entry point, ask coinhts_core.clock.now")


def test_statements_are_never_composed():
    """A statement made of pieces is one quotation mark away from being somebody else's."""
    composed = _found(_code(), _runs_composed_sql)
    _nobody(composed, "write it to coinhts_core/ledger/queries and pass values as parameters")


def test_the_linters_laws_have_no_exceptions():
    """What is forbidden everywhere is not allowed by a comment or a setting."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    everywhere = [*settings["ignore"], *chain.from_iterable(settings["per-file-ignores"].values())]
    switched_off = [f"pyproject.toml: {code}" for code in everywhere if code.startswith(LAWS)]
    silenced = [
        f"{where}: {codes}"
        for where, codes, _ in _noqa(_code())
        if any(code.startswith(LAWS) for code in codes.split(","))
    ]
    assert settings["select"] == ["ALL"], "ruff checks everything that is not ignored by name"
    _nobody(switched_off + silenced, "mend the code instead")


def test_every_exception_has_a_reason():
    """The next reader must be able to tell whether it still holds."""
    bare = [f"{where}: {codes}" for where, codes, reason in _noqa((*_code(), *_tests())) if not reason]
    _nobody(bare, "write why behind it: `# noqa: S603 - our own program`")


def test_no_paper_names_a_path_that_is_gone():
    """A reader who follows a path arrives."""
    lost = [
        f"{_shown(paper)}: {path}"
        for paper in map(ROOT.joinpath, PAPERS)
        for path in _paths_in(paper.read_text(encoding="utf-8") if paper.exists() else "")
        if not (ROOT / path).exists()
    ]
    _nobody(lost, "correct the path, or take the sentence out")


def test_no_file_knows_the_machine_it_was_written_on():
    """The house runs in any directory, for any user."""
    homes = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")
    at_home = [
        f"{_shown(file)}:{number}: {found[0]}"
        for file in _files("")
        if file != Path(__file__)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := homes.search(line))
    ]
    _nobody(at_home, "name it relative to the repository, COINHTS_HOME or a temporary directory")


def _nobody(breaks_it: list[str], remedy: str) -> None:
    if breaks_it:
        pytest.fail("\n  ".join([f"{remedy}:", *breaks_it]), pytrace=False)


def _files(*endings: str) -> list[Path]:
    below = (file for place in PLACES for file in (ROOT / place).rglob("*"))
    listed = [*ROOT.glob("[!.]*.*"), ROOT / "Makefile", *below]
    return sorted(
        file for file in listed if file.is_file() and file.name.endswith(endings) and "__pycache__" not in file.parts
    )


def _code() -> list[Path]:
    return [file for file in _files(".py") if _shown(file).startswith(tuple(ROOMS))]


def _tests() -> list[Path]:
    return [file for file in _files(".py") if _shown(file).startswith("tests/")]


def _shown(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _test_of(module: Path) -> Path:
    package, *inner = module.relative_to(ROOT).with_suffix("").parts
    return ROOT.joinpath(ROOMS[package], *inner[:-1], f"test_{inner[-1]}.py")


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _found(files: Iterable[Path], is_wanted: Callable[[ast.AST], bool]) -> list[str]:
    nodes = ((file, node) for file in files for node in ast.walk(_tree(file)) if is_wanted(node))
    return [f"{_shown(file)}:{getattr(node, 'lineno', 0)}" for file, node in nodes]


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0]


def _ends(node: ast.Attribute) -> tuple[str, str]:
    owner = node.value
    return getattr(owner, "attr", getattr(owner, "id", "")), node.attr


def _runs_composed_sql(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute)):
        return False
    pieces = [getattr(piece, "attr", type(piece).__name__) for piece in ast.walk(node.args[0])]
    return node.func.attr in RUNS_SQL and bool({"JoinedStr", "BinOp", "format", "join"} & set(pieces))


def _noqa(files: Iterable[Path]) -> Iterator[tuple[str, str, str]]:
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if found := re.search(r"# noqa: ([A-Z]+\d+(?:, ?[A-Z]+\d+)*)(.*)", line):
                yield f"{_shown(file)}:{number}", found[1].replace(" ", ""), found[2].strip(" -#")


def _paths_in(paper: str) -> Iterator[str]:
    """Links to neighbours, and what stands in backticks and begins like a place of ours; not `<name>` and `…`."""
    yield from re.findall(r"\]\(([^)#:]+)\)", paper)
    for word in re.findall(r"`([^`\s]+)`", paper):
        path = re.split(r"[<*…{:]", word)[0]
        if path.startswith(tuple(f"{place}/" for place in PLACES)) or word.endswith(".md"):
            yield path if path == word else path.rpartition("/")[0]
