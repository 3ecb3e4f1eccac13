import asyncio

import pytest
from starlette.requests import Request

from coinhts_pipeline.front.bodies import body_up_to


def bringing(chunks):
    """A request whose body comes in pieces, and what of it was taken."""
    waiting, taken = list(chunks), []

    async def receive():
        taken.append(waiting.pop(0))
        return {"type": "http.request", "body": taken[-1], "more_body": bool(waiting)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive), taken


@pytest.mark.parametrize(
    ("chunks", "read", "pieces"),
    [([b""], b"", 1), ([b"ab", b"cd"], b"abcd", 2), ([b"ab", b"cd", b"e", b"f" * 9], b"abcde", 3)],
)
def test_no_more_is_read_than_tells_that_it_is_too_long(chunks, read, pieces):
    """Whoever sends without end is not listened to until then."""
    request, taken = bringing(chunks)
    assert asyncio.run(body_up_to(request, 4)) == read
    assert len(taken) == pieces
