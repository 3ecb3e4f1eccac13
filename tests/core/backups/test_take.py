import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from pydantic import SecretStr

from coinhts_core.backups.manifest import Verified
from coinhts_core.backups.parts import files_of, heads_of
from coinhts_core.backups.take import addresses, sweep_left_overs, take
from coinhts_core.backups.verify import verify
from coinhts_core.errors import RefusedError
from coinhts_core.lake.commits import locate
from tests.core.backups.conftest import TAKEN_AT, environment_of

LATER = TAKEN_AT + timedelta(hours=1)
_TAKE_UNTIL_KILLED = """
import os, signal, sys
from datetime import datetime
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.settings import read_settings

def progress(step, done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

settings = read_settings()
take(settings, BackupShelf.open(settings), datetime.fromisoformat(sys.argv[1]), progress)
"""


def test_a_backup_holds_all_that_is_there(installed):
    """Both databases, the lake's newest commits with their rows, files of people and of the home; and is proved."""
    manifest = installed.take()
    tables = {name: of.tables for name, of in manifest.databases.items()}
    assert (tables["ledger"]["public.coverage"].rows, tables["dagster"]["public.runs"].rows) == (3, 50)
    assert (manifest.venue, manifest.lacks, manifest.parent) == ("sample", (), None)
    assert manifest.schema_revision.startswith("00")
    entries = heads_of(installed.shelf.store, manifest)
    newest = {folder.marker(head.number) for folder, head in _heads(installed).items()}
    assert {of.path for of in entries if locate(of.path) and locate(of.path).is_marker} == newest
    assert {of.path for of in entries if not locate(of.path)} == {
        "venue.json", "uploaded-files/reports/2026-01.html", "uploaded-notes/reports/2026-01.html",
    }  # fmt: skip
    own = files_of(installed.shelf.store, manifest).files
    assert [of.path for of in own] == ["strategies/mine/own.py", "strategies.toml"]
    (kept,) = installed.shelf.listed()
    assert (kept.name, kept.verdict, kept.size) == ("20260201T040000Z", "verified", manifest.size)
    assert installed.shelf.noted(kept.name, Verified)[0].manifest_digest == manifest.digest


def test_only_what_is_new_is_copied(installed):
    """The second of two holds as much and copies nothing; after a change, the change."""
    first = installed.take()
    assert (first.lake.new_objects, first.lake.names) == (9, 7)  # and two files of the home
    second = installed.take(LATER)
    assert (second.lake.new_objects, second.lake.size, second.parent) == (0, first.lake.size, first.name)
    assert second.parent_digest == first.digest
    installed.collect(date(2026, 2, 2))
    third = installed.take(LATER + timedelta(hours=1))
    assert (third.lake.new_objects, third.lake.names) == (2, 7)


def test_what_the_ledger_knows_and_the_lake_lacks_is_named(in_directories):
    """Days whose rows were never published, and frames of a result that are gone."""
    record = "INSERT INTO coverage VALUES ('KRW-BTC', '1m', %s, %s, 1, 'x', now(), NULL)"
    in_directories.execute(record, date(2026, 1, 5), "partial")
    in_directories.execute(record, date(2026, 1, 6), "unavailable")
    in_directories.execute(
        "INSERT INTO results (id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day, asked,"
        " metrics, made_from, frames) VALUES (repeat('a', 64), 'q', 'backtest', 's', 'account', ARRAY['KRW-BTC'], '1h',"
        """ '2026-01-01', '2026-01-02', '{}', '{}', '{}', '{"summary": {}, "trades": {}}')"""
    )
    manifest = in_directories.take()
    assert manifest.lacks == (
        "the lake lacks 1 days of candles/minute KRW-BTC that the ledger knows, such as 2026-01-05",
        "the lake lacks the summary, trades of result aaaaaaaaaaaa, which the ledger knows",
    )
    assert in_directories.shelf.newest().lacks == manifest.lacks


def test_a_damaged_lake_costs_only_what_was_never_backed_up(in_directories):
    """What an earlier backup holds is not read again; what none holds is named, and the rest is backed up."""
    kept = in_directories.take()
    (rows,) = (Path(in_directories.settings.lake) / "candles").rglob("month=2026-01/*2-*.parquet")
    rows.write_bytes(b"not these")
    assert in_directories.take(LATER).lacks == ()
    in_directories.collect(date(2026, 2, 3))
    (rows,) = (Path(in_directories.settings.lake) / "candles").rglob("month=2026-02/*2-*.parquet")
    rows.unlink()
    third = in_directories.take(LATER + timedelta(hours=1))
    assert third.lake.names == kept.lake.names - 2
    assert "could not be copied: it is missing" in third.lacks[0]
    assert "lacks 2 days" in third.lacks[1]
    assert verify(in_directories.shelf, third.name, LATER).damages == ()


def test_a_shared_object_that_rotted_is_kept_anew(in_directories):
    """As long as the lake has good bytes; every backup that shares it is whole again."""
    first = in_directories.take()
    entry = next(of for of in heads_of(in_directories.shelf.store, first) if of.path.endswith(".parquet"))
    rotten = Path(in_directories.shelf.store.full_name(f"objects/{entry.sha256}"))
    rotten.write_bytes(b"rot")
    assert verify(in_directories.shelf, first.name, LATER).damages
    assert not in_directories.shelf.find(first.name).is_whole
    second = in_directories.take(LATER)
    assert second.lake.new_objects == 1
    assert verify(in_directories.shelf, first.name, LATER + timedelta(hours=1)).damages == ()
    assert in_directories.shelf.find(first.name).is_whole


def test_work_goes_on_while_a_backup_is_taken(in_directories):
    """Whatever is collected meanwhile: the lake of a backup knows at least what its ledger does."""
    stop, day = Event(), date(2026, 3, 1)

    def work():
        for place in range(400):
            if stop.is_set():
                return
            in_directories.collect(day + timedelta(days=place % 40), close=place)

    worker = Thread(target=work)
    worker.start()
    try:
        taken = [in_directories.take(TAKEN_AT + timedelta(hours=hour)) for hour in range(4)]
    finally:
        stop.set()
        worker.join()
    rows = [of.databases["ledger"].tables["public.coverage"].rows for of in taken]
    assert rows == sorted(rows)
    assert rows[-1] > 3
    assert [of.lacks for of in taken] == [()] * 4
    assert [verify(in_directories.shelf, of.name, LATER).damages for of in taken] == [()] * 4


@pytest.mark.parametrize("step", [1, 4, 8])
def test_who_is_killed_in_the_middle_leaves_no_backup(in_directories, step):
    """Wherever it was: nothing is listed, the next one is whole, and what is left is swept after a day."""
    environment = environment_of(in_directories.settings)
    command = [sys.executable, "-c", _TAKE_UNTIL_KILLED, TAKEN_AT.isoformat(), str(step)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert in_directories.shelf.listed() == []
    assert in_directories.shelf.files().keys() == {"20260201T040000Z"}
    with pytest.raises(RefusedError, match="was begun already"):
        in_directories.take()
    manifest = in_directories.take(LATER)
    assert verify(in_directories.shelf, manifest.name, LATER).damages == ()
    for files in in_directories.shelf.files().values():
        for found in files.values():
            old = (TAKEN_AT - timedelta(days=1)).timestamp()
            os.utime(in_directories.shelf.store.full_name(found.path), (old, old))
    left = sweep_left_overs(in_directories.shelf, LATER)
    assert {path.partition("/")[0] for path in left} == {"20260201T040000Z"}
    assert in_directories.shelf.files().keys() == {manifest.name}
    assert sweep_left_overs(in_directories.shelf, LATER) == []


def test_no_secret_is_backed_up(in_directories):
    """Neither keys nor passwords nor what stands in `.env`; which there were is told."""
    canary = "canary-hush-hush"
    url = in_directories.url.replace("postgres@", f"postgres:{canary}@")
    (in_directories.settings.home / ".env").write_text(f"COINHTS_WEB__TOKEN={canary}\n")
    settings = in_directories.settings.model_copy(
        update={
            "postgres_url": SecretStr(url),
            "web": in_directories.settings.web.model_copy(update={"token": SecretStr(canary), "port": 3100}),
        }
    )
    manifest = take(settings, in_directories.shelf, TAKEN_AT)
    files = files_of(in_directories.shelf.store, manifest)
    assert files.secrets == ("COINHTS_WEB__TOKEN",)
    assert files.settings["COINHTS_WEB__PORT"] == "3100"
    for found in in_directories.shelf.store.listed():
        assert canary.encode() not in bytes(in_directories.shelf.store.get(found.path)), found.path


def test_one_database_for_everything_is_dumped_once(in_directories):
    """Whoever gives both addresses the same name has one to back up; the driver's name is no difference."""
    shared = in_directories.settings.postgres_url
    as_dagster_reads_it = SecretStr(in_directories.url.replace("postgresql://", "postgresql+psycopg2://"))
    for other in (shared, as_dagster_reads_it, None):
        found = addresses(in_directories.settings.model_copy(update={"dagster_postgres_url": other}))
        assert found == {"ledger": in_directories.url}


def test_progress_reaches_its_end(in_directories):
    """Every step is told once, and the last one is all."""
    told = []
    in_directories.take(progress=lambda step, done, total: told.append((step, done, total)))
    assert [done for _, done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][1] == told[-1][2]
    assert told[0][0] == "ledger dumped"


def test_a_ledger_that_was_never_migrated_is_backed_up(in_directories, database):
    """As it is before its first migration."""
    url = SecretStr(database())
    settings = in_directories.settings.model_copy(update={"postgres_url": url})
    manifest = take(settings, in_directories.shelf, TAKEN_AT)
    assert (manifest.venue, manifest.schema_revision, manifest.databases["ledger"].tables) == (None, None, {})


def _heads(installed):
    lake = installed.lake
    return {folder: lake._journal.head(folder) for folder in lake.folders()}


def test_a_database_that_is_gone_ends_the_backup_in_words(in_directories, database):
    """And no manifest is written."""
    url = database()
    gone = url.rpartition("/test_")[0] + "/nothing?" + url.partition("?")[2]
    settings = in_directories.settings.model_copy(update={"postgres_url": SecretStr(gone)})
    with pytest.raises(Exception, match="no PostgreSQL answers") as refusal:
        take(settings, in_directories.shelf, TAKEN_AT)
    assert not isinstance(refusal.value, psycopg.Error)
    assert in_directories.shelf.listed() == []
