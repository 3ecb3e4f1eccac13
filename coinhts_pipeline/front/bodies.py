"""What a request brings with it.

What lives here: `body_up_to`, and `form_of`, the fields of a form. What stays out: what it means (whoever asked).
"""

from urllib.parse import parse_qs

from starlette.requests import Request

from coinhts_pipeline.front.origins import Asked

_FORM = "application/x-www-form-urlencoded"


async def body_up_to(request: Request, longest: int) -> bytes:
    """As much of it as tells that it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            break
    return body


async def form_of(request: Request, longest: int) -> dict[str, str]:
    """The fields of a form that is not too long; of anything else, none."""
    if Asked.of(request.scope).media_type != _FORM:
        return {}
    body = await body_up_to(request, longest)
    if len(body) > longest:
        return {}
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
