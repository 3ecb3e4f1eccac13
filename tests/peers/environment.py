"""Where peers live: an environment of its own for each set of pinned requirements, made once.

What lives here: `python_with`. What stays out: which peers there are, and what they are asked.
"""

import fcntl
import platform
import subprocess
import venv
from pathlib import Path

PATIENCE_S = 900


class NoPeerError(Exception):
    """A peer that cannot be installed, and why."""


def python_with(folder: Path, *requirements: str) -> Path:
    """The Python of an environment that has these; it takes a minute to make, and processes wait for one another."""
    place = folder / f"{'+'.join(requirements)}-python-{platform.python_version()}"
    python, is_whole = place / "bin" / "python", place / "is_whole"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (is_whole.exists() and python.exists()):
            venv.create(place, clear=True, with_pip=True)
            _install(python, requirements)
            is_whole.touch()
    return python


def _install(python: Path, requirements: tuple[str, ...]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    pip = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if pip.returncode:
        said = (pip.stderr.strip().splitlines() or ["nothing"])[-1]
        named = " and ".join(requirements)
        sentence = f"{named} cannot be installed, and without it nothing is compared; is the package index there?"
        msg = f"{sentence} pip says: {said}"
        raise NoPeerError(msg)
