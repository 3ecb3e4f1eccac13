"""The lake in a directory.

What lives here: `DirectoryStore`. What stays out: the promises it keeps (`store`).

Links inside the root may point anywhere; none is followed out of it, and what is linked is not listed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from coinhts_core.errors import HomeUnusableError
from coinhts_core.lake.store import UNFINISHED, Listed


class DirectoryStore:
    """A directory."""

    def __init__(self, root: Path) -> None:
        with _in_words(root):
            root.mkdir(parents=True, exist_ok=True)
            self._root = root.resolve(strict=True)

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
            try:
                return memoryview(self._inside(path).read_bytes())
            except FileNotFoundError:
                return None

    def listed(self, prefix: str | None = None) -> Iterator[Listed]:
        with _in_words(self._root):
            yield from _below(self._inside(prefix), f"{prefix}/") if prefix else _below(self._root, "")

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


def _below(folder: str | Path, path: str) -> Iterator[Listed]:
    """Every file; a name that goes meanwhile is told of or not."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, f"{path}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                stat = entry.stat(follow_symlinks=False)
                version = f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"
                yield Listed(f"{path}{entry.name}", stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC), version)


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
