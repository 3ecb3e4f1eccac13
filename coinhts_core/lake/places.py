"""Which store an address names.

What lives here: `open_store`. What to add: another kind of place, by how its addresses begin.
"""

from pathlib import Path

from coinhts_core.errors import BadSettingError
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
