"""File name = registered name: finds the one class in each module of a package or folder.

What lives here: the scan used for strategies and exchanges. What to add: nothing; a new file in a scanned place is
enough. What stays out: lists of names kept by hand.
"""

import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from coinhts_core.errors import DiscoveryError

T = TypeVar("T")


def names_in(package: ModuleType) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_from_package(package: ModuleType, name: str, base: type[T]) -> type[T]:
    file = f"{package.__name__.replace('.', '/')}/{name}.py"
    try:
        module = import_module(f"{package.__name__}.{name}")
    except Exception as error:
        raise DiscoveryError(file=file, reason=_in_words(error)) from error
    return _only_class(module, base, file)


def load_from_file(file: Path, base: type[T]) -> type[T]:
    """A user's own file; its module name carries the folder, so two homes never meet in sys.modules."""
    name = f"coinhts_user.{abs(hash(file.parent.resolve()))}.{file.stem}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DiscoveryError(file=file, reason="it is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DiscoveryError(file=file, reason=_in_words(error)) from error
    return _only_class(module, base, str(file))


def _only_class(module: ModuleType, base: type[T], file: str) -> type[T]:
    classes = list(_classes_of(module, base))
    if len(classes) != 1:
        raise DiscoveryError(file=file, reason=f"it must hold exactly one {base.__name__} class and holds {len(classes)}")
    return classes[0]


def _classes_of(module: ModuleType, base: type[T]) -> Iterator[type[T]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__:
            yield value


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
