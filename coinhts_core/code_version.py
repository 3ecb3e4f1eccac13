"""What code a result stands on, as a hash.

What lives here: `code_version`, over the syntax trees of some modules and everything of coinhts_core (or beside a
user's own file) that they import, directly or not. Comments, docstrings and layout do not count, so a better comment
never makes a year of backtests stale. What stays out: versions of libraries; they are recorded beside results, not
hashed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

_CORE = Path(__file__).parent


@cache
def code_version(*files: Path) -> str:
    """The identity of these files and their static import closure, whatever order they are named in."""
    hasher = sha256()
    for file in sorted(_closure(files), key=_name):
        hasher.update(f"{_name(file)}\n{_spelled(_tree(file))}\n".encode())
    return hasher.hexdigest()


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


def _imported_by(file: Path) -> Iterator[Path]:
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name, file)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from _files_of(node.module, file)
            for alias in node.names:
                yield from _files_of(f"{node.module}.{alias.name}", file)


def _files_of(module: str, importer: Path) -> Iterator[Path]:
    """A module's file, and the packages above it, whose `__init__` runs first."""
    parts = module.split(".")
    if parts[0] == _CORE.name:
        for depth in range(2, len(parts) + 1):
            yield from _existing(_CORE.joinpath(*parts[1:depth]))
    elif _CORE not in importer.parents:
        yield from _existing(importer.parent.joinpath(*parts))


def _existing(path: Path) -> Iterator[Path]:
    return (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())


def _name(file: Path) -> str:
    """Not the full path: the same code on another machine is the same code."""
    return file.relative_to(_CORE.parent).as_posix() if _CORE in file.parents else file.name


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


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
