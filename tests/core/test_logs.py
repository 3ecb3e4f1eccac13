import json
import logging
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from coinhts_core import logs
from coinhts_core.masking import HIDDEN, Mask
from coinhts_core.settings import Log, read_settings

_FOREIGN = logging.getLogger("somebody.else")
_LOG = logging.getLogger("coinhts.test")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Leave logging as it was found."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(capture=False)
    logging.setLogRecordFactory(factory)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def heard(tmp_path, monkeypatch, capsys):
    """Set a process up as the settings say; then whatever it wrote on stderr."""

    def set_up(*, command=None, **settings):
        monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
        for name, value in settings.items():
            monkeypatch.setenv(f"COINHTS_{name.upper()}", value)
        if command is None:
            logs.set_up(read_settings())
        else:
            logs.set_up_command(**command)
        return lambda: capsys.readouterr().err

    return set_up


def line(form, event, facts=None, error=None, secrets=()):
    record = _LOG.makeRecord(_LOG.name, logging.INFO, "file", 1, event, (), error and (type(error), error, None))
    record.facts = facts or {}
    return logs._lines(Mask(secrets), Log(format=form)).format(record)


def test_people_read_a_sentence_and_its_facts(heard):
    """Time in UTC, how grave, who, what; then the ids of what it is about, then its own facts."""
    told = heard()
    with bound_contextvars(run_id="r-1", asset="candles/minute", partition="2026-01-02|KRW-BTC"):
        _LOG.info("asked %s", "again", extra={"facts": {"attempt": 2, "reason": "it was away"}})
    moment, rest = told().rstrip("\n").split(" ", 1)
    assert moment.endswith("Z")
    assert moment[10] == "T"
    ids = "asset=candles/minute partition=2026-01-02|KRW-BTC run_id=r-1"
    assert rest == f'info     coinhts.test: asked again {ids} attempt=2 reason="it was away"'


def test_machines_read_one_document_a_line(heard):
    """The same, under names; a traceback is inside."""
    told = heard(log__format="json")
    with bound_contextvars(request_id="q-1"):
        try:
            raise LookupError("not\nthere")  # noqa: EM101, TRY003, TRY301 - for its traceback
        except LookupError:
            _LOG.exception("in vain", extra={"facts": {"days": ["1", 2], "left": None}})
    (document,) = map(json.loads, told().splitlines())
    assert list(document) == ["time", "level", "logger", "event", "request_id", "days", "left", "exception"]
    assert (document["level"], document["days"], document["left"]) == ("error", ["1", 2], None)
    assert document["exception"].endswith("LookupError: not\nthere")


@given(st.text(), st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.none()), st.text())
def test_whatever_is_said_it_is_one_line(event, facts, error):
    """Nothing that somebody sends can pass for a line of ours, in text or in JSON."""
    document = line("json", event, facts, ValueError(error))
    assert not {"\n", "\r"} & set(document)
    assert {name: json.loads(document)[name] for name in facts} == facts
    first, *further = line("text", event, facts, ValueError(error)).split("\n")
    assert " info     coinhts.test:" in first
    assert all(other.startswith("    ") for other in further)
    assert all(letter.isprintable() for letter in "".join([first, *further]))


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_stands_in_a_line(heard, form):
    """Not in what is said, in facts within facts, in ids, or in a traceback."""
    secret = 'ge"heim-0815'  # noqa: S105 - planted
    told = heard(log__format=form, upbit__secret_key=secret)
    with bound_contextvars(path=f"/x?{secret}"):
        _LOG.warning("asked with %s", secret, extra={"facts": {"heads": [{"key": secret}], "error": OSError(secret)}})
        try:
            raise ConnectionError(secret)  # noqa: TRY301 - for its traceback
        except ConnectionError:
            _LOG.exception("refused")
    written = told()
    assert written.count(HIDDEN) >= 6
    assert "heim-0815" not in written
    if form == "json":
        assert [json.loads(of)["event"] for of in written.splitlines()] == [f"asked with {HIDDEN}", "refused"]


@given(st.sampled_from(["text", "json"]), st.text("abc\"\\{}'\n 가", min_size=4), st.text(max_size=9))
def test_a_masked_line_is_still_one(form, secret, around):
    """Wherever the secret stood, and whatever it is made of."""
    told = line(form, around + secret, {"key": [secret]}, ValueError(secret), secrets=[secret])
    if form == "json":
        assert json.loads(told)["key"] == [HIDDEN]
    else:
        assert f'key=["{HIDDEN}"]' in told


@pytest.mark.parametrize(
    ("how", "ours", "theirs"),
    [
        ({}, "info warning error", "warning error"),
        ({"log__level": "debug"}, "debug info warning error", "warning error"),
        ({"log__level": "error"}, "error", "error"),
        ({"command": {"debug": False}}, "warning error", "warning error"),
        ({"command": {"debug": True}}, "debug info warning error", "warning error"),
        ({"command": {"debug": False}, "log__level": "error"}, "error", "error"),
        ({"command": {"debug": False}, "log__level": "loud"}, "warning error", "warning error"),
    ],
)
def test_how_much_is_said(heard, how, ours, theirs):
    """A process says what the settings want, a command only what went wrong; of others only what they warn of."""
    told = heard(**how)
    for log in (_LOG, _FOREIGN):
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)("said")
    said = [of.split()[1:3] for of in told().splitlines()]
    assert " ".join(level for level, name in said if name == "coinhts.test:") == ours
    assert " ".join(level for level, name in said if name == "somebody.else:") == theirs


def test_setting_up_again_says_nothing_twice(heard):
    """The last word counts."""
    heard(log__format="json")
    told = heard(log__format="text")
    _LOG.info("once")
    assert told().count("once") == 1


def test_what_nobody_caught_is_a_line_as_well(tmp_path):
    """In the main thread and in any other, masked; an interrupt stays one."""
    crash = (
        "import threading\nfrom coinhts_core import logs\nfrom coinhts_core.settings import read_settings\n"
        "logs.set_up(read_settings())\n"
        "def fall(): raise OSError('hush-0815')\n"
        "thread = threading.Thread(target=fall); thread.start(); thread.join()\nfall()"
    )
    environ = {"COINHTS_HOME": str(tmp_path), "COINHTS_WEB__TOKEN": "hush-0815", "COINHTS_LOG__FORMAT": "json"}
    fallen = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, env=environ, check=False)
    told = [json.loads(of) for of in fallen.stderr.splitlines()]
    assert (fallen.returncode, fallen.stdout) == (1, "")
    assert [(of["level"], of["event"], of["exception"].splitlines()[-1]) for of in told] == [
        ("critical", "it crashed", f"OSError: {HIDDEN}")
    ] * 2
