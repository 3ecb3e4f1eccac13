"""Masking: what is secret leaves the house in no form.

What lives here: `Mask`, which knows the secrets of the settings, and log records masked before any handler sees them.
What to add: a form that a secret can take. What stays out: deciding what is logged or sent.
"""

import json
import logging
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from traceback import format_exception
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from coinhts_core.settings import Settings

HIDDEN = "***"
_LEAST = 4  # letters: what is shorter stands in every other word
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# What looks like a secret though nobody told us of it: tokens, addresses that are passwords, and what is called a key.
_LOOKS_SECRET = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"
    r"|(?<=https://hooks\.slack\.com/)\S+"
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}"
    r"|(?<=[Bb]asic )[\w+/=-]{8,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|AIza[\w-]{30,}"
    r"|(?i:(?<=api_key=)|(?<=apikey=)|(?<=access_key=)|(?<=secret_key=)|(?<=password=)|(?<=token=))[^\s&\"',;]+"
)
Record = Callable[..., logging.LogRecord]
_unmasked: Record = logging.getLogRecordFactory()


class Mask:
    """Hides the secrets it was told: as they are, in base64, in addresses and in JSON; and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _LEAST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str] | None = None) -> "Mask":
        environ = os.environ if environ is None else environ
        return cls([*_secrets(settings), *(environ[name] for name in _AWS if environ.get(name))])

    def __call__(self, text: str) -> str:
        shown = self._known.sub(HIDDEN, text) if self._known else text
        return _LOOKS_SECRET.sub(HIDDEN, shown)


def mask_logs(mask: Mask) -> None:
    """Every record of this process from now on is made without secrets, its traceback included."""

    def masked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = _unmasked(*args, **kwargs)
        record.msg, record.args = mask(_said(record)), ()
        if record.exc_info and record.exc_info[0]:
            record.exc_text = mask("".join(format_exception(*record.exc_info)).rstrip("\n"))
        return record

    logging.setLogRecordFactory(masked)


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args}"  # a caller's mistake is still worth reading


def _secrets(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, SecretStr):
            secret = value.get_secret_value()
            yield from _parts(secret) if "://" in secret else [secret]
        elif isinstance(value, str) and "@" in value:
            yield from _password(value)


def _parts(address: str) -> Iterator[str]:
    """An address that is secret: a webhook's path is its key, a database's name is nobody's secret."""
    yield address
    yield from _password(address)
    parts = urlsplit(address)
    if parts.scheme.startswith("http"):
        yield parts.path
        yield from (part for part in parts.path.split("/") if len(part) >= 2 * _LEAST and part != "services")


def _password(address: str) -> Iterator[str]:
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    for text in _in_base64(secret.encode("utf-8", "replace")):
        yield from (text, text.replace("+", "-").replace("/", "_"))


def _in_base64(content: bytes) -> Iterator[str]:
    """Also inside longer texts: where it begins decides which letters it becomes, all but the outermost."""
    yield b64encode(content).decode().rstrip("=")
    for before in range(3):
        whole = (before + len(content)) * 8 // 6  # letters that nothing after it can change
        inner = b64encode(bytes(before) + content).decode()[-(-before * 8 // 6) : whole]
        if len(inner) >= 2 * _LEAST:
            yield inner
