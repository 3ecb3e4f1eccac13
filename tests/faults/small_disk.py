"""A disk that fills: one of its own where file systems can be mounted, and files that may not grow anywhere.

What lives here: both, and room made on them. What stays out: what fills them.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

MIB = 1024 * 1024


class Disk:
    """A folder with little room, most of which somebody else's file takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._others = folder / "somebody-elses"

    def leave(self, room: int) -> None:
        """Let so many bytes be left."""
        with self._others.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, disk_usage(self.folder).free - room))

    def make_room(self) -> None:
        self._others.unlink()


def can_mount() -> bool:
    """Whether this account may: root may, outside of most containers."""
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
    )


@contextmanager
def mounted(folder: Path, size: int, account: int = 0) -> Iterator[Disk]:
    """A file system in memory, which its owner alone may enter."""
    options = f"size={size},mode=0700,uid={account}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """No file of this process grows longer; what is longer already may be read."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
