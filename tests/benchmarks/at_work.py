"""A contestant's side of the bench: answers questions, one a line, and says how long its calls took.

What lives here: the clock and the conversation. What to add: nothing for a workload; a contestant brings its tasks.
What stays out: what is computed, and anything but the standard library and numpy, for contestants live in environments
of their own.

A task is handed the columns of each part and its knobs, prepares whatever is not to be measured, and gives the calls
that are, one a part, and what tells their outcome in figures.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np

_SHORTEST_S = 0.15  # of a repetition: below it the system's clocks are too coarse
_LONG_S = 2.0


class Work:
    """What a contestant has on its desk."""

    def __init__(self, tasks):
        self._tasks = tasks
        self._calls = self._figures = None

    def prepare(self, task, folder=None, parts=1, **knobs):
        handed = [] if folder is None else [part_of(folder, place, parts) for place in range(parts)]
        self._calls, self._figures = self._tasks[task](handed, **knobs)
        return {}

    def tell(self):
        """Call once, for the figures; and say how often to call for a repetition."""
        outcomes, spent = [], 0.0
        for call in self._calls:
            began = time.perf_counter()
            outcomes.append(call())
            spent += time.perf_counter() - began
        if spent < _LONG_S:  # it may have been compiling
            spent = self.call(1)["seconds"] * len(self._calls)
        told = {name: np.asarray(value).tolist() for name, value in self._figures(outcomes).items()}
        return {"told": told, "again": max(1, math.ceil(_SHORTEST_S / spent))}

    def call(self, again):
        """Call, and nothing else; how long one call took, and who else was at work."""
        resident = kilobytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the highest so far is what there is now
        busy, spent, began = _busy_s(), _spent_s(), time.perf_counter()
        for _ in range(again):
            for call in self._calls:
                call()
        wall = time.perf_counter() - began
        spent, busy = _spent_s() - spent, _busy_s() - busy
        return {
            "seconds": wall / again / len(self._calls),
            "on_a_core": spent / wall,
            "others": max(0.0, busy - spent) / wall / os.cpu_count(),
            "above_inputs_mb": (kilobytes("VmHWM") - resident) / 1024,
        }


def serve(tasks):
    """Answer until nobody asks any more; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = Work(tasks)
    for line in sys.stdin:
        question = json.loads(line)
        answer = getattr(work, question.pop("do"))(**question)
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()


def part_of(folder, place=0, parts=1):
    """Some of the bars, as many for each part."""
    columns = {file.stem: np.load(file, mmap_mode="r") for file in sorted(Path(folder).glob("*.npy"))}
    return {name: np.array_split(column, parts)[place].copy() for name, column in columns.items()}


def _spent_s():
    """Of this process and of those it has waited for."""
    of = os.times()
    return time.process_time() + of.children_user + of.children_system


def _busy_s():
    """Seconds that the machine's cores were at work, for whomever."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
