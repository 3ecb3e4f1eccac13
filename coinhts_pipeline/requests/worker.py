"""A process that answers requests, one at a time, each in a child of its own: `python -m …requests.worker`.

What lives here: the limits of a child, and its life and death. What to add: a limit. What stays out: what is computed
(`coinhts_core.requests.answer`), and who decides what becomes of a request (`requests.run`).

Most of what a child needs is imported before it is forked, so that it begins at once; but nothing that begins threads,
which do not live on in a child. Whatever it does, it dies alone: memory, processor and time are bounded, it starts no
processes, what it prints goes nowhere, and its parent ends it when it is told to, or when whoever asked is gone. Lines
of JSON come in and go out:

    {"do": "answer", "id", "asked", "seconds", "memory_mb"} · {"do": "stop"}
    {"told": [progress, step]} · {"end": "completed" | "failed" | "again", "reason", "figures"}
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from select import select
from typing import Any, NoReturn

from coinhts_core.masking import mask_process
from coinhts_core.settings import Settings, read_settings

_BEFORE_FORKS = (
    "coinhts_core.backtests.sweeps",
    "coinhts_core.backtests.tearsheet.page",
    "coinhts_core.lake.lake",
    "coinhts_core.results.shelf",
    "coinhts_core.strategies.sma_cross",
)
_PR_SET_PDEATHSIG = 1
_IN, _OUT = 0, 1
_FILES = 1_024
_LARGEST_FILE = 2 * 1024**3
_GRACE_S = 5
_BEHIND = 10  # whoever looks at the house does not wait for what is computed
_A_TELLING_S = 0.25
_STARTS_PROCESSES = ("os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen", "pty.spawn")
_KILLED_FIRST = Path("/proc/self/oom_score_adj")
Json = dict[str, Any]


def main() -> None:
    mask_process()
    os.nice(_BEHIND)
    settings = read_settings()
    for module in _BEFORE_FORKS:
        import_module(module)
    serve(settings)


class Lines:
    """Whole lines out of what is read piece by piece."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, piece: bytes) -> list[Json]:
        *whole, self._rest = (self._rest + piece).split(b"\n")
        return [json.loads(line) for line in whole]


@dataclass
class _Child:
    """A forked process, and the end of the pipe on which it is heard."""

    pid: int
    ear: int
    deadline: float
    seconds: int
    said: Json | None = None


def serve(settings: Settings) -> None:
    """Until nobody asks any more."""
    orders, words = Lines(), Lines()
    child: _Child | None = None
    while True:
        ears = [_IN, child.ear] if child else [_IN]
        left = max(0.0, child.deadline - time.monotonic()) if child else None
        ready, _, _ = select(ears, [], [], left)
        if child and child.ear in ready:
            child, words = _heard(child, words)
        elif child and time.monotonic() >= child.deadline:
            _end(child, f"it took longer than {child.seconds} s")
            child = None
        if _IN in ready:
            piece = os.read(_IN, 65_536)
            for order in orders.of(piece):
                child, words = _obeyed(settings, order, child, words)
            if not piece:
                _end(child, "nobody asks any more")
                return


def _obeyed(settings: Settings, order: Json, child: _Child | None, words: Lines) -> tuple[_Child | None, Lines]:
    if order["do"] == "answer" and child is None:
        return _begin(settings, order), Lines()
    if order["do"] == "stop":
        _end(child, "it was stopped")
        child = None
    return child, words


def _heard(child: _Child, words: Lines) -> tuple[_Child | None, Lines]:
    """What it says is said on; when it says nothing any more, how it ended."""
    piece = os.read(child.ear, 65_536)
    for word in words.of(piece):
        if "end" in word:
            child.said = word
        else:
            _say(word)
    if piece:
        return child, words
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # an ear that is closed by hand is none that ended
    status = os.waitpid(child.pid, 0)[1]
    os.close(child.ear)
    _say(child.said or _without_answer(os.waitstatus_to_exitcode(status), child.seconds))
    return None, Lines()


def _without_answer(code: int, seconds: int) -> Json:
    """Killed by somebody else it may be tried again; what it does to itself it would do again."""
    if code >= 0:
        return {"end": "failed", "reason": f"its process ended without an answer (exit code {code})"}
    number = signal.Signals(-code)
    if number == signal.SIGXCPU:
        return {"end": "failed", "reason": f"it kept the processor busy for longer than {seconds} s"}
    if number == signal.SIGKILL:
        return {"end": "again", "reason": "its process was killed"}
    reason = f"its process broke down ({number.name}), as one does that lacks memory or calls itself too deeply"
    return {"end": "failed", "reason": reason}


def _end(child: _Child | None, reason: str) -> None:
    """Made to end, with whatever it had begun."""
    if child:
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                end(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        os.close(child.ear)
        with suppress(BrokenPipeError):
            _say({"end": "failed", "reason": reason})


def _say(word: Json) -> None:
    _write(_OUT, word)


def _write(place: int, word: Json) -> None:
    content = json.dumps(word, default=str, allow_nan=False).encode() + b"\n"
    while content:
        content = content[os.write(place, content) :]


def _begin(settings: Settings, order: Json) -> _Child:
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ear)
        _live(settings, order, mouth)
    os.close(mouth)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # the child does it, too: whoever comes first
    seconds = int(order["seconds"])
    return _Child(pid, ear, time.monotonic() + seconds, seconds)


def _live(settings: Settings, order: Json, mouth: int) -> NoReturn:
    """The child's whole life."""
    try:
        _bind(order, mouth)
        from coinhts_pipeline.requests.child import answered  # noqa: PLC0415 - it begins threads, which no fork outlives

        _write(mouth, answered(settings, order, _teller(mouth)))
    except BaseException:  # noqa: BLE001 - even its last words may not fit into memory
        os._exit(70)
    os._exit(0)


def _bind(order: Json, mouth: int) -> None:
    """Tied to its parent, deaf and mute but for one pipe, and within its limits."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            _KILLED_FIRST.write_text("1000")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for place in (0, 1, 2):
        os.dup2(nowhere, place)
    os.closerange(3, min(mouth, nowhere))
    os.set_inheritable(mouth, False)  # noqa: FBT003 - the system's own way
    processor_s = int(order["seconds"]) * len(os.sched_getaffinity(0))
    memory = _memory_now() + int(order["memory_mb"]) * 1024**2
    for kind, least, most in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, processor_s, processor_s + _GRACE_S),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _FILES, _FILES),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE, _LARGEST_FILE),
    ):
        resource.setrlimit(kind, (least, most))
    sys.addaudithook(_refuse_processes)


def _refuse_processes(event: str, arguments: tuple[Any, ...]) -> None:
    del arguments
    if event in _STARTS_PROCESSES:
        msg = "what answers a request starts no processes"
        raise PermissionError(msg)


def _memory_now() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _teller(mouth: int) -> Callable[[float, str], None]:
    """Says a step at most so often, for nobody reads faster."""
    said_at = 0.0

    def tell(progress: float, step: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _A_TELLING_S:
            said_at = time.monotonic()
            _write(mouth, {"told": [progress, step]})

    return tell


if __name__ == "__main__":
    main()
