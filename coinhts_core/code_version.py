"""What code a result stands on, as a hash.

What lives here: `code_version`, over the syntax trees of some modules and everything of coinhts_core (or
beside a user's own file) that they import, directly or not. Comments, docstrings and layout do not count, so
a better comment never makes a year of backtests stale. What stays out: versions of libraries; they are
recorded beside results, not hashed.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import RLock

_CORE = Path(__file__).parent
_one_at_a_time = RLock()  # many who ask at once wait for one who reads


def code_version(*files: Path) -> str:
    """The identity of these files and their static import closure, whatever order they are named in."""
    with _one_at_a_time:
        return _version(*files)


@cache
def _version(*files: Path) -> str:
    return sha256("".join(sorted(map(_words, _closure(files)))).encode()).hexdigest()


def forget() -> None:
    """Files may have changed since: they are read again when they are next asked for."""
    with _one_at_a_time:
        for read in (_version, _words, _imported_by, _tree):
            read.cache_clear()


def core_file(*parts: str) -> Path:
    return _CORE.joinpath(*parts)


def _closure(files: tuple[Path, ...]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported_by(file))
    return found


@cache
def _words(file: Path) -> str:
    return f"{_name(file)}\n{_spelled(_tree(file))}\n"


@cache
def _imported_by(file: Path) -> frozenset[Path]:
    return frozenset(_found_in(file))


def _found_in(file: Path) -> Iterator[Path]:
    for node in _that_run(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _core_files(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            package = node.module.split(".") if node.module else []
            for alias in node.names:
                module = [*package, alias.name]
                yield from _files(file.parents[node.level - 1], module) if node.level else _core_files(module)


def _that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements but what only type checkers read; no expression imports anything."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.expr) or _is_for_type_checkers(node)):
            yield node
            yield from _that_run(node)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _core_files(module: Sequence[str]) -> Iterator[Path]:
    return _files(_CORE, module[1:]) if module[0] == _CORE.name else iter(())


def _files(folder: Path, module: Sequence[str]) -> Iterator[Path]:
    """A module's file, and the packages above it, whose `__init__` runs first."""
    for depth in range(1, len(module) + 1):
        path = folder.joinpath(*module[:depth])
        yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file())


def _name(file: Path) -> str:
    """Not the full path: the same code on another machine is the same code."""
    return file.relative_to(_CORE.parent).as_posix() if _CORE in file.parents else file.name


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _spelled(node: object) -> str:
    """A tree without positions, docstrings and empty fields: `ast.dump` differs between Python versions."""
    if isinstance(node, ast.AST):
        fields = ((name, _without_docstring(node, name, value)) for name, value in ast.iter_fields(node))
        inside = ",".join(f"{name}={_spelled(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):
        return f"[{','.join(_spelled(item) for item in node)}]"
    return repr(node)


def _without_docstring(node: ast.AST, name: str, value: object) -> object:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if name == "body" and isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return node.body[1:]
    return value
