import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coinhts_core.ledger.venue import mark_venue
from coinhts_pipeline.cli import main
from coinhts_pipeline.installation import PROJECT

_NOBODY = 65_534
_BROKEN = "import nothing_of_this_name\n"
PACED = '''
"""A strategy of a user."""

from typing import ClassVar

import numpy as np

from coinhts_core.strategies import Strategy


class Paced(Strategy):
    """Enter and leave by the clock."""

    enabled: ClassVar[bool] = True

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        hour = (bars.opened_at // 3_600_000_000) % 12
        return np.select([hour == 0, hour == 6], [1, -1]).astype(np.int8)
'''


def is_one_sentence(err):
    return err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err and len(err) < 600


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--symbols", "../../etc"], "'../../etc' is not a market code; write it like KRW-BTC"),
        (["--symbols", "KRW-"], "'KRW-' is not a market code"),
        (["--symbols", "x|y"], "'x|y' is not a market code"),
        (["--symbols", "x" * 10_000], "(10000 characters)"),
        (["--symbols", ","], "',' is not a market code"),
        (["--symbols", "KRW-DOGG"], "market KRW-DOGG is not listed on sample; did you mean KRW-DOGE?"),
        (["--symbols", "KRW-SOL"], "KRW-SOL is not followed; add it to COINHTS_SYMBOLS"),
        (["--timerange", "20260131-20260101"], "it ends before it begins"),
        (["--timerange", "20260101-20991231"], "2099-12-31 is not over yet"),
        (["--timerange", "last week"], "'last week' is not a range of days"),
        (["--timerange", "20260230"], "the calendar has no such day"),
        (["--timerange", "20250101-20260131"], "begins before COINHTS_START_DATE, which is 2026-01-01"),
        (["--nonsense"], "No such option"),
    ],
)
def test_a_backfill_of_nonsense_is_refused_in_one_sentence(house, answer, arguments, told):
    """Exit code 1, nothing on stdout, and no run is begun."""
    before = house.instance.get_runs_count()
    code, out, err = answer("backfill", *arguments)
    assert (code, out) == (1, "")
    assert told in err
    assert is_one_sentence(err)
    assert house.instance.get_runs_count() == before


@pytest.fixture
def fresh_home(tmp_path, postgres, monkeypatch):
    """Let the environment name a home that does not exist yet, and the session's server."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", postgres.url("a_fresh_home"))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("SYMBOL=KRW-BTC", "COINHTS_SYMBOL is not a setting of coinhts (.env.example lists them all); did you mean"),
        ("SYMBOLS=x|y", "COINHTS_SYMBOLS cannot be"),
        ("START_DATE=yesterday", "COINHTS_START_DATE cannot be 'yesterday'"),
        ("EXCHANGE=upbot", "COINHTS_EXCHANGE cannot be 'upbot': choose one of"),
        ("WEB__HOST=0.0.0.0", "COINHTS_WEB__HOST cannot be '0.0.0.0': without a login only loopback is bound"),
        ("WEB__PORT=99999", "COINHTS_WEB__PORT cannot be"),
    ],
)
@pytest.mark.usefixtures("fresh_home")
def test_a_bad_setting_is_refused_by_name(answer, monkeypatch, setting, told):
    """The nearest name is suggested, and what would be allowed is said."""
    name, value = setting.split("=")
    monkeypatch.setenv(f"COINHTS_{name}", value)
    code, out, err = answer("up")
    assert (code, out) == (1, "")
    assert told in err
    assert is_one_sentence(err)


def test_an_unknown_strategy_is_answered_with_the_nearest(house, answer):
    """A typing mistake costs one more try."""
    code, out, err = answer("strategy", "show", "sma_cros")
    assert (code, out) == (1, "")
    assert "there is no strategy 'sma_cros'" in err
    assert "; did you mean sma_cross?" in err
    assert is_one_sentence(err)
    assert house


def test_another_venue_on_the_same_ledger_or_home_is_refused(open_house, answer, tmp_path):
    """Data of two venues are never mixed; a fresh home is suggested."""
    with open_house(tmp_path) as house:
        with house.rooms.ledger.transaction() as connection:
            connection.execute("DELETE FROM installation")
        mark_venue(house.rooms.ledger, "upbit", "elsewhere")
        code, out, err = answer("backfill")
        assert (code, out) == (1, "")
        assert "the ledger holds data of upbit, and COINHTS_EXCHANGE says sample" in err
        assert f"such as {tmp_path}-sample" in err
        assert is_one_sentence(err)
        with house.rooms.ledger.transaction() as connection:
            connection.execute("DELETE FROM installation")
        (tmp_path / "lake" / "venue.json").unlink()
        house.rooms.lake.mark_venue("upbit", "elsewhere")
        code, out, err = answer("backfill")
        assert (code, out) == (1, "")
        assert "venue.json holds data of upbit" in err
        assert is_one_sentence(err)


def test_an_unreachable_server_is_named_without_its_password(tmp_path, answer, monkeypatch):
    """Nobody listens there: exit code 3, and the secret stays one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", f"postgresql://trader:hush-hush@127.0.0.1:{port}/coinhts")
    for command in (["backfill"], ["ledger", "status"]):
        code, out, err = answer(*command)
        assert (code, out) == (3, "")
        assert f"no PostgreSQL answers at 127.0.0.1:{port}/coinhts" in err
        assert "hush" not in err
        assert is_one_sentence(err)


def test_a_home_below_a_file_cannot_be_used(tmp_path, answer, monkeypatch):
    """Whatever the privileges."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "file" / "home"))
    code, out, err = answer("backfill")
    assert (code, out) == (1, "")
    assert "cannot be used (Not a directory); set COINHTS_HOME to a directory you may write to" in err
    assert is_one_sentence(err)


def test_a_home_that_may_not_be_written_cannot_be_used(answer, monkeypatch):
    """An ordinary user is told in the same words."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o555)
    monkeypatch.setenv("COINHTS_HOME", str(home))
    answer("strategy", "show", "nothing")  # which imports what the user below may not be able to read
    code, err = _told_to_an_ordinary_user("backfill")
    home.rmdir()
    assert code == 1
    assert f"{home} cannot be used (Permission denied)" in err
    assert is_one_sentence(err)


def _told_to_an_ordinary_user(*arguments):
    """Run a command in a forked process without privileges: its exit code and stderr."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        sys.argv = ["coinhts", *arguments]
        sys.stderr = os.fdopen(writing, "w")
        try:
            main()
        except SystemExit as ended:
            sys.stderr.flush()
            os._exit(ended.code)
        os._exit(70)
    os.close(writing)
    with os.fdopen(reading) as told:
        err = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), err


def test_a_file_of_secrets_that_others_may_read_is_refused(tmp_path, answer, monkeypatch):
    """What it holds is not told."""
    (tmp_path / ".env").write_text("COINHTS_UPBIT__SECRET_KEY=hush\n")
    (tmp_path / ".env").chmod(0o644)
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    code, out, err = answer("backfill")
    assert (code, out) == (1, "")
    assert "others may read it; `chmod 600` it" in err
    assert "hush" not in err
    assert is_one_sentence(err)


@pytest.mark.parametrize("command", [["backfill"], ["strategy", "list"]])
def test_a_broken_file_of_a_user_is_named(house, answer, command):
    """Nothing is skipped in silence: the file, and what is wrong with it."""
    folder = house.installation.settings.strategies_folder
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(_BROKEN)
    try:
        code, out, err = answer(*command)
    finally:
        shutil.rmtree(folder)
    assert (code, out) == (1, "")
    assert "mine.py cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_this_name'" in err
    assert is_one_sentence(err)


def test_a_port_that_is_taken_is_named(house, answer, monkeypatch):
    """Before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("COINHTS_WEB__PORT", str(port))
        code, out, err = answer("up")
    assert (code, out) == (1, "")
    assert f"port {port} on 127.0.0.1 is taken; set COINHTS_WEB__PORT to a free one" in err
    assert is_one_sentence(err)
    assert house


def test_a_bug_is_one_sentence_too_and_a_trace_for_who_asks(house, answer, monkeypatch):
    """Exit code 3, and how to see more."""

    def broken(*_):
        _ = 1 / 0

    monkeypatch.setattr("coinhts_core.lineup.read_lineup", broken)
    code, _, err = answer("strategy", "show", "sma_cross")
    assert code == 3
    assert err == "error: ZeroDivisionError: division by zero; run it again with --debug and report what it shows\n"
    with pytest.raises(ZeroDivisionError):
        answer("strategy", "show", "sma_cross", "--debug")
    assert house


@pytest.mark.parametrize("can_be_read", [True, False])
def test_a_bug_tells_no_secret(house, answer, monkeypatch, can_be_read):
    """Neither of settings that can be read, nor of those that cannot."""

    def broken(*_):
        msg = "no answer at postgresql://me:hush-0815@host, nor with the token hush-4711"
        raise OSError(msg)

    monkeypatch.setenv("COINHTS_WEB__TOKEN", "hush-4711")
    monkeypatch.setattr("coinhts_core.lineup.read_lineup", broken)
    if not can_be_read:
        monkeypatch.setattr("coinhts_core.settings.read_settings", broken)
    code, _, err = answer("strategy", "show", "sma_cross")
    assert code == 3
    assert err.startswith("error: OSError: no answer at postgresql://***@host, nor with the token ***; run it again")
    assert house


def test_a_secret_in_the_wrong_place_is_not_repeated(answer, monkeypatch, tmp_path):
    """Though what was typed is named when it is no option."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    monkeypatch.setenv("COINHTS_WEB__TOKEN", "hush-4711")
    code, out, err = answer("backfill", "hush-4711", "spare")
    assert (code, out) == (1, "")
    assert "(*** spare)" in err


@pytest.fixture(scope="module")
def recent_house(open_house):
    """Give a house that begins the day before yesterday."""
    start = datetime.now(UTC) - timedelta(days=2)
    with open_house(symbols="KRW-BTC", start_date=f"{start:%Y%m%d}") as house:
        yield house


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("demo", dict),
        ("backfill", dict),
        ("backfill --stale", dict),
        ("doctor", list),
        ("strategy list", list),
        ("strategy show sma_cross", dict),
        ("ledger migrate", list),
        ("ledger status", list),
    ],
)
def test_every_command_gives_one_document(recent_house, answer, monkeypatch, command, kind):
    """With --json stdout holds a document of its own and nothing else; without it, words for a person."""
    for name, value in recent_house.environ.items():
        monkeypatch.setenv(name, value)
    code, out, err = answer(*command.split(), "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out), kind)
    code, out, _ = answer(*command.split())
    assert code == 0
    assert out.strip()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out)


def test_a_strategy_is_one_new_file(coinhts, open_house, tmp_path):
    """Written into the home, one backfill fills its rooms, and another version of it is refolded by --stale."""
    with open_house(tmp_path, symbols="KRW-BTC", start_date="2026-01-30") as house:
        settings = {
            name.removeprefix("COINHTS_"): value for name, value in house.environ.items() if name.startswith("COINHTS_")
        }
        (tmp_path / "strategies").mkdir()
        file = tmp_path / "strategies" / "paced.py"
        file.write_text(PACED)
        filled = coinhts("backfill", "--timerange", "20260130-20260202", "--json", **settings)
        assert json.loads(filled.stdout)["partitions"] == 4, filled.stderr
        for asset in ("signals/paced", "backtests/paced", "positions/paced"):
            assert len(house.events(asset)) == 4
        assert house.rooms.lake.read_whole("performance/paced")["days"].to_list() == [4]
        file.write_text(PACED.replace("hour == 6", "hour == 5"))
        stale = coinhts("backfill", "--stale", "--json", **settings)
        assert json.loads(stale.stdout)["partitions"] == 4, stale.stderr
        assert len({event.tags["dagster/data_version"] for event in house.events("backtests/paced")}) == 8
        assert len({event.tags["dagster/data_version"] for event in house.events("backtests/sma_cross")}) == 4


def test_help_is_quick_and_names_every_command(coinhts):
    """Nothing heavy is imported to answer it, and no home is made."""
    shown = coinhts("--help", home="nowhere")
    assert shown.returncode == 0
    for command in ("demo", "up", "backfill", "doctor", "strategy", "ledger"):
        assert f"\n  {command} " in shown.stdout
    assert not (PROJECT / "nowhere").exists()
    heavy = "import sys, coinhts_pipeline.cli; print({'structlog', 'pydantic', 'dagster', 'polars'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert found.stdout == "set()\n"
