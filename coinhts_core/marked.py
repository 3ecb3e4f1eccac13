"""Marked bars: which few of many hold something.

What lives here: finding them. What stays out: who marks them, and what for (`indicators`, `signals`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coinhts_core.compiled import borrowing

A_WORD = 8  # marks
_EACH_BYTE, _NUMBERS, _TO_LOWEST = 0x0101010101010101, 0x0001020304050607, 56  # of a word


@borrowing
def put_marked(marks: NDArray[np.int8], before: int, busy: NDArray[np.int64], bars: NDArray[np.int32], put: int) -> Any:
    """Put the bars that are marked, counted from 1 and times their mark, behind those put already; how many there are.

    So many come before them. Most are not marked. So words of eight that hold something are found first, without a
    branch to be guessed wrong; and in a word its lowest byte that does, which a multiplication moves its own number to
    the top for.
    """
    words = marks[: len(marks) // A_WORD * A_WORD].view(np.int64)
    found = 0
    for word in range(len(words)):
        busy[found] = word
        found += words[word] != 0
    for place in range(found):
        left = words[busy[place]] & _EACH_BYTE
        while left:
            lowest = left & -left
            bar = A_WORD * busy[place] + ((lowest * _NUMBERS) >> _TO_LOWEST)
            bars[put] = (before + bar + 1) * marks[bar]
            put += 1
            left ^= lowest
    for bar in range(A_WORD * len(words), len(marks)):
        if marks[bar]:
            bars[put] = (before + bar + 1) * marks[bar]
            put += 1
    return put
