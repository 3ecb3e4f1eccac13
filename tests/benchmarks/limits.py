"""Limits of the machine, measured beside the contestants: what no engine can beat here and now.

What lives here: streams through memory, a chain of dependent additions, comparisons of vectors. What stays out: goals;
a limit is only told.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numba import njit, prange, set_num_threads

_STREAMED = 40_000_000  # doubles, many times the caches
_CHAINED = 1_000_000
_COMPARED, _TIMES = 1_024, 20_000  # rows that stay in the first cache
_REPETITIONS = 7
_THREADS = 2


def limits() -> dict[str, float]:
    """Each by name, its unit in the name."""
    one, other = np.random.default_rng(1).random((2, _STREAMED))
    found = {}
    for threads in (1, _THREADS):
        set_num_threads(threads)
        on = f"{threads} thread" if threads == 1 else f"{threads} threads"
        found[f"copy, GB/s, {on}"] = 16e-9 * _STREAMED / _seconds(lambda: _copy(one, other))
        found[f"read, GB/s, {on}"] = 8e-9 * _STREAMED / _seconds(lambda: _read(one))
        compared = _seconds(lambda threads=threads: _compare(one[:_COMPARED], other[:_COMPARED], threads))
        found[f"vector compare, G/s, {on}"] = 1e-9 * _COMPARED * _TIMES * threads / compared
    found["addition chain, ns"] = 1e9 / _CHAINED * _seconds(lambda: _chain(one[:_CHAINED]))
    return {name: round(value, 3) for name, value in found.items()}


def _seconds(call: Callable[[], object]) -> float:
    call()
    spent = []
    for _ in range(_REPETITIONS):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return median(spent)


@njit(parallel=True)
def _copy(source: np.ndarray, target: np.ndarray) -> None:
    for place in prange(len(source)):
        target[place] = source[place]


@njit(parallel=True, fastmath=True)
def _read(source: np.ndarray) -> float:
    total = 0.0
    for place in prange(len(source)):
        total += source[place]
    return total


@njit
def _chain(source: np.ndarray) -> float:
    total = 0.0
    for value in source:
        total += value
    return total


@njit(parallel=True)
def _compare(one: np.ndarray, other: np.ndarray, threads: int) -> np.ndarray:
    found = np.zeros(threads, np.int64)
    for thread in prange(threads):
        above = np.empty(len(one), np.uint8)
        for again in range(_TIMES):
            for place in range(len(one)):
                above[place] = one[place] > other[place]
            found[thread] += above[again % len(above)]
    return found
