"""Which store an address names.

What lives here: `open_store`, and `open_other` for one that no setting names. What to add: another kind of place, by
how its addresses begin.
"""

from pathlib import Path

from coinhts_core.errors import BadSettingError, RefusedError
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.store import Store
from coinhts_core.settings import S3


def open_store(url: str, s3: S3) -> Store:
    if url.startswith("s3://"):
        from coinhts_core.lake.s3 import S3Store  # noqa: PLC0415 - boto3's import is slow; a directory need not wait

        return S3Store(url, s3)
    if "://" in url:
        reason = "the lake is a directory or s3://bucket/prefix"
        raise BadSettingError(name="COINHTS_LAKE", value=f"{url.partition('://')[0]}://…", reason=reason)
    return DirectoryStore(Path(url))


def open_other(address: str, s3: S3) -> Store:
    """A place that somebody names to look at it, so it must be there already."""
    if "://" not in address and not Path(address).is_dir():
        raise RefusedError(reason=f"{address} is not a directory")
    try:
        return open_store(address, s3)
    except BadSettingError as error:
        raise RefusedError(reason=f"that is no lake; {error.reason}") from None  # the address may carry keys
