import json
import os
import pwd

import pytest

from coinhts_core.settings import setting_names


def asked(answer, *arguments):
    code, out, err = answer("config", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.fixture
def own(open_house):
    """Give an installation of its own."""
    with open_house() as house:
        yield house


def test_everything_set_is_shown_with_its_source_and_no_secret(own, answer, monkeypatch):
    """In the environment, in `.env`, or nowhere."""
    secrets = {
        "COINHTS_UPBIT__SECRET_KEY": "hush-upbit",
        "COINHTS_SLACK__WEBHOOK_URL": "https://hooks.example.com/services/hush-hush",
        "COINHTS_S3__ENDPOINT": "https://me:hush-password@s3.example.com",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    note = own.installation.settings.home / ".env"
    note.write_text("COINHTS_GEMINI__API_KEY=hush-gemini\nCOINHTS_LOG__LEVEL=debug\n")
    note.chmod(0o600)
    shown = asked(answer, "show")
    named = {of["name"]: (of["value"], of["source"]) for of in shown["environment"]}
    assert named.keys() == set(setting_names())
    assert named["COINHTS_LOG__LEVEL"] == ("debug", ".env")
    assert named["COINHTS_START_DATE"] == ("2026-01-01", "default")
    assert named["COINHTS_SYMBOLS"] == ("KRW-BTC,KRW-ETH,KRW-XRP", "default")
    assert named["COINHTS_UPBIT__SECRET_KEY"] == ("(hidden)", "environment")
    assert named["COINHTS_GEMINI__API_KEY"] == ("(hidden)", ".env")
    assert named["COINHTS_WEB__PASSWORD"] == ("", "default")
    assert named["COINHTS_S3__ENDPOINT"][0] == "https://***@s3.example.com"
    kept = {of["name"]: of for of in shown["ledger"]}
    assert (kept["stop_loss_pct"]["value"], kept["stop_loss_pct"]["source"]) == (5, "default")
    assert kept["stop_loss_pct"]["takes"] == "a number from 3 to 10"
    words = answer("config", "show")[1]
    assert "position_size_max_pct" in words
    assert "hush" not in words + json.dumps(shown)


def test_a_change_is_shown_and_told_in_the_history(own, answer):
    """With who made it, whatever the environment claims, and when, as in Korea too."""
    assert asked(answer, "set", "stop_loss_pct", "7.5")["change"]["value_after"] == "7.5"
    assert asked(answer, "set", "stop_loss_pct", "7.50") == {"changed": False, "change": None}
    got = asked(answer, "get", "stop_loss_pct")
    assert (got["value"], got["source"], got["default"]) == (7.5, "ledger", 5)
    assert answer("config", "get", "stop_loss_pct")[1] == "7.5\n"
    assert answer("config", "set", "stop_loss_pct", "default")[1] == "stop_loss_pct: 7.5 -> the default\n"
    assert answer("config", "set", "stop_loss_pct", "default")[1] == "stop_loss_pct was that already\n"
    me = pwd.getpwuid(os.getuid()).pw_name
    history = asked(answer, "history")
    assert [(of["name"], of["value_after"], of["changed_by"]) for of in history] == [
        ("stop_loss_pct", None, me),
        ("stop_loss_pct", "7.5", me),
    ]
    assert asked(answer, "history", "trading_enabled") == []
    words = answer("config", "history", "stop_loss_pct")[1]
    assert "KST" in words
    assert "the default" in words
    assert answer("config", "history", "trading_enabled")[1] == "nothing was ever changed\n"
    assert own


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set", "stop_loss_pct", "12"], "stop_loss_pct cannot be '12': it takes a number from 3 to 10"),
        (["set", "stop_los_pct", "5"], "there is no setting 'stop_los_pct' in the ledger"),
        (["get", "stop_los_pct"], "did you mean stop_loss_pct?"),
        (["history", "nonsense"], "there is no setting 'nonsense'"),
        (["set", "stop_loss_pct"], "Missing argument 'VALUE'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(house, answer, arguments, told):
    """Exit code 1, nothing on stdout."""
    code, out, err = answer("config", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert house
