"""Numbers that need not exist, and why one does not.

What lives here: `Undefined`, which stands where a number would, and the two questions that lead to it: is it finite, do
the values differ. What stays out: the figures themselves (`metrics`, `round_trips`).
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-14  # what some roundings of doubles may add up to, in parts of the number


class Undefined(str):
    """The reason why there is no number: never 0, infinity or NaN in its place."""

    __slots__ = ()


Measured = float | Undefined


def finite(value: float) -> Measured:
    return float(value) if isfinite(value) else Undefined("it is beyond what a number can hold")


def deviation(values: Floats, what: str, size: float = 0.0) -> Measured:
    """The standard deviation, ddof 1, unless rounding alone moves the values.

    `size` is how large the numbers were that the values are differences of.
    """
    if len(values) < 2:  # noqa: PLR2004 - one value has no deviation
        return Undefined(f"2 {what} are needed, there are {len(values)}")
    found = float(values.std(ddof=1))
    if found <= ROUNDING * (size + float(np.abs(values).max())):
        return Undefined(f"the {what} do not differ")
    return finite(found)
