"""File name = registered name: finds the one class in each module of a package or folder.

What lives here: the scan used for strategies and exchanges. What to add: nothing; a new file in a scanned
place is enough. What stays out: lists of names kept by hand.
"""

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import TypeGuard, TypeVar

from coinhts_core.errors import DiscoveryError

T = TypeVar("T")


def names_in(package: ModuleType) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_from_package(package: ModuleType, name: str, base: type[T]) -> type[T]:
    file = _file_of(package, name)
    try:
        module = import_module(f"{package.__name__}.{name}")
    except Exception as error:
        raise DiscoveryError(file=file, reason=f"{type(error).__name__}: {error}") from error
    return _only_class(module, base, file)


def load_from_file(file: Path, base: type[T]) -> type[T]:
    """A user's own file, as it is now. Its folder is a package of its own, so that two homes never meet.

    What neighbouring files share is imported as `from ._averages import mean`. A folder's package has the same name in
    every process: what numba keeps of its compiled functions names it.
    """
    folder = file.parent.resolve()
    package = ModuleType(f"coinhts_user_{sha256(bytes(folder)).hexdigest()[:16]}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    sys.modules.pop(f"{package.__name__}.{file.stem}", None)
    invalidate_caches()
    with _nothing_kept():
        return load_from_package(package, file.stem, base)


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """What Python keeps of a file is told from a newer one by size and second: one that is edited twice is stale."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _file_of(package: ModuleType, name: str) -> Path:
    """A module's file; a package holds its class in its `__init__`."""
    folder = Path(package.__path__[0])
    inner = folder / name / "__init__.py"
    return inner if inner.exists() else folder / f"{name}.py"


def _only_class(module: ModuleType, base: type[T], file: Path) -> type[T]:
    classes = {value for value in vars(module).values() if _is_own(value, module, base)}
    if len(classes) != 1:
        reason = f"it must hold exactly one {base.__name__} class and holds {len(classes)}"
        raise DiscoveryError(file=file, reason=reason)
    (found,) = classes
    if lacking := ", ".join(sorted(getattr(found, "__abstractmethods__", ()))):
        raise DiscoveryError(file=file, reason=f"its class {found.__name__} lacks {lacking}")
    return found


def _is_own(value: object, module: ModuleType, base: type[T]) -> TypeGuard[type[T]]:
    return isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
