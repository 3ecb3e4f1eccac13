import json
import os
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.clock import now
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import open_installation
from tests.core.backups.cleared import clear_drills

ASKED = ("backtest", "run", "--strategy", "sma_cross", "--symbols", "KRW-BTC", "--timerange", "20260102-20260103")
# What people look at first; each must say the same of an installation that was brought back.
QUESTIONS = (
    ("backtest", "list"),
    ("position", "list"),
    ("data", "status", "--timerange", "20260101-20260103"),
    ("signal", "list", "--date", "2026-01-03"),
    ("lake", "list"),
    ("lake", "verify"),
)


@pytest.fixture
def elsewhere(postgres, tmp_path):
    """Lead commands to a home that holds nothing, and to the backups of the home before."""
    made, before = [], dict(os.environ)

    def go(**named):
        name = f"test_{token_hex(8)}"
        made.extend([name, f"{name}_dagster"])
        backups = Path(os.environ["COINHTS_HOME"]) / "backups"
        os.environ |= {
            "COINHTS_BACKUPS": named.get("backups", str(backups)),
            "COINHTS_HOME": str(tmp_path / name),
            "COINHTS_POSTGRES_URL": postgres.url(name),
            "COINHTS_DAGSTER_POSTGRES_URL": "",
        }
        return tmp_path / name

    yield go
    os.environ.clear()
    os.environ.update(before)  # the house that was left has closed by now, and its names are nobody's
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@pytest.fixture
def asked(answer):
    """Ask for a document, and give it."""

    def document(*arguments, code=0):
        found, out, err = answer(*arguments, "--json")
        assert found == code, err
        return json.loads(out)

    return document


def test_a_restored_installation_answers_the_same(open_house, elsewhere, asked, answer):
    """Every question a person asks first, down to a stored backtest and what is set; and it works on."""
    with open_house(symbols="KRW-BTC", start_date="2026-01-01") as house:
        assert house.run("2026-01-01|KRW-BTC", "2026-01-03|KRW-BTC").success
        asked("position", "open", "KRW-BTC", "--price", "95000000", "--volume", "0.1", "--time", "2026-01-02 09:00 KST")
        asked("config", "set", "stop_loss_pct", "7")
        result = asked(*ASKED)["id"]
        before = {question: _timeless(asked(*question)) for question in QUESTIONS}
        shown, config = asked("backtest", "show", result), asked("config", "show")
        runs = {run.run_id: run.status for run in house.instance.get_runs()}
        taken = asked("backup", "run")
        assert taken["lacks"] == []
        elsewhere()
        restored = asked("backup", "restore")
        assert (restored["name"], restored["lacks"], restored["secrets"]) == (taken["name"], [], [])
        for question, told in before.items():
            assert {question: _timeless(asked(*question))} == {question: told}
        assert asked("backtest", "show", result) == shown
        assert asked("config", "show")["ledger"] == config["ledger"]
        with open_installation(read_settings()) as there:
            assert {run.run_id: run.status for run in there.instance.get_runs()} == runs
        assert asked("backfill", "--timerange", "20260101-20260103")["runs"] == []
        refused = answer("backup", "restore")
        assert (refused[0], refused[2].count("\n")) == (1, 1)


def _timeless(told):
    """How long a position is held by now is the one thing that goes on."""
    for position in told.get("positions", []) if isinstance(told, dict) else []:
        del position["held_s"]
    return told


def test_backups_are_taken_listed_and_looked_at(open_house, answer, asked):
    """Documents for machines, tables for people, two for whoever finds damage."""
    with open_house(symbols="KRW-BTC") as house:
        assert "there is none in" in answer("backup", "list")[1]
        assert asked("backup", "list") == []
        assert answer("backup", "verify")[2].count("holds no whole backup") == 1
        code, out, err = answer("backup", "run")
        assert (code, err) == (0, "")
        assert "backed up" in out
        assert "all of it was read back" in out
        (listed,) = asked("backup", "list")
        assert (listed["verdict"], listed["is_whole"], listed["lacks"]) == ("verified", True, [])
        assert listed["name"] in answer("backup", "list")[1]
        assert asked("backup", "verify")["damages"] == []
        assert "read back" in answer("backup", "verify", listed["name"])[1]
        dump = house.installation.settings.home / "backups" / listed["name"] / "ledger.dump"
        dump.write_bytes(dump.read_bytes()[:-1])
        code, out, err = answer("backup", "verify", listed["name"])
        assert (code, err.count("\n")) == (2, 1)
        assert "ledger.dump has" in " ".join(out.split())
        assert asked("backup", "list")[0]["verdict"] == "damaged"
        assert asked("backup", "verify", code=2)["name"] == listed["name"]


def test_what_the_lake_lacks_ends_in_two(open_house, answer, asked):
    """The backup is there all the same, and says so."""
    with open_house(symbols="KRW-BTC") as house:
        assert house.run("2026-01-01|KRW-BTC", only=["candles/minute"]).success
        for file in (house.installation.settings.home / "lake" / "candles").rglob("*.parquet"):
            file.unlink()
        code, out, err = answer("backup", "run")
        assert code == 2
        assert "could not be copied: it is missing" in " ".join(out.split())
        assert "lacks 2 things" in err
        assert len(asked("backup", "list")[0]["lacks"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["restore", "20260101T000000Z", "--at", "2026-01-01"], "name a backup or a moment, not both"),
        (["restore", "--at", "yesterday"], "'yesterday' is no moment; write it like 2026-01-31T04:00"),
        (["restore", "--at", "2026-01-01T09:00+09:00"], "holds no whole backup taken by 2026-01-01 00:00 UTC"),
        (["restore", "--at", "20260101T000000Z"], "holds no whole backup taken by 2026-01-01 00:00 UTC"),
        (["restore"], "holds no whole backup;"),
        (["verify", "../.."], "holds no backup ../..;"),
        (["verify"], "holds no whole backup;"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(answer, tmp_path, monkeypatch, arguments, told):
    """Exit code 1, and no server is begun for it."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    code, out, err = answer("backup", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert not (tmp_path / "postgres").exists()
    assert not (tmp_path / "postgres.path").exists()


def test_a_backup_is_tried(open_house, answer, asked, request):
    """What was proved, for machines and for people; what came back otherwise ends in two."""
    with open_house(symbols="KRW-BTC") as house:
        request.addfinalizer(partial(clear_drills, house.rooms.settings.home))
        assert house.run("2026-01-01|KRW-BTC", only=["candles/minute"]).success
        assert "holds no whole backup" in answer("backup", "drill")[2]
        name = asked("backup", "run")["name"]
        drilled = asked("backup", "drill")
        assert drilled["name"] == name
        assert [told.partition(":")[0] for told in drilled["proved"]][:2] == ["tables", "constraints"]
        assert asked("backup", "list")[0]["drilled_at"]
        code, out, _ = answer("backup", "drill", name)
        assert code == 0
        assert f"{name} came back whole" in out
        assert "constraints" in out
        dump = house.installation.settings.home / "backups" / name / "ledger.dump"
        dump.write_bytes(dump.read_bytes()[:-1])
        code, _, err = answer("backup", "drill")
        assert (code, err.count("\n")) == (2, 1)
        assert asked("backup", "list")[0]["verdict"] == "damaged"


def test_backups_go_by_a_report(open_house, answer, asked):
    """First what would go and why the others stay; when asked to, it goes; and nothing while anything is wrong."""
    with open_house(symbols="KRW-BTC") as house:
        shelf = BackupShelf.open(house.installation.settings)
        moments = [now() - timedelta(hours=hours) for hours in (120, 119, 118, 117, 30)]
        for at in moments:
            take(house.installation.settings, shelf, at)
        told = asked("backup", "prune", "--yes", code=1)
        assert "older than 26 hours" in told["refusals"][0]
        assert told["removed"]["backups"] == []
        assert "none goes:" in answer("backup", "prune")[1]
        take(house.installation.settings, shelf, now())
        told = asked("backup", "prune")
        goes = [of["name"] for of in told["backups"] if of["state"] == "obsolete"]
        assert (len(goes), told["removed"]) == (1, None)
        assert len(shelf.listed()) == 6
        assert "1 of 6 may go" in " ".join(answer("backup", "prune")[1].split())
        assert "1 backups and 0 objects are gone" in " ".join(answer("backup", "prune", "--yes")[1].split())
        assert goes[0] not in [of.name for of in shelf.listed()]
