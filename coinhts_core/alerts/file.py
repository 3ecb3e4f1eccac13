"""The file that takes every alert, a line of JSON each, whatever else is down.

What lives here: appending to it. What stays out: reading it; it is there for people and their tools.
"""

import os
from pathlib import Path
from typing import ClassVar

from coinhts_core.alerts.alert import Letter
from coinhts_core.errors import SinkUnavailableError
from coinhts_core.hashes import canonical


class FileSink:
    """A file only its owner may read."""

    name: ClassVar[str] = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, letter: Letter) -> None:
        line = canonical({**vars(letter), "raised_at": letter.raised_at.isoformat()})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
                file.write(f"{line}\n".encode())
                os.fsync(descriptor)
        except OSError as error:
            raise SinkUnavailableError(sink=self.name, reason=error.strerror or str(error)) from error
