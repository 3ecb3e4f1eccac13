"""Where backups lie: a store like the lake's, whose failures name what leads to it.

What lives here: `open_place`, and the words. What stays out: what lies there (`shelf`), how bytes are kept (`lake`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from coinhts_core.errors import BadSettingError, HomeUnusableError, LakeUnusableError, RefusedError, RetryableError
from coinhts_core.lake.places import open_store
from coinhts_core.lake.store import Listed, Store
from coinhts_core.settings import PREFIX, Settings

_SETTING = f"{PREFIX}BACKUPS"


class Place:
    """A store that speaks of backups where the lake's would speak of the lake."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def full_name(self, path: str) -> str:
        return self._store.full_name(path)

    def create(self, path: str, content: bytes) -> bool:
        with self._in_words():
            return self._store.create(path, content)

    def get(self, path: str) -> memoryview | None:
        with self._in_words():
            return self._store.get(path)

    def listed(self, prefix: str | None = None) -> Iterator[Listed]:
        with self._in_words():
            yield from self._store.listed(prefix)

    def remove(self, path: str) -> None:
        with self._in_words():
            self._store.remove(path)

    def remove_unfinished(self, before: datetime) -> list[Listed]:
        with self._in_words():
            return self._store.remove_unfinished(before)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        with _in_words(self._store.full_name("")):
            yield


def open_place(settings: Settings) -> Place:
    url = settings.backups_url
    try:
        with _in_words(url if "://" not in url else "s3://…"):  # an address may carry keys
            return Place(open_store(url, settings.s3))
    except BadSettingError as error:
        reason = "backups lie in a directory or in s3://bucket/prefix"
        raise BadSettingError(name=_SETTING, value=error.value, reason=reason) from None


@contextmanager
def _in_words(place: str) -> Iterator[None]:
    try:
        yield
    except (LakeUnusableError, HomeUnusableError) as error:
        reason = f"backups cannot be kept in {place.rstrip('/')} ({error.reason}); check {_SETTING}"
        raise RefusedError(reason=reason) from None
    except RetryableError as error:
        raise RetryableError(what=f"the place of backups, {error.what},") from None
