import time
from contextlib import nullcontext
from datetime import timedelta
from secrets import token_hex

import pytest

from coinhts_core.backups import drill as drills
from coinhts_core.backups.drill import drill
from coinhts_core.backups.facts import difference, snapshot_of
from coinhts_core.backups.manifest import Drilled, Failed
from coinhts_core.backups.programs import dumped, read_wholly, restored
from coinhts_core.backups.restore import Restored
from coinhts_core.backups.verify import verify
from coinhts_core.errors import DamagedBackupError, UnknownBackupError
from coinhts_core.ledger.connection import connect, ensure_database
from coinhts_core.results.shelf import Shelf
from tests.core.backups.stocked import TAKEN_AT, stocked

LATER = TAKEN_AT + timedelta(minutes=30)
_AGAIN = Restored("of a day", TAKEN_AT, 11, 12, 13, (), (), {}, (), 1.0)


@pytest.fixture
def house(drilled_home, ledger):
    return stocked(drilled_home, ledger)


def test_a_drill_says_what_it_proved(house):
    """Rows, constraints, days, partitions, a backtest worked out again; written beside the backup, and all cleared."""
    name, steps = house.take(), []
    drilled = drill(house.shelf, name, house.settings, LATER, lambda *told: steps.append(told))
    proved = dict(told.split(": ", 1) for told in drilled.proved)
    assert list(proved) == ["tables", "constraints", "lake", "partitions", "backtest"]
    assert "tables of the ledger are those that were dumped" in proved["tables"]
    assert int(proved["constraints"].split()[0]) > 100
    assert proved["lake"] == "12 names hash as published, and nothing is missing that the ledger knows"
    assert proved["partitions"].startswith(
        "candles/minute KRW-BTC 2026-01-31 (1,425 rows), candles/minute KRW-BTC 2026"
    )
    kept = Shelf(house.ledger, house.lake).listed()[0]
    assert proved["backtest"] == f"backtest {kept.id[:12]} was worked out again, to the same rows"
    assert (drilled.drilled_at, drilled.manifest_digest) == (LATER, house.shelf.manifest(name).digest)
    assert 0 < drilled.seconds < 600
    assert house.shelf.noted(name, Drilled) == [drilled]
    assert house.shelf.find(name).drilled_at == LATER
    assert not list((house.settings.home / "drills").glob("drill-*"))
    assert steps[-1][1] == steps[-1][2]


def test_a_drill_of_what_is_not_there_or_not_believed_says_so(house):
    """Nothing is begun for a name that nobody knows, and nothing noted about a manifest that cannot be read."""
    with pytest.raises(UnknownBackupError):
        drill(house.shelf, "20200101T000000Z", house.settings, LATER)
    name = house.take()
    path = f"{name}/manifest.json"
    content = bytes(house.shelf.store.get(path))
    house.shelf.store.remove(path)
    house.shelf.store.create(path, content[:-9])
    with pytest.raises(DamagedBackupError):
        drill(house.shelf, name, house.settings, LATER)
    assert not house.shelf.find(name).is_whole


def test_what_does_not_hold_is_named(house):
    """A row that a constraint refuses, a day that the lake came back without, a backtest that came out otherwise."""
    manifest = house.shelf.manifest(house.take())
    url = house.ledger.url
    told = drills._constraints(manifest, "ledger", url).told
    assert told.endswith("hold of every row of the ledger")
    with connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("INSERT INTO deliveries (alert, sink) VALUES (7, 'file')")
    with pytest.raises(DamagedBackupError, match="deliveries_alert_fkey"):
        drills._constraints(manifest, "ledger", url)
    with connect(url) as connection:
        connection.execute("DELETE FROM deliveries")
        connection.execute("UPDATE results SET frames = jsonb_set(frames, '{equity,hash}', to_jsonb(repeat('0', 64)))")
    with pytest.raises(DamagedBackupError, match="the equity of backtest"):
        drills._backtest(manifest, house.ledger, house.lake, house.settings)
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO coverage VALUES ('KRW-BTC', '1m', '2026-02-20', 'complete', 1, repeat('0', 64), now())"
        )
    with pytest.raises(DamagedBackupError, match="1 days of candles/minute KRW-BTC, such as 2026-02-20"):
        drills._lake(manifest, _AGAIN, house.lake, url)
    known = manifest.model_copy(update={"lacks": ("the lake lacks a day",)})
    assert drills._lake(known, _AGAIN, house.lake, url).told.endswith("but for what it lacked before")


def test_whoever_finds_damage_writes_it_down(house, monkeypatch):
    """The backup is not whole from then on, and the note says in which words."""
    name = house.take()
    lost = house.shelf.manifest(name).parts[0]
    monkeypatch.setattr(drills, "restore", _refusing(name, lost.name))
    monkeypatch.setattr(drills, "scratch", lambda settings, _: nullcontext(settings))
    with pytest.raises(DamagedBackupError, match="is missing"):
        drill(house.shelf, name, house.settings, LATER)
    noted = house.shelf.noted(name, Failed)
    assert [of.damages for of in noted] == [(f"in a drill, {lost.name} is missing",)]
    assert not house.shelf.find(name).is_whole


def _refusing(name, part):
    def restore(*_):
        raise DamagedBackupError(name=name, reason=f"{part} is missing")

    return restore


_POSITIONS = """
    INSERT INTO positions
    SELECT
        'backtest:sma_cross', 'KRW-BTC', '2000-01-01'::date + number % 9000, number, moment, 1000 + number, 0.5, 0.25,
        moment + interval '1 hour', 1100 + number, 0.25, 1100 + number, 50, md5(number::text), moment
    FROM (
        SELECT number, '2000-01-01'::timestamptz + number * interval '1 minute' AS moment
        FROM generate_series(1, 600000) AS number
    ) AS made
"""
_TRIALS = """
    INSERT INTO trials
    SELECT
        encode(sha256(number::text::bytea), 'hex'), 'sma_cross', ARRAY['KRW-BTC'], '2026-01-01', '2026-01-31',
        sin(number), '2026-01-01'::timestamptz + number * interval '1 second'
    FROM generate_series(1, 400000) AS number
"""


@pytest.mark.slow
def test_a_million_rows_are_brought_back_in_seconds(house, postgres, capsys):
    """Printed: how long each step of a backup of so many rows takes, and of a drill; nothing is different after it."""
    for statement in (_POSITIONS, _TRIALS):
        with house.ledger.transaction() as connection:
            connection.execute(statement)
    url, took = house.ledger.url, {}

    def timed(what, call):
        begun = time.monotonic()
        found = call()
        took[what] = time.monotonic() - begun
        return found

    with snapshot_of(url) as snapshot:
        facts = timed("facts (rows counted and hashed)", snapshot.facts)
        dump = timed("dump (pg_dump)", lambda: list(dumped(url, snapshot.name, snapshot.major)))
    timed("dump read wholly", lambda: read_wholly(dump, 18))
    there = postgres.url(f"test_{token_hex(8)}")
    ensure_database(there)
    timed("restore (pg_restore)", lambda: restored(dump, there, 18))
    with snapshot_of(there) as snapshot:
        here = timed("compare (rows counted and hashed again)", snapshot.facts)
    name = timed("a backup, from its beginning to its manifest", house.take)
    found = timed("verify", lambda: verify(house.shelf, name, LATER))
    drilled = timed("a drill, from its beginning to its note", lambda: drill(house.shelf, name, house.settings, LATER))
    rows = sum(of.rows for of in facts.tables.values())
    with capsys.disabled():
        print(f"\n{rows:,} rows, a dump of {sum(map(len, dump)) / 1e6:,.1f} MB")  # noqa: T201 - figures that people asked for
        for what, seconds in took.items():
            print(f"  {what:46} {seconds:7.2f} s")  # noqa: T201 - as above
    assert rows >= 1_000_000
    assert difference(facts, here) == []
    assert found.damages == ()
    assert dict(told.split(": ", 1) for told in drilled.proved)["tables"].startswith(f"{rows:,} rows in ")
