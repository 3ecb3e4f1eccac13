import re
from datetime import date
from pathlib import Path

import pytest

from coinhts_core.errors import (
    BadEnvFileError,
    BadSettingError,
    CoinhtsError,
    HomeUnusableError,
    UnknownSettingError,
)
from coinhts_core.settings import read_settings, setting_names, usable_home

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SECRETS = [
    name for name in setting_names() if name.endswith(("KEY", "PASSWORD", "TOKEN", "POSTGRES_URL", "WEBHOOK_URL"))
]


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def read(home, **named):
    return read_settings({"COINHTS_HOME": str(home), **{f"COINHTS_{name}": value for name, value in named.items()}})


def note(home, text, mode=0o600):
    home.mkdir()
    file = home / ".env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)


def test_defaults_are_the_contracts(tmp_path, monkeypatch):
    """Every documented variable has its documented default."""
    monkeypatch.chdir(tmp_path)
    settings = read_settings({})
    assert settings.home == tmp_path / ".coinhts"
    assert settings.strategies_folder == tmp_path / ".coinhts" / "strategies"
    assert settings.lake_url == str(tmp_path / ".coinhts" / "lake")
    assert settings.backups_url == str(tmp_path / ".coinhts" / "backups")
    assert settings.postgres_url is settings.dagster_postgres_url is None
    assert (settings.s3.endpoint, settings.s3.region) == (None, None)
    assert settings.exchange == "sample"
    assert settings.symbols == ("KRW-BTC", "KRW-ETH", "KRW-XRP")
    assert settings.start_date == date(2026, 1, 1)
    assert settings.trading.mode == "paper"
    assert (settings.upbit.access_key, settings.upbit.secret_key, settings.gemini.api_key) == (None, None, None)
    assert settings.upbit.base_url == "https://api.upbit.com"
    assert settings.gemini.base_url == "https://generativelanguage.googleapis.com"
    assert set(settings.smtp.model_dump(exclude={"port"}).values()) == {settings.slack.webhook_url} == {None}
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 3000)
    assert (settings.web.password, settings.web.token) == (None, None)
    assert (settings.log.level, settings.log.format) == ("info", "text")


def test_the_example_is_the_settings(home):
    """.env.example names each variable once, in order, with a line of explanation and its default."""
    commented = re.findall(r"^# .+\n# (COINHTS_\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert [name for name, _ in commented] == list(setting_names())
    shown = {name: value for name, value in commented if value}
    assert read_settings({**shown, "COINHTS_HOME": str(home)}) == read(home)
    assert shown["COINHTS_HOME"] == read_settings({}).home.name
    assert {name for name in setting_names() if name not in shown} >= set(SECRETS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("COINHTS_SYMBOL", "COINHTS_SYMBOLS"),
        ("COINHTS_WEB_PORT", "COINHTS_WEB__PORT"),
        ("coinhts_hom", "COINHTS_HOME"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest(name, meant):
    """It would otherwise be ignored in silence."""
    with pytest.raises(UnknownSettingError, match=rf"{name.upper()} is not a setting .*; did you mean {meant}\?"):
        read_settings({name: "x"})


def test_what_is_not_ours_is_left_alone(home):
    """Other programs' variables are none of our business, and ours are read in any case."""
    settings = read_settings({"PATH": "/bin", "COINHTSX": "1", "coinhts_home": str(home), "Coinhts_Web__Port": "80"})
    assert (settings.home, settings.web.port) == (home, 80)


def test_values_are_read_as_people_write_them(home):
    """Any spelling of a market, either spelling of a day, spaces and a trailing slash."""
    settings = read(
        home, SYMBOLS=" btc_krw,KRW/ETH ,KRW-BTC,", START_DATE="20260201", UPBIT__BASE_URL="http://127.0.0.1:80/"
    )
    assert settings.symbols == ("KRW-BTC", "KRW-ETH")
    assert settings.start_date == date(2026, 2, 1)
    assert settings.upbit.base_url == "http://127.0.0.1"
    assert read(home, SYMBOLS="ALL-KRW").symbols == "all-krw"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SYMBOLS", "KRW-", "'KRW-' is not a market code; write it like KRW-BTC"),
        ("SYMBOLS", "../../etc", "is not a market code"),
        ("SYMBOLS", ",", "name at least one market"),
        ("START_DATE", "yesterday", "eight digits"),
        ("START_DATE", "20260230", "no such day"),
        ("EXCHANGE", "../../etc", "should match"),
        ("TRADING__MODE", "real", "'paper' or 'live'"),
        ("WEB__PORT", "0", "greater than or equal to 1"),
        ("WEB__PORT", "http", "valid integer"),
        ("S3__ENDPOINT", "nowhere", "write it like https://host:port"),
        ("LOG__LEVEL", "loud", "'debug', 'info'"),
    ],
)
def test_an_impossible_value_is_refused_by_name(home, name, value, reason):
    """One sentence: the variable, the value, what is wrong with it."""
    with pytest.raises(BadSettingError, match=re.escape(reason)) as refusal:
        read(home, **{name: value})
    assert str(refusal.value).startswith(f"COINHTS_{name} cannot be '")


@pytest.mark.parametrize(
    "value", ["x" * 10_000, "a\0b", "line\nline", "\x1b[31m", "../../etc\0", "\ud800", "~nobody-here/x"]
)
@pytest.mark.parametrize("name", list(setting_names()))
def test_hostile_values_never_cause_more_than_one_short_sentence(home, name, value):
    """Accepted as text or refused; nothing else, and no secret in the sentence."""
    try:
        read_settings({"COINHTS_HOME": str(home), name: value})
    except CoinhtsError as error:
        sentence = str(error)
    else:
        sentence = ""
    assert sentence == "" or sentence.isprintable()
    assert len(sentence) < 600
    assert name not in SECRETS or value not in sentence


def test_the_environment_wins_over_the_file(home):
    """And an empty variable is one that is not set, in either place."""
    note(home, "# mine\n\nexport COINHTS_WEB__PORT = '4000'\nCOINHTS_WEB__HOST=0.0.0.0\nCOINHTS_LAKE=\n")
    settings = read(home, WEB__HOST="::1", WEB__PORT="")
    assert (settings.web.host, settings.web.port, settings.lake) == ("::1", 4000, None)


@pytest.mark.parametrize("secret", ["""a"b'c""", "a=b==", "'", '"half', "it's", "a # b", "한글"])
def test_secrets_are_taken_literally(home, secret):
    """Only a pair of quotes around the whole value goes away."""
    note(home, f'COINHTS_WEB__TOKEN={secret}\nCOINHTS_WEB__PASSWORD="{secret}"\n')
    web = read(home).web
    assert web.token.get_secret_value() == web.password.get_secret_value() == secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_file_others_may_read_is_refused(home, mode):
    """It holds secrets."""
    note(home, "COINHTS_WEB__TOKEN=hush\n", mode)
    with pytest.raises(BadEnvFileError, match="chmod 600"):
        read(home)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\nhush-hush\n", "line 2 is not like COINHTS_NAME=value"),
        ("aHVzaC1odXNo==", "line 1 is not like"),
        ("COINHTS_WEB__TOKEN hush", "line 1 is not like"),
        ("COINHTS_WEB__PORT=hush", "valid integer"),
        ("COINHTS_HOME=/hush", "only the environment"),
        (b"COINHTS_WEB__TOKEN=hush\xff", "UTF-8"),
        ("COINHTS_WEB__TOKEN=hush\0", "cannot be printed"),
    ],
)
def test_a_bad_line_is_named_without_what_stands_in_it(home, text, reason):
    """A secret pasted into the wrong place does not come out again."""
    note(home, text)
    with pytest.raises(CoinhtsError, match=reason) as refusal:
        read(home)
    assert "hush" not in str(refusal.value) or "PORT" in str(refusal.value)
    assert "aHVzaC1odXNo" not in str(refusal.value).lower()


def test_a_misspelt_name_in_the_file_is_refused(home):
    """As in the environment."""
    note(home, "COINHTS_WEB__TOKN=hush\n")
    with pytest.raises(UnknownSettingError, match="did you mean COINHTS_WEB__TOKEN") as refusal:
        read(home)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_never_shown(home, name):
    """Not in repr, not in str, not in a dump."""
    settings = read_settings({"COINHTS_HOME": str(home), name: "hush-hush"})
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", ["S3__ENDPOINT", "UPBIT__BASE_URL", "GEMINI__BASE_URL"])
def test_addresses_in_refusals_are_hidden(home, name):
    """They may carry a password."""
    with pytest.raises(BadSettingError, match="hidden") as refusal:
        read(home, **{name: "ftp://me:hush@host"})
    assert "hush" not in str(refusal.value)


def test_a_home_is_made(home):
    """With everything above it, and left empty."""
    assert usable_home(read(home / "deep")) == home / "deep"
    assert not list((home / "deep").iterdir())


def test_a_home_that_cannot_be_is_refused(tmp_path):
    """A file in its place, or a name no file system takes."""
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusableError, match="set COINHTS_HOME"):
        usable_home(read(tmp_path / "file" / "home"))
    with pytest.raises(HomeUnusableError, match="home directory"):
        read_settings({"COINHTS_HOME": "~nobody-here/home"})


def test_an_unwritable_home_is_refused():
    """Even root may not write everywhere."""
    with pytest.raises(HomeUnusableError, match="set COINHTS_HOME"):
        usable_home(read("/proc/coinhts"))
