"""The lake in a directory.

What lives here: `DirectoryStore`. What stays out: the promises it keeps (`store`).

Links inside the root may point anywhere; none is followed out of it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from coinhts_core.errors import HomeUnusableError
from coinhts_core.lake.store import UNFINISHED, Listed


class DirectoryStore:
    """A directory. obstore reads and lists; creating is ours, for obstore does not promise fsync."""

    def __init__(self, root: Path) -> None:
        with _in_words(root):
            root.mkdir(parents=True, exist_ok=True)
            self._root = root.resolve(strict=True)
            self._files = LocalStore(self._root)

    def full_name(self, path: str) -> str:
        return str(self._root / path)

    def create(self, path: str, content: bytes) -> bool:
        with _in_words(self._root):
            target = self._inside(path)
            _make_folder(target.parent)
            unfinished = target.with_name(f"{token_hex(8)}{UNFINISHED}")
            try:
                _write_durably(unfinished, content)
                os.link(unfinished, target)
            except FileExistsError:
                return False
            finally:
                unfinished.unlink(missing_ok=True)
            _sync_folder(target.parent)
        return True

    def get(self, path: str) -> memoryview | None:
        with _in_words(self._root):
            self._inside(path)
            try:
                return memoryview(self._files.get(path).bytes())
            except FileNotFoundError:
                return None

    def listed(self, prefix: str | None = None) -> Iterator[Listed]:
        with _in_words(self._root):
            for batch in self._files.list(prefix, chunk_size=1_000):
                for found in batch:
                    yield Listed(found["path"], found["size"], found["last_modified"], str(found["e_tag"]))

    def remove(self, path: str) -> None:
        with _in_words(self._root):
            self._inside(path).unlink(missing_ok=True)

    def remove_unfinished(self, before: datetime) -> list[Listed]:
        left = [found for found in self.listed() if found.path.endswith(UNFINISHED) and found.modified_at < before]
        for found in left:
            self.remove(found.path)
        return left

    def _inside(self, path: str) -> Path:
        target = self._root / path
        if not os.path.realpath(target).startswith(f"{self._root}{os.sep}"):
            raise HomeUnusableError(home=self._root, reason=f"{path} leads out of it")
        return target


@contextmanager
def _in_words(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HomeUnusableError(home=root, reason=error.strerror or str(error)) from error
    except BaseError as error:
        raise HomeUnusableError(home=root, reason=str(error).partition("\n")[0]) from error


def _write_durably(file: Path, content: bytes) -> None:
    with file.open("xb") as unfinished:
        unfinished.write(content)
        unfinished.flush()
        os.fsync(unfinished.fileno())


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
