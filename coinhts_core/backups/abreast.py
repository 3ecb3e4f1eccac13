"""Some pieces of work at a time: while one waits for its bytes, others are hashed.

What lives here: handing work to threads, and taking it in. What stays out: the work.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_ABREAST = 8
Piece = TypeVar("Piece")
Made = TypeVar("Made")


def abreast(
    work: Callable[[Piece], Made], pieces: Iterable[Piece], take_in: Callable[[Made], object] = lambda _: None
) -> None:
    """What comes of each is taken in here, in their order; when one fails, those not yet begun are left undone."""
    with ThreadPoolExecutor(_ABREAST) as pool:
        try:
            for made in [pool.submit(work, piece) for piece in pieces]:
                take_in(made.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
