import asyncio

import pytest
from starlette.requests import Request

from coinhts_pipeline.front.bodies import body_up_to, form_of


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


def form(body, media_type="application/x-www-form-urlencoded"):
    """What a form says that is sent in two pieces."""
    request, _ = bringing([body[:3], body[3:]])
    request.scope["headers"] = [(b"content-type", media_type.encode())]
    request.scope["path"] = "/"
    return asyncio.run(form_of(request, 40))


def test_a_form_is_read_field_by_field():
    """Each once, also those that were left empty; whatever bytes are in them."""
    assert form(b"a=1+2&b=&a=3&c=%EB%B3%B4%FF") == {"a": "1 2", "b": "", "c": "보\ufffd"}


def test_what_is_no_form_has_no_fields():
    """Nor one that is too long."""
    assert form(b"a=1", "application/json") == form(b"a=" + b"1" * 40) == {}
