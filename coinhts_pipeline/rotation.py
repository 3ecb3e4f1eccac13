"""Logs that never fill a disk: each file has a size, and so many before it are kept.

What lives here: `rotate`. What stays out: what is logged, and by whom. A process appends to one open file for as long
as it lives, so its content is carried away and the file emptied under it; a line written in that instant may be lost.
"""

from pathlib import Path
from shutil import copyfile

MOST_BYTES = 10_000_000
KEPT = 5


def rotate(log: Path, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> bool:
    """True when the file had grown too long: it is `log.1` now, `log.1` is `log.2`, and the oldest is gone.

    Without room on the disk nothing is moved, for each attempt would drop another one of the older.
    """
    if not log.exists() or log.stat().st_size < most_bytes:
        return False
    carried = log.with_name(f".{log.name}")
    try:
        copyfile(log, carried)
    except OSError:
        carried.unlink(missing_ok=True)
        raise
    for age in range(kept - 1, 0, -1):
        younger = _aged(log, age)
        if younger.exists():
            younger.replace(_aged(log, age + 1))
    carried.replace(_aged(log, 1))
    with log.open("r+b") as emptied:
        emptied.truncate()
    return True


def _aged(log: Path, age: int) -> Path:
    return log.with_name(f"{log.name}.{age}")
