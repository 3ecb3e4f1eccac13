from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backups.history import (
    DRILLS,
    LAKE_BACKUPS,
    LEDGER_BACKUPS,
    PROOFS,
    TOO_OLD,
    age_of_backup,
    age_of_drill,
    begun_at,
    drill_rows,
    drills,
    lake_rows,
    ledger_rows,
    proofs_of,
)
from coinhts_core.backups.manifest import DatabaseFacts, Drilled, LakeFacts, Manifest, Part, TableFacts, name_of
from coinhts_core.backups.retention import YOUNG_ENOUGH
from coinhts_core.backups.shelf import MANIFEST, BackupShelf, Kept
from coinhts_core.lake.directory import DirectoryStore

AT = datetime(2026, 1, 2, 4, tzinfo=UTC)
HASH = "a" * 64
HOUR = timedelta(hours=1)


def manifest(at=AT, size=7):
    table = TableFacts(rows=3, content_hash="1")
    database = DatabaseFacts(
        server="18", snapshot="1", structure_hash=HASH, tables={"public.a": table, "public.b": table}
    )
    names = ("ledger.dump", "ledger.dump.part-0002", "dagster.dump", "heads.jsonl")
    return Manifest(
        name=name_of(at),
        taken_at=at,
        coinhts="1",
        programs="pg_dump 18",
        venue="sample",
        schema_revision="0007_keep_holdings",
        databases={"ledger": database, "dagster": database},
        parts=tuple(Part(name=name, size=size, sha256=HASH) for name in names),
        lake=LakeFacts(names=5, size=50, new_objects=2, new_bytes=20),
        lacks=("a day",),
        parent=None,
        parent_digest=None,
    )


def kept(hours_ago=1.0, verdict="verified", drilled_hours_ago=None, *, is_believed=True):
    at = AT - hours_ago * HOUR
    moments = {"verified": (at, None), "damaged": (None, at), "unverified": (None, None)}[verdict]
    drilled = None if drilled_hours_ago is None else AT - drilled_hours_ago * HOUR
    return Kept(name_of(at), at, manifest(at) if is_believed else None, moments[0], drilled, moments[1])


def drilled(of, later, *proved):
    return Drilled(
        name=of.name,
        manifest_digest=HASH,
        drilled_at=of.taken_at + later,
        seconds=3.5,
        proved=proved or ("lake: well",),
    )


def test_a_backup_is_a_row_in_each_of_two_tables():
    """Oldest first; the dumps by all their parts, the lake by what was new in it."""
    backups = [kept(1), kept(2, "damaged"), kept(3, is_believed=False)]
    ledger, lake = ledger_rows(backups), lake_rows(backups)
    assert ledger.columns == LEDGER_BACKUPS.names
    assert lake.columns == LAKE_BACKUPS.names
    assert ledger["verdict"].to_list() == lake["verdict"].to_list() == ["damaged", "verified"]
    assert ledger.select("databases", "tables", "rows", "size").rows()[0] == (2, 4, 12, 21)
    assert lake.select("names", "size", "new_objects", "new_bytes", "lacks").rows()[0] == (5, 50, 2, 20, 1)
    assert ledger_rows([]).is_empty()


def test_every_drill_that_can_be_believed_is_a_row(tmp_path):
    """With the backup's age at that time, and each proof in a column of its own; of two databases together."""
    shelf, of = BackupShelf(DirectoryStore(tmp_path)), kept(30)
    shelf.store.create(f"{of.name}/{MANIFEST}", of.manifest.to_text())
    later, first = (
        drilled(of, hours * HOUR, "tables: 3 rows", "tables: 4 rows", "backtest: the same") for hours in (26, 2)
    )
    for one in (later, first):
        shelf.note(one)
    backups = shelf.listed()
    rows = drill_rows(drills(shelf, backups), backups)
    assert rows.columns == DRILLS.names
    assert rows["age_hours"].to_list() == [2.0, 26.0]
    assert rows.select("tables", "lake", "backtest", "seconds").rows()[0] == ("3 rows; 4 rows", None, "the same", 3.5)
    note = next(tmp_path.rglob("drill-*"))
    note.write_bytes(note.read_bytes()[:-3])
    assert drills(shelf, shelf.listed()) == []


def test_a_proof_of_nothing_that_is_asked_for_is_left_out():
    """What an older drill proved, and nobody asks for any more."""
    assert proofs_of(drilled(kept(), HOUR, "lake: well", "tea: served")) == {"lake": "well"}
    assert set(proofs_of(drilled(kept(), HOUR, *(f"{what}: well" for what in PROOFS)))) == set(PROOFS)


@pytest.mark.parametrize(
    ("hours", "is_young", "is_old"), [(1, True, False), (26, True, False), (26.1, False, False), (36.1, False, True)]
)
def test_an_age_is_judged_by_two_bounds(hours, is_young, is_old):
    """At 26 hours a day was missed, at 36 somebody has to be told aloud."""
    for age in (age_of_backup([kept(hours)], AT), age_of_drill([kept(50, drilled_hours_ago=hours)], AT)):
        assert (age.is_young_enough, age.is_too_old) == (is_young, is_old)
        assert age.told.endswith(f"is {hours:.1f} hours old")


def test_what_was_never_taken_or_never_proved_has_no_age():
    """It is neither young enough nor too old: there is none."""
    for age in (age_of_backup([], AT), age_of_backup([kept(1, "unverified")], AT), age_of_drill([kept(1)], AT)):
        assert (age.age, age.is_young_enough, age.is_too_old) == (None, False, False)
        assert age.told.startswith("there is no ")


@pytest.mark.parametrize(
    ("hours", "is_young", "is_old"),
    [(0, True, False), (26, True, False), (26.1, False, False), (36, False, False), (36.1, False, True)],
)
def test_a_house_without_backups_is_judged_by_its_own_age(hours, is_young, is_old):
    """Before the first is due nobody is reproached; when it never comes, it is an error like one that is missing."""
    begun = AT - hours * HOUR
    backups = [kept(1, "unverified"), kept(2, "damaged")]
    for age in (age_of_backup(backups, AT, begun), age_of_drill(backups, AT, begun), age_of_drill([], AT, begun)):
        assert (age.newest, age.age, age.without) == (None, None, hours * HOUR)
        assert (age.is_young_enough, age.is_too_old) == (is_young, is_old)
        assert age.told == f"there is no {age.what}, and the house is {hours:.1f} hours old"


def test_a_house_that_has_backups_is_judged_by_them_alone():
    """However new it is, and however old; nor is a clock that stood before its beginning held against it."""
    for begun in (AT, AT - 1000 * HOUR):
        assert age_of_backup([kept(37)], AT, begun) == age_of_backup([kept(37)], AT)
        assert age_of_backup([kept(37)], AT, begun).is_too_old
        assert age_of_drill([kept(50, drilled_hours_ago=1)], AT, begun).is_young_enough
    assert age_of_backup([], AT, AT + HOUR).without == 0 * HOUR


def test_a_house_began_with_the_first_that_was_noted_of_it(ledger):
    """A ledger that nothing was noted in has no beginning yet."""
    assert begun_at(ledger) is None
    with ledger.transaction() as connection:
        for name, at in (("later", AT + HOUR), ("first", AT), ("last", AT + 2 * HOUR)):
            connection.execute("INSERT INTO installation VALUES (%s, 'anything', %s)", (name, at))
    assert begun_at(ledger) == AT


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["verified", "unverified", "damaged"])), max_size=8))
def test_the_newest_that_was_proved_good_tells_the_age(told):
    """Nothing that is unproved or damaged makes it younger, and one more backup never makes it older."""
    backups = [kept(hours, verdict) for hours, verdict in told]
    proved = [of.taken_at for of in backups if of.verdict == "verified"]
    age = age_of_backup(backups, AT)
    assert age.newest == (max(proved) if proved else None)
    assert not (age.is_young_enough and age.is_too_old)
    assert age_of_backup([*backups, kept(0)], AT).is_young_enough
    assert YOUNG_ENOUGH < TOO_OLD
