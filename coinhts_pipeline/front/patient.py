"""The UI while its database was away for a moment: who only looks is not shown the error of a query that was cut.

What lives here: `Patient`, an ASGI application around the UI's. What stays out: what changes something, which is never
done twice, and a UI that is not there (`proxy`).
"""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coinhts_core.errors import RetryableError
from coinhts_pipeline.front.readings import Readings, busy, refused

_LOOKS = {"GET", "HEAD"}


class Patient:
    """A look that failed is asked for once more, when the ledger answers, which is where the UI's database is, too."""

    def __init__(self, app: ASGIApp, readings: Readings) -> None:
        self._app = app
        self._readings = readings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _LOOKS:
            await self._app(scope, receive, send)
            return
        has_failed = False

        async def unless_failed(message: Message) -> None:
            nonlocal has_failed
            has_failed = has_failed or message.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR
            if not has_failed:
                await send(message)

        await self._app(scope, receive, unless_failed)
        if not has_failed:
            return
        try:
            await self._readings.ask(self._readings.ledger.answer)
        except RetryableError as error:
            await refused(busy(error))(scope, receive, send)
        else:
            await self._app(scope, receive, send)
