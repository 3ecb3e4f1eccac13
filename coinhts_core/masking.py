"""Masking: what is secret leaves the house in no form.

What lives here: `Mask`, which knows the secrets of the settings and of the environment; log records masked before any
handler sees them, and streams masked line by line. What to add: a form that a secret can take, a look that gives one
away. What stays out: deciding what is logged, printed or sent.
"""

import json
import logging
import os
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from os.path import commonprefix
from pathlib import Path
from traceback import format_exception
from typing import Any, TextIO, get_args
from urllib.parse import quote, quote_plus, unquote

from pydantic import BaseModel, SecretStr

from coinhts_core.settings import PREFIX, Settings

HIDDEN = "***"
_LEAST = 4  # letters: what is shorter stands in every other word
_LEAST_AMONG_FIGURES = 8  # letters: what is shorter stands in some figure of a document, or in another's variable
_CUT = "…"  # what is too long ends so
_OUR_NAMES = {"coinhts", "dagster", "postgres"}  # as a password they hide nothing, and blot out every other sentence
_SOUNDS_SECRET = re.compile(r"(?i:key|key_id|secret|token|password|passwd|passphrase|credentials?)\Z")
_ADDRESS = re.compile(r"://(?P<user>[^:@/]*)(?::(?P<password>.*))?@", re.DOTALL)
_PAIR = re.compile(r"""(?i:password)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))""")
# What looks like a secret though nobody told us of it: tokens, addresses that are passwords, and what is called a key.
# Each is looked for where its mark stands; none reaches beyond a quote or a backslash, so that JSON stays JSON.
_VALUE = r"[^\s\"'\\<>&,;]+"
_LOOKS = {
    "eyJ": r"()\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}",
    "hooks.slack.com/": r"(hooks\.slack\.com/)[^\s\"'\\<>]+",
    "earer": r"([Bb]earer\s)[\w.~+/=-]{8,}",
    "asic": r"([Bb]asic\s)[\w+/=-]{8,}",
    "://": r"(://)(?!user:password@)[^\s/@:\"'\\]*:[^\s/@\"'\\]+(?=@)",
    "AIza": r"()AIza[\w-]{30,}",
    "AKIA": r"()AKIA[A-Z0-9]{16}",
    "ASIA": r"()ASIA[A-Z0-9]{16}",
    "PRIVATE KEY": r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]+",
}
_KEY = r"(?:api|access|secret|private)[_-]?key(?:[_-]?id)?"  # a key of a partition or a row is nobody's secret
_NAMES = {name: name for name in ("secret", "password", "token", "authorization", "cookie")} | {"key": _KEY}
_LOOKS |= {f"{name}=": rf"((?i:{name})=){_VALUE}" for name in ("password", "token", "api_key", "apikey")}
_LOOKS |= {f"{name}=": rf"((?i:{name})=){_VALUE}" for name in ("access_key", "secret_key")}
_LOOKS |= {mark: rf"((?i:{name})\\*[\"']\s*:\s*\\*[\"'])[^\"'\\]+" for mark, name in _NAMES.items()}
_LOOKS_SECRET = [(mark.lower(), re.compile(look)) for mark, look in _LOOKS.items()]
_KEPT = rf"\1{HIDDEN}"
Record = Callable[..., logging.LogRecord]
_unmasked: Record = logging.getLogRecordFactory()


class Mask:
    """Hides the secrets it was told: as they are, in base64, in addresses and in JSON; and what looks like one."""

    def __init__(self, secrets: Iterable[str], least: int = _LEAST) -> None:
        told = {secret for secret in secrets if len(secret) >= least} - _OUR_NAMES
        forms = {form for secret in told for form in _forms(secret) if len(form) >= least}
        self._known = re.compile(_any_of(sorted(forms))) if forms else None
        self._forms = forms

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str] | None = None) -> "Mask":
        return cls([*_secrets(settings), *_of_others(os.environ if environ is None else environ)])

    @classmethod
    def found(cls, environ: Mapping[str, str] | None = None, least: int = _LEAST_AMONG_FIGURES) -> "Mask":
        """Of what stands in the environment and in `.env`, whether or not settings can be read there."""
        environ = os.environ if environ is None else environ
        told = {**_noted(Path(environ.get(f"{PREFIX}HOME") or ".coinhts")), **environ}
        ours = {name.upper(): value for name, value in told.items() if name.upper().startswith(PREFIX)}
        secret = [part for name, value in ours.items() if name in _SECRETS for part in _parts(value)]
        other = [part for value in ours.values() for part in _passwords(value)]
        return cls([*secret, *other, *_of_others(told)], least)

    def __call__(self, text: str) -> str:
        shown = self._known.sub(HIDDEN, text) if self._known else text
        shown = self._before_cuts(shown) if _CUT in shown else shown
        lower = shown.lower()
        for mark, look in _LOOKS_SECRET:
            if mark in lower:
                shown = look.sub(_KEPT, shown)
        return shown

    def _before_cuts(self, text: str) -> str:
        """Of a secret that was too long for what it was told in, the beginning."""
        *cut, last = text.split(_CUT)
        return _CUT.join([*map(self._without_beginning, cut), last])

    def _without_beginning(self, text: str) -> str:
        ends = (form[:length] for form in self._forms for length in range(_LEAST, len(form)))
        longest = max((end for end in ends if text.endswith(end)), key=len, default="")
        return text.removesuffix(longest) + HIDDEN if longest else text


def mask_logs(mask: Mask) -> None:
    """Every record of this process from now on is made without secrets, its traceback included."""

    def masked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = _unmasked(*args, **kwargs)
        record.msg, record.args = mask(_said(record)), ()
        if record.exc_info and record.exc_info[0]:
            record.exc_text = mask("".join(format_exception(*record.exc_info)).rstrip("\n"))
        return record

    logging.setLogRecordFactory(masked)


class MaskedStream:
    """A stream as it was, but for secrets; a line is kept until it is whole, or somebody wants it shown."""

    def __init__(self, stream: TextIO, mask: Mask) -> None:
        self.mask = mask
        self._stream = stream
        self._kept = ""

    def write(self, text: str) -> int:
        whole, end, rest = (self._kept + text).rpartition("\n")
        self._kept = rest
        if end:
            self._stream.write(self.mask(whole) + end)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        kept, self._kept = self._kept, ""
        if kept:
            self._stream.write(self.mask(kept))
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mask_streams(mask: Mask) -> None:
    """Whatever this process prints from now on, tracebacks nobody caught included."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, MaskedStream):
            stream.mask = mask
        elif stream is not None:
            setattr(sys, name, MaskedStream(stream, mask))


def hidden(text: str) -> str:
    """As this process prints it, for whoever breaks lines before they are printed."""
    return sys.stdout.mask(text) if isinstance(sys.stdout, MaskedStream) else text


def mask_process() -> None:
    """All that this process logs and prints; called as early as can be, for settings that are refused hold secrets."""
    mask_logs(Mask.found(least=_LEAST))
    mask_streams(Mask.found())


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args}"  # a caller's mistake is still worth reading


def _any_of(words: list[str]) -> str:
    """Sorted words as one expression, what they begin with in common written once: a letter is looked at once."""
    parts = []
    for _, group in groupby(words, key=lambda word: word[0]):
        alike = list(group)
        shared = commonprefix(alike)  # noqa: RUF071 - character by character is what is wanted
        rests = [word.removeprefix(shared) for word in alike if word != shared]
        end = f"(?:{_any_of(rests)}){'?' if shared in alike else ''}" if rests else ""
        parts.append(re.escape(shared) + end)
    return "|".join(parts)


def _secrets(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, SecretStr):
            yield from _parts(value.get_secret_value())
        elif isinstance(value, str):
            yield from _passwords(value)


def _of_others(environ: Mapping[str, str]) -> Iterator[str]:
    """What others keep in the environment under a name that says so: keys of Amazon's, a password of libpq's."""
    for name, value in environ.items():
        if _SOUNDS_SECRET.search(name) and len(value) >= _LEAST_AMONG_FIGURES:
            yield value
        yield from _passwords(value)


def _noted(home: Path) -> dict[str, str]:
    """The lines of `.env`, also of one that is refused."""
    try:
        lines = (home.expanduser() / ".env").read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, RuntimeError):
        return {}
    pairs = [line.strip().removeprefix("export ").partition("=") for line in lines]
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def _secret_names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _secret_names(kind, f"{prefix}{name.upper()}__")
        elif SecretStr in get_args(kind):
            yield f"{prefix}{name.upper()}"


def _parts(secret: str) -> Iterator[str]:
    """An address that is secret: a webhook's path is its key, a database's name is nobody's secret."""
    yield from (secret, secret.strip())
    yield from _passwords(secret)
    if secret.startswith("http"):
        path = secret.partition("://")[2].partition("/")[2]
        yield f"/{path}"
        yield from (part for part in path.split("/") if len(part) >= 2 * _LEAST and part != "services")


def _passwords(address: str) -> Iterator[str]:
    """Before the last @ of an address, in its query, or in libpq's pairs; as they are written and as they are meant."""
    if found := _ADDRESS.search(address):
        written = found["password"] or (found["user"] if address.startswith("http") else "")
        yield from (written, unquote(written))
    for quoted, plain in _PAIR.findall(address):
        yield from (quoted, re.sub(r"\\(.)", r"\1", quoted), plain, unquote(plain))


def _forms(secret: str) -> Iterator[str]:
    plain = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
    once = {_in_json(text, ascii_only=ascii_only) for text in plain for ascii_only in (True, False)}
    texts = plain | once | {_in_json(text, ascii_only=True) for text in once}
    yield from texts
    for text in _in_base64(secret.encode("utf-8", "replace")):
        yield from (text, text.replace("+", "-").replace("/", "_"))


def _in_json(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _in_base64(content: bytes) -> Iterator[str]:
    """Also inside longer texts: where it begins decides which letters it becomes, all but the outermost."""
    yield b64encode(content).decode().rstrip("=")
    for before in range(3):
        whole = (before + len(content)) * 8 // 6  # letters that nothing after it can change
        inner = b64encode(bytes(before) + content).decode()[-(-before * 8 // 6) : whole]
        if len(inner) >= 2 * _LEAST:
            yield inner


_SECRETS = frozenset(_secret_names(Settings, PREFIX))
