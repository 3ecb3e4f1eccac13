import json
import socket
import sys

import pytest

from coinhts_core.ledger.venue import mark_venue
from coinhts_pipeline.doctor import examine
from coinhts_pipeline.health.diagnosis import State

OF_THE_MACHINE = ["python", "packages", "memory", "open files", "temporary folder", "compiled code", "settings"]
OF_THE_HOME = ["home", "disk", "start", "port", "strategies", "laws", "lake", "exchange", "markets"]
OF_WHAT_IS_STORED = ["symbols", "candles", "holes", "day bars", "days", "runs", "daemon"]


@pytest.fixture(autouse=True)
def _free_port(monkeypatch):
    """Somebody may work on this machine, with a house of their own up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("COINHTS_WEB__PORT", str(free.getsockname()[1]))


def found():
    return {finding.check: finding for finding in examine()}


def failed():
    return {finding.check: finding.found for finding in examine() if finding.state is State.FAILED}


def test_a_healthy_house_is_well_in_every_respect(house):
    """Machine to days: each check says what it found, and a fresh house only has work to do."""
    findings = found()
    assert [of for of in findings.values() if not of.is_well] == []
    assert list(findings) == [
        *OF_THE_MACHINE,
        *OF_THE_HOME,
        "postgres",
        "clock",
        "ledger",
        "venue",
        *OF_WHAT_IS_STORED,
    ]
    assert findings["settings"].found == "sample, paper trading, from 2026-01-01"
    assert findings["symbols"].found == "KRW-BTC, KRW-ETH, KRW-XRP"
    assert findings["days"].to_do == "`coinhts backfill` does it"
    assert house


def test_every_trouble_says_what_to_do(house, monkeypatch):
    """A finding without it would leave a person alone."""
    monkeypatch.setenv("COINHTS_LAKE", "/proc/no/lake")
    monkeypatch.setenv("COINHTS_EXCHANGE", "upbitt")
    troubles = [of for of in examine() if of.state is not State.OK]
    assert {"lake", "exchange", "venue"} <= {of.check for of in troubles}
    assert all(of.to_do and of.found.endswith(of.to_do) for of in troubles)
    assert house


def test_a_misspelt_setting_ends_the_examination_with_its_sentence(monkeypatch):
    """Nothing else can be looked at, and the machine was."""
    monkeypatch.setenv("COINHTS_SYMBOL", "KRW-BTC")
    findings = found()
    assert list(findings) == OF_THE_MACHINE
    assert findings["settings"].state is State.FAILED
    assert findings["settings"].to_do == "did you mean COINHTS_SYMBOLS?"


def test_secrets_that_others_can_read_are_refused(monkeypatch, tmp_path):
    """Before any of them is used."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    (tmp_path / ".env").write_text("COINHTS_UPBIT__SECRET_KEY=canary\n")
    (tmp_path / ".env").chmod(0o644)
    finding = found()["settings"]
    assert finding.state is State.FAILED
    assert f"{tmp_path / '.env'} is refused: others may read it; `chmod 600` it" in finding.found


def test_one_fault_hides_no_other(open_house, tmp_path, monkeypatch):
    """Each is told, and what stands on none of them is looked at."""
    with open_house(tmp_path) as house:
        with house.rooms.ledger.transaction() as connection:
            connection.execute("DELETE FROM installation")
        mark_venue(house.rooms.ledger, "upbit", "elsewhere")
        (tmp_path / "strategies").mkdir()
        (tmp_path / "strategies" / "broken.py").write_text("nonsense(\n")
        (tmp_path / "file").touch()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "file"))
        monkeypatch.setenv("COINHTS_WEB__HOST", "192.0.2.1")
        monkeypatch.setenv("COINHTS_LAKE", str(tmp_path / "file"))
        findings = failed()
    assert list(findings) == ["temporary folder", "port", "strategies", "lake", "venue"]
    assert "broken.py cannot be loaded: SyntaxError" in findings["strategies"]
    assert "holds data of upbit" in findings["venue"]


def test_a_room_that_does_not_load_leaves_the_others_alone(house, monkeypatch):
    """Numba without a place for what it compiles, or packages that do not fit, end in its import."""
    monkeypatch.setitem(sys.modules, "coinhts_pipeline.health.strategies", None)
    findings = failed()
    assert list(findings) == ["strategies"]
    assert findings["strategies"].startswith("strategies does not load (ModuleNotFoundError); mend what ")
    assert "days" in found()
    assert house


def test_nothing_secret_is_told(house, monkeypatch):
    """Addresses carry passwords; wherever they are refused, they are not repeated."""
    monkeypatch.setenv("COINHTS_POSTGRES_URL", "postgresql://me:canary@127.0.0.1:1/coinhts?password=canary")
    monkeypatch.setenv("COINHTS_DAGSTER_POSTGRES_URL", "postgresql://me:canary@127.0.0.1:1/coinhts")
    monkeypatch.setenv("COINHTS_LAKE", "s3://me:canary@bucket/canary")
    monkeypatch.setenv("COINHTS_SLACK__WEBHOOK_URL", "https://hooks/canary")
    told = json.dumps([vars(finding) for finding in examine()])
    assert "no PostgreSQL answers at 127.0.0.1:1/coinhts" in told
    assert "canary" not in told
    assert house


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--json"]])
def test_the_command_ends_with_2_and_the_first_failure(answer, monkeypatch, tmp_path, arguments):
    """The table or the document is whole nevertheless."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", "postgresql://me:canary@127.0.0.1:1/coinhts")
    monkeypatch.setenv("COINHTS_LAKE", str(tmp_path / "file"))
    code, out, err = answer(*arguments)
    assert code == 2
    assert err.startswith("error: lake failed: ")
    assert all(word in out for word in ("settings", "FAILED", "exchange", "postgres"))


def test_nothing_is_made_that_was_not_there(monkeypatch, tmp_path, empty_ledger):
    """Looking is no command that sets up; the lake's folder is made to see whether it can be."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", empty_ledger._url)
    assert failed() == {}
    assert [place.name for place in (tmp_path / "home").rglob("*")] == ["lake"]
    with empty_ledger.transaction() as connection:
        assert connection.execute("SELECT to_regclass('symbols')").fetchone() == (None,)
