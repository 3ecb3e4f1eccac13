"""Where all processes of a user on this machine meet to count their calls.

What lives here: the folder's name, and judging it before it is used. What stays out: what lies in it (`limiter`,
`breaker`).

Upbit counts by address, so two homes, a script and a notebook share permits and learn of each other's blocks. Hence
no home's folder, nor one that the environment names: a login and a service of the same user have other variables.
A block outlasts a restart of the machine, and so does /var/tmp; where that cannot be written, all meet in /tmp.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

from coinhts_core.errors import CallsUncountedError
from coinhts_core.hashes import digest

_PLACES = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - the folder made in it is private and judged before use


def meeting_place(base_url: str, places: Sequence[Path] = _PLACES) -> Path:
    """The folder for calls to an address; nothing is made yet."""
    place = next((place for place in places if os.access(place, os.W_OK | os.X_OK)), places[-1])
    return place / f"coinhts-upbit-{os.geteuid()}-{digest(base_url)[:16]}"


def enter(folder: Path) -> None:
    """Make it, or judge it: one's own, for nobody else, not a link to elsewhere."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not S_ISDIR(found.st_mode):
        raise CallsUncountedError(folder=folder, reason="it is no directory")
    if found.st_uid != os.geteuid():
        raise CallsUncountedError(folder=folder, reason=f"it belongs to user {found.st_uid}")
    if found.st_mode & 0o077:
        raise CallsUncountedError(folder=folder, reason="others may enter it")
