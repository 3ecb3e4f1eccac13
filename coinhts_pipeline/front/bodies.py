"""What a request brings with it.

What lives here: `body_up_to`. What stays out: what it means (whoever asked for it).
"""

from starlette.requests import Request


async def body_up_to(request: Request, longest: int) -> bytes:
    """As much of it as tells that it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            break
    return body
