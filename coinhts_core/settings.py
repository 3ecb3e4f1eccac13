"""Every knob, read once.

What lives here: `Settings`, built only at entry points by `read_settings`. What to add: a field, and its line
in .env.example. What stays out: what belongs to a strategy (its file, `strategies.toml`) and the settings
that traders change while the house runs (the ledger).
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
)

from coinhts_core.days import parse_day
from coinhts_core.errors import (
    BadEnvFileError,
    BadSettingError,
    CoinhtsError,
    HomeUnusableError,
    RefusedError,
    UnknownSettingError,
)
from coinhts_core.markets import Market
from coinhts_core.wording import nearest, worded

PREFIX = "COINHTS_"
_HOME = f"{PREFIX}HOME"
ALL_KRW = "all-krw"
T = TypeVar("T")


def _symbols(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = [word for word in value.split(",") if word.strip()]
    if [word.strip().lower() for word in words] == [ALL_KRW]:
        return ALL_KRW
    if not words:
        msg = "name at least one market, such as KRW-BTC"
        raise ValueError(msg)
    return tuple(dict.fromkeys(_judged(Market.parse, word) for word in words))


def _judged(parse: Callable[[str], T], value: object) -> T | object:
    """Let pydantic name the setting that a refusal of ours, knowing only the value, is about."""
    try:
        return parse(value) if isinstance(value, str) else value
    except RefusedError as error:
        raise ValueError(str(error)) from error


def _url(value: object) -> str:
    try:
        return str(_HTTP.validate_python(value)).rstrip("/")
    except ValidationError:
        msg = "write it like https://host:port"
        raise ValueError(msg) from None


def _host_names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
    if wrong := [name for name in names if not _HOST_NAME.fullmatch(name)]:
        msg = f"{wrong[0]!r} is not a host's name; write it like coins.example.org, with no scheme and no port"
        raise ValueError(msg)
    return names


_HTTP = TypeAdapter(AnyHttpUrl)
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
Url = Annotated[str, BeforeValidator(_url)]
Names = Annotated[tuple[str, ...], BeforeValidator(_host_names)]
Symbols = Annotated[tuple[str, ...] | Literal["all-krw"], BeforeValidator(_symbols)]
Day = Annotated[date, BeforeValidator(partial(_judged, parse_day))]


class _Section(BaseModel):
    """A group of settings; a nested one is written COINHTS_GROUP__NAME."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class S3(_Section):
    """Where `s3://` leads; keys come by the AWS chain."""

    endpoint: Url | None = None
    region: str | None = None


class Trading(_Section):
    """Paper unless everything that arms live trading says otherwise."""

    mode: Literal["paper", "live"] = "paper"


class Upbit(_Section):
    """The exchange's address and keys."""

    base_url: Url = "https://api.upbit.com"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


class Gemini(_Section):
    """The adviser's address and key."""

    base_url: Url = "https://generativelanguage.googleapis.com"
    api_key: SecretStr | None = None


class Slack(_Section):
    """Where alerts go."""

    webhook_url: SecretStr | None = None


class Smtp(_Section):
    """Where alerts are mailed."""

    host: str | None = None
    port: int = Field(default=587, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    sender: str | None = None
    to: str | None = None


class Web(_Section):
    """The one port and its login."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65535)
    names: Names = ()
    password: SecretStr | None = None
    viewer_password: SecretStr | None = None
    token: SecretStr | None = None


class Log(_Section):
    """How loud, and for whom."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(_Section):
    """All settings of one installation, frozen."""

    home: Path
    postgres_url: SecretStr | None = None
    dagster_postgres_url: SecretStr | None = None
    lake: str | None = None
    backups: str | None = None
    s3: S3 = S3()
    exchange: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")] = "sample"
    symbols: Symbols = ("KRW-BTC", "KRW-ETH", "KRW-XRP")
    start_date: Day = date(2026, 1, 1)
    trading: Trading = Trading()
    upbit: Upbit = Upbit()
    gemini: Gemini = Gemini()
    slack: Slack = Slack()
    smtp: Smtp = Smtp()
    web: Web = Web()
    log: Log = Log()

    @property
    def lake_url(self) -> str:
        return self.lake or str(self.home / "lake")

    @property
    def backups_url(self) -> str:
        return self.backups or str(self.home / "backups")

    @property
    def strategies_folder(self) -> Path:
        return self.home / "strategies"

    @property
    def reports_folder(self) -> Path:
        return self.home / "reports"

    @property
    def cache_folder(self) -> Path:
        """What may be removed at any time."""
        return self.home / "cache"

    @property
    def benchmarks_folder(self) -> Path:
        """What `make bench` measured."""
        return self.home / "benchmarks"

    @property
    def lineup_file(self) -> Path:
        return self.home / "strategies.toml"

    @property
    def restoring_note(self) -> Path:
        """Lies there while the home holds half of a backup."""
        return self.home / "restoring.json"


def setting_names(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[str]:
    """Every variable that exists, as it is written in the environment."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from setting_names(nested, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The environment over `.env` in the home over defaults; every name and value judged."""
    environ = os.environ if environ is None else environ
    named = {name.upper(): value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    _refuse_unknown(named)
    home = _home(named.get(_HOME) or ".coinhts")
    noted = _read_env_file(home / ".env")
    _refuse_unknown(noted)
    values = {name: value for name, value in [*noted.items(), *named.items()] if value}
    _refuse_unprintable(values)
    try:
        return Settings(**_nested(values), home=home)
    except ValidationError as error:
        raise _in_one_sentence(error) from None


def setting_sources(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting comes from: the environment, `.env` in the home, or its default."""
    environ = os.environ if environ is None else environ
    named = {name.upper() for name, value in environ.items() if value}
    noted = {name for name, value in _read_env_file(settings.home / ".env").items() if value}
    told = {**dict.fromkeys(noted, ".env"), **dict.fromkeys(named, "environment")}
    return {name: told.get(name, "default") for name in setting_names()}


def usable_home(settings: Settings) -> Path:
    """The data directory, made if need be."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusableError(home=settings.home, reason=error.strerror or str(error)) from error
    return settings.home


def _refuse_unknown(values: Mapping[str, str]) -> None:
    known = list(setting_names())
    for name in values:
        if name not in known:
            raise UnknownSettingError(name=name, hint=nearest(name, known))


def _nested(values: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *sections, leaf = name.removeprefix(PREFIX).lower().split("__")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[leaf] = value
    return {name: value for name, value in tree.items() if name != "home"}


def _home(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise HomeUnusableError(home=text, reason=str(error)) from error


def _read_env_file(file: Path) -> dict[str, str]:
    """NAME=value lines. The file holds secrets: only its owner may read it, and no refusal quotes a value."""
    try:
        if not file.is_file():
            return {}
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise BadEnvFileError(file=file, reason="others may read it; `chmod 600` it")
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadEnvFileError(file=file, reason=error.strerror or str(error)) from error
    except UnicodeDecodeError:
        raise BadEnvFileError(file=file, reason="it is not a text in UTF-8") from None
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return dict(_pair(file, *line) for line in numbered if line[1] and not line[1].startswith("#"))


def _pair(file: Path, number: int, line: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in line.removeprefix("export ").partition("="))
    if not (name.startswith(PREFIX) and "=" in line):
        raise BadEnvFileError(file=file, reason=f"line {number} is not like {PREFIX}NAME=value")
    if name == _HOME:
        raise BadEnvFileError(file=file, reason=f"it lies in {_HOME}, which only the environment can set")
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return name, value[1:-1] if is_quoted else value


def _refuse_unprintable(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if not value.isprintable():
            reason = "it holds characters that cannot be printed"
            raise BadSettingError(name=name, value=_shown(name, value), reason=reason)


def _in_one_sentence(error: ValidationError) -> CoinhtsError:
    first = error.errors(include_url=False)[0]
    name = PREFIX + "__".join(str(part).upper() for part in first["loc"])
    return BadSettingError(name=name, value=_shown(name, first["input"]), reason=worded(first["msg"]))


def _shown(name: str, value: object) -> object:
    """Addresses may carry passwords, too."""
    return "(hidden)" if name.endswith(("KEY", "URL", "ENDPOINT", "PASSWORD", "TOKEN")) else value
