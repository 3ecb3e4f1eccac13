"""The lake in a bucket, of Amazon's or of another store that speaks S3.

What lives here: `S3Store`, and `Patience`, how often and how long it tries. What stays out: the promises it keeps
(`store`), and reading what the exceptions of a bucket mean (`bucket_errors`).

A put whose answer was lost may have landed, and may have landed damaged: some stores check no checksum. So every put
carries a mark of its own, and whoever put reads back: what bears our mark is ours, also when a retry is told that the
name is taken; what differs from what we sent is removed and sent again. obstore's own retries are switched off: they
know neither of these, nor of bodies cut short.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import uniform
from secrets import token_hex
from time import sleep
from typing import TypeVar

from boto3 import Session
from botocore.exceptions import BotoCoreError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Bucket

from coinhts_core.errors import BadSettingError, LakeUnusableError, RetryableError
from coinhts_core.lake.bucket_errors import is_missing_name, is_passing, reason_of
from coinhts_core.lake.store import Listed
from coinhts_core.settings import S3

_NAME = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._=-]{1,255}"
_PATH = re.compile(rf"{_NAME}(?:/{_NAME}){{0,20}}", re.ASCII)
_URL = re.compile(rf"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])(?:/(?P<prefix>{_PATH.pattern}))?/?", re.ASCII)
_PAGE = 1_000
_MARK = "coinhts-put"
_log = logging.getLogger("coinhts.lake")

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often a bucket is asked, how long each time, and with which waits between; seconds."""

    attempts: int = 10
    first_wait: float = 0.1
    longest_wait: float = 5.0
    longest_answer: float = 20.0

    def waits(self) -> Iterator[float]:
        """Twice as long each time, and never quite the same for two who were refused at once."""
        for attempt in range(1, self.attempts):
            yield min(self.first_wait * 2 ** (attempt - 1), self.longest_wait) * uniform(0.5, 1)  # noqa: S311 - no secret


_PATIENCE = Patience()


class _UnsettledError(Exception):
    """A name that, after a put of ours, holds neither what we sent nor what others did."""


class S3Store:
    """What lies below a prefix of a bucket."""

    def __init__(self, url: str, s3: S3, patience: Patience = _PATIENCE) -> None:
        found = _URL.fullmatch(url)
        if not found:
            reason = "write it like s3://bucket/prefix"
            raise BadSettingError(name="COINHTS_LAKE", value="s3://…", reason=reason)  # it may carry keys
        self._place = url.rstrip("/")
        self._patience = patience
        self._bucket = Bucket(
            found["bucket"],
            prefix=found["prefix"],
            config={"endpoint": s3.endpoint} if s3.endpoint else {},
            credential_provider=self._keys(s3),
            client_options={
                "allow_http": (s3.endpoint or "").startswith("http://"),
                "timeout": timedelta(seconds=patience.longest_answer),
            },
            retry_config={"max_retries": 0},
            # one name a request: not every store that speaks S3 knows how to delete several
            disable_bulk_delete=True,
        )

    def full_name(self, path: str) -> str:
        return f"{self._place}/{path}".rstrip("/")

    def create(self, path: str, content: bytes) -> bool:
        return self._patiently(partial(self._settled, self._inside(path), memoryview(content), token_hex(16)))

    def get(self, path: str) -> memoryview | None:
        content, _ = self._patiently(partial(_read, self._bucket, self._inside(path)))
        return content

    def listed(self, prefix: str | None = None) -> Iterator[Listed]:
        """Ask by pages: a listing that fails goes on where it was."""
        below, last = None if prefix is None else self._inside(prefix), None
        while page := self._patiently(partial(self._page, below, last)):
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].path

    def remove(self, path: str) -> None:
        self._patiently(partial(self._bucket.delete, self._inside(path)))

    def remove_unfinished(self, before: datetime) -> list[Listed]:  # noqa: ARG002 - the promise's signature
        """Nothing to do: a put of one part is whole or is not."""
        return []

    def _settled(self, path: str, content: memoryview, mark: str) -> bool:
        self._patiently(partial(_put, self._bucket, path, content, mark))
        there, owner = self._patiently(partial(_read, self._bucket, path))
        if owner == mark and there != content:  # or the look was damaged: look again
            there, owner = self._patiently(partial(_read, self._bucket, path))
        if there is None:
            raise _UnsettledError
        if owner == mark and there != content:
            _log.warning("what arrived is not what was sent; it is sent again", extra={"facts": {"path": path}})
            self.remove(path)
            raise _UnsettledError
        return owner == mark

    def _page(self, prefix: str | None, after: str | None) -> list[Listed]:
        found = next(iter(self._bucket.list(prefix, offset=after, chunk_size=_PAGE)), ())
        return [Listed(one["path"], one["size"], one["last_modified"], str(one["e_tag"])) for one in found]

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """Exceptions end here, unchained: their texts hold the address, with whatever secret it carries."""
        waits = self._patience.waits()
        while True:
            try:
                return attempt()
            except (BaseError, OSError, _UnsettledError) as error:
                if not is_passing(error):
                    raise LakeUnusableError(place=self._place, reason=reason_of(error)) from None
                wait = next(waits, None)
                if wait is None:
                    raise RetryableError(what=f"the lake {self._place} ({reason_of(error)})") from None
                _log.warning("asked again", extra={"facts": {"place": self._place, "reason": reason_of(error)}})
            sleep(wait)

    def _keys(self, s3: S3) -> Boto3CredentialProvider:
        try:
            return Boto3CredentialProvider(Session(region_name=s3.region))
        except (BotoCoreError, ValueError):
            raise LakeUnusableError(place=self._place, reason="there are no AWS keys, or half of them") from None

    def _inside(self, path: str) -> str:
        if not _PATH.fullmatch(path):
            raise LakeUnusableError(place=self._place, reason=f"{path} leads out of it")
        return path


def _put(bucket: Bucket, path: str, content: memoryview, mark: str) -> None:
    with suppress(AlreadyExistsError):  # by others; or by us, earlier; or by a put of others that came to nothing
        bucket.put(path, content, mode="create", attributes={_MARK: mark})


def _read(bucket: Bucket, path: str) -> tuple[memoryview | None, object]:
    """Give the bytes of a name and the mark of who put it."""
    try:
        answer = bucket.get(path)
        return memoryview(answer.bytes()), answer.attributes.get(_MARK)
    except FileNotFoundError as error:
        if is_missing_name(error):
            return None, None
        raise
