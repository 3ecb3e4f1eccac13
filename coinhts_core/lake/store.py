"""Named bytes that are created once, read, listed and removed; in a directory, and nowhere else yet.

What lives here: `DirectoryStore`, and `open_store`, which chooses by URL. What to add: another kind of
place, with the same methods and promises. What stays out: what the bytes mean (`commits`, `parquet`).

The promises: `create` makes the whole content durable before its name appears, never replaces a name and
leaves no half of anything; nothing outside the root is touched, wherever a link inside it may point.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from coinhts_core.errors import BadSettingError, HomeUnusableError

_UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing tells of a name; `version` differs once other bytes were given the name."""

    path: str
    size: int
    modified_at: datetime
    version: str


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
        """Say whether the name is now ours; when it was taken, nothing changed."""
        with _in_words(self._root):
            target = self._inside(path)
            _make_folder(target.parent)
            unfinished = target.with_name(f"{token_hex(8)}{_UNFINISHED}")
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
        """Give the bytes without a copy, or None where there is no such name."""
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
        """Remove what killed writers left of contents that never got their name."""
        left = [found for found in self.listed() if found.path.endswith(_UNFINISHED) and found.modified_at < before]
        for found in left:
            self.remove(found.path)
        return left

    def _inside(self, path: str) -> Path:
        target = self._root / path
        if not target.resolve().is_relative_to(self._root):
            raise HomeUnusableError(home=self._root, reason=f"{path} leads out of it")
        return target


def open_store(url: str) -> DirectoryStore:
    if "://" in url:
        raise BadSettingError(name="COINHTS_LAKE", value=url, reason="only a directory can hold the lake yet")
    return DirectoryStore(Path(url))


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
