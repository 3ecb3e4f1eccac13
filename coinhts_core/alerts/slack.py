"""Slack, by an incoming webhook.

What lives here: an alert as Slack wants it, escaped, and posting it. What stays out: the address, which is a secret
and stands in no error.
"""

import json
from typing import Any, ClassVar

import httpcore

from coinhts_core.alerts.alert import Letter, Level
from coinhts_core.errors import SinkRefusedError, SinkUnavailableError
from coinhts_core.masking import Mask

_COLOURS: dict[Level, str] = {"info": "#439fe0", "warning": "#e8a33d", "error": "#d64545", "critical": "#7b1fa2"}
_PATIENCE_S = 10.0
_TIMEOUTS = dict.fromkeys(("connect", "read", "write", "pool"), _PATIENCE_S)
_HEADERS = [("Content-Type", "application/json; charset=utf-8"), ("Connection", "close")]
_OK = range(200, 300)
_LATER = {408, 425, 429, *range(500, 600)}


class SlackSink:
    """One webhook. Slack answers 200 once it has taken a message, 429 and 5xx when it has not."""

    name: ClassVar[str] = "slack"

    def __init__(self, url: str, mask: Mask) -> None:
        self._url = url
        self._mask = mask

    def send(self, letter: Letter) -> None:
        status = self._post(json.dumps(message(letter)).encode())
        if status in _OK:
            return
        if status in _LATER:
            raise SinkUnavailableError(sink=self.name, reason=f"it answered {status}")
        raise SinkRefusedError(sink=self.name, reason=f"it answered {status}", section="SLACK")

    def _post(self, content: bytes) -> int:
        try:
            with httpcore.stream(
                "POST", self._url, headers=_HEADERS, content=content, extensions={"timeout": _TIMEOUTS}
            ) as answer:
                return answer.status
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            reason = self._mask(str(error) or type(error).__name__)
            raise SinkUnavailableError(sink=self.name, reason=reason) from None
        except (httpcore.UnsupportedProtocol, ValueError, UnicodeError) as error:
            reason = f"its address cannot be used: {type(error).__name__}"
            raise SinkRefusedError(sink=self.name, reason=reason, section="SLACK") from None


def message(letter: Letter) -> dict[str, Any]:
    """Nothing in it is markup: no mention, no link and no picture comes out of what somebody else wrote."""
    title = escaped(f"{letter.level.upper()}: {letter.title}")
    attachment = {
        "color": _COLOURS[letter.level],
        "fallback": title,
        "title": title,
        "text": escaped("\n".join(letter.lines)),
        "mrkdwn_in": [],
    }
    return {"attachments": [attachment], "mrkdwn": False, "parse": "none", "link_names": 0, "unfurl_links": False}


def escaped(text: str) -> str:
    """As Slack's manual asks, & < >; and no @here calls anybody."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("@", "@\u2060")
