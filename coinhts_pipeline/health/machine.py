"""The machine and what is installed on it, before anything of ours is looked at.

What lives here: Python, packages, memory, open files, the temporary folder, the cache of compiled code. What stays out:
whatever needs settings, and our own rooms, which may not even load here.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit

import psutil

from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed

_LEAST_FREE_MIB = 512
_LEAST_OPEN_FILES = 1024
_CGROUP = Path("/sys/fs/cgroup")
_CACHE = "set NUMBA_CACHE_DIR to a directory you may write to"
_INSTALL = "install the locked packages again (`make demo`, or pip with requirements.lock)"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?\s*(?P<bounds>[^;]*)(?P<extra>;.*extra.*)?")
_BOUND = re.compile(r"(==|>=|<)\s*([\d.]+)")


def findings() -> Iterator[Finding]:
    yield diagnosed("python", lambda: sys.version.split()[0], "install Python 3.11 or newer")
    yield diagnosed("packages", _packages, _INSTALL)
    yield diagnosed("memory", _memory, "close other programs")
    yield diagnosed("open files", _open_files, "allow more with `ulimit -n`")
    yield diagnosed("temporary folder", _temporary_folder, "set TMPDIR to a directory you may write to")
    yield diagnosed("compiled code", _compiled_code, _CACHE)


def _packages() -> str | Trouble:
    try:
        wanted = [found for text in requires("coinhts") or [] if (found := _REQUIREMENT.match(text))]
    except PackageNotFoundError:
        return Trouble("coinhts runs without having been installed, so nobody can tell which packages fit", _INSTALL)
    needed = [(of["name"], of["bounds"]) for of in wanted if not of["extra"]]
    if wrong := [words for name, bounds in needed if (words := _misfit(name, bounds))]:
        return Trouble(", ".join(wrong), _INSTALL, State.FAILED)
    return f"{len(needed)} as they are wanted, dagster {version('dagster')}"


def _misfit(name: str, bounds: str) -> str:
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    fits = all(_fits(_numbers(found), sign, _numbers(bound)) for sign, bound in _BOUND.findall(bounds))
    return "" if fits else f"{name} is {found} and must be {bounds.strip()}"


def _fits(found: tuple[int, ...], sign: str, bound: tuple[int, ...]) -> bool:
    return {"==": found == bound, ">=": found >= bound, "<": found < bound}[sign]


def _numbers(text: str) -> tuple[int, ...]:
    """The released part of a version, without noughts at its end: 2.0 is 2."""
    released = re.match(r"[\d.]*", text)
    parts = [int(part) for part in (released[0] if released else "").split(".") if part]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _memory() -> str | Trouble:
    free = min(psutil.virtual_memory().available, _free_in_container()) / 2**20
    words = f"{free:,.0f} MiB free"
    if free < _LEAST_FREE_MIB:
        return Trouble(words, f"close other programs, or give the machine more: runs want {_LEAST_FREE_MIB} MiB")
    return words


def _free_in_container() -> float:
    """What its control group leaves, pages the kernel can drop counted as free; no limit where there is none."""
    with suppress(OSError, ValueError, KeyError):
        counted = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        return limit - used + int(counted["inactive_file"])
    return float("inf")


def _open_files() -> str | Trouble:
    allowed, _ = getrlimit(RLIMIT_NOFILE)
    if 0 <= allowed < _LEAST_OPEN_FILES:
        return Trouble(f"only {allowed} may be open at once", f"allow more with `ulimit -n {_LEAST_OPEN_FILES * 4}`")
    return f"{allowed:,} may be open at once"


def _temporary_folder() -> str | Trouble:
    named = os.environ.get("TMPDIR")
    try:
        folder = named or tempfile.gettempdir()
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"can be written")
    except OSError as error:
        what = f"nothing can be written to {named or 'any temporary directory'} ({error.strerror})"
        return Trouble(what, "set TMPDIR to a directory you may write to, or mend it", State.FAILED)
    return folder


def _compiled_code() -> str | Trouble:
    """Numba compiles our loops; where what came of it cannot be kept, every process does it anew."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    package = Path(__file__).parents[1] / "coinhts_core" / "__pycache__"
    place = next((place for place in (Path(named) if named else package, package, _of_user()) if _takes(place)), None)
    if place is None:
        return Trouble(f"there is no place for it: {package} cannot be written, so every process compiles anew", _CACHE)
    if named and place != Path(named):
        return Trouble(f"nothing can be written to {named}, so it is kept in {place}", _CACHE)
    return f"kept in {place}"


def _takes(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return True
    return False


def _of_user() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "numba"
