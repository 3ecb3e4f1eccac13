import re
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import psycopg
import pytest

from coinhts_core.errors import EditedMigrationError, NewerLedgerError
from coinhts_core.ledger.migrate import FOLDER, migrate, migrations_in, rollback, status

_CATALOGUE = {
    "columns": """
        SELECT table_name, ordinal_position, column_name, data_type, domain_name, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT coalesce(conrelid::regclass::text, contypid::regtype::text), conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "domains": """
        SELECT typname, format_type(typbasetype, typtypmod), typnotnull, typdefault
        FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace
    """,
    "others": """
        SELECT relname, relkind, relpersistence, reloptions
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
    """,
    "routines": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
}


def catalogue(ledger):
    with ledger.transaction() as connection:
        return {name: sorted(map(str, connection.execute(query))) for name, query in _CATALOGUE.items()}


@pytest.fixture
def folder(tmp_path):
    """Two small migrations of our own."""
    (tmp_path / "0001_create_one.sql").write_text("CREATE TABLE one (number int);")
    (tmp_path / "0001_create_one.down.sql").write_text("DROP TABLE one;")
    (tmp_path / "0002_create_two.sql").write_text("CREATE TABLE two (number int); INSERT INTO two VALUES (2);")
    (tmp_path / "0002_create_two.down.sql").write_text("DROP TABLE two;")
    return tmp_path


def test_the_migrations_lead_to_the_schema(ledger, postgres):
    """What schema.sql shows to readers is what every ledger is, name by name."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE from_schema")
    with psycopg.connect(postgres.url("from_schema")) as connection:
        connection.execute(FOLDER.with_name("schema.sql").read_bytes())
        found = {name: sorted(map(str, connection.execute(query))) for name, query in _CATALOGUE.items()}
    assert found == catalogue(ledger)


def test_down_to_nothing_and_up_again_returns_to_the_same(ledger):
    """Every migration takes back exactly what it did."""
    before = catalogue(ledger)
    names = [migration.name for migration in migrations_in()]
    assert rollback(ledger, to=0) == names[::-1]
    assert {row.split("'")[1] for row in catalogue(ledger)["others"]} == {"migrations", "migrations_pkey"}
    assert catalogue(ledger)["domains"] == []
    assert migrate(ledger) == names
    assert catalogue(ledger) == before


def test_migrations_are_numbered_without_a_gap_and_each_can_be_taken_back():
    """0001, 0002, …, a verb and a noun, and a down file beside every up file."""
    names = [migration.name for migration in migrations_in()]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z]+(_[a-z]+)+", name) for name in names)
    assert all(migration.down for migration in migrations_in())


def test_only_what_is_missing_is_applied(empty_ledger, folder):
    """A second time there is nothing to do; a new file is all there is to do."""
    two = folder / "0002_create_two.sql"
    later = two.read_text()
    two.unlink()
    assert migrate(empty_ledger, folder) == ["0001_create_one"]
    assert migrate(empty_ledger, folder) == []
    two.write_text(later)
    assert [migration.applied_at is None for migration in status(empty_ledger, folder)] == [False, True]
    assert migrate(empty_ledger, folder) == ["0002_create_two"]
    assert rollback(empty_ledger, to=1, folder=folder) == ["0002_create_two"]
    assert rollback(empty_ledger, to=0, folder=folder) == ["0001_create_one"]
    assert migrate(empty_ledger, folder) == ["0001_create_one", "0002_create_two"]
    assert rollback(empty_ledger, to=0, folder=folder) == ["0002_create_two", "0001_create_one"]


def test_a_migration_that_fails_leaves_nothing_behind(empty_ledger, folder):
    """Neither its statements nor its record; those before it stay."""
    (folder / "0002_create_two.sql").write_text("CREATE TABLE two (number int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_ledger, folder)
    assert [migration.applied_at is None for migration in status(empty_ledger, folder)] == [False, True]
    with empty_ledger.transaction() as connection:
        assert connection.execute("SELECT to_regclass('one'), to_regclass('two')").fetchone() == ("one", None)


@pytest.mark.parametrize("change", ["edited", "renamed", "removed"])
@pytest.mark.parametrize("verb", [migrate, status, lambda ledger, folder: rollback(ledger, to=0, folder=folder)])
def test_an_applied_migration_is_history(empty_ledger, folder, change, verb):
    """Changing its file in any way is refused by name, before anything happens."""
    migrate(empty_ledger, folder)
    first = folder / "0001_create_one.sql"
    if change == "edited":
        first.write_text(first.read_text() + "-- and a word\n")
    elif change == "renamed":
        first.rename(folder / "0001_create_uno.sql")
    else:
        first.unlink()
    with pytest.raises(EditedMigrationError, match="0001_create_one"):
        verb(empty_ledger, folder)


def test_a_ledger_newer_than_the_code_is_refused(empty_ledger, folder):
    """Old code never works on tables it does not know."""
    migrate(empty_ledger, folder)
    (folder / "0002_create_two.sql").unlink()
    with pytest.raises(NewerLedgerError, match="0002_create_two"):
        migrate(empty_ledger, folder)


def test_racing_migrators_apply_each_migration_once(empty_ledger, folder):
    """The second of two table creations would fail; none does."""
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: migrate(empty_ledger, folder), range(4)))
    assert sorted(chain.from_iterable(names)) == ["0001_create_one", "0002_create_two"]


_POSITION = {
    "book": "paper",
    "symbol": "KRW-BTC",
    "day": "2026-01-01",
    "position": 1,
    "opened_at": "2026-01-01 01:00+00",
    "entry_price_krw": "100",
    "volume_base": "0.5",
    "entry_fee_krw": "0.025",
    "closed_at": "2026-01-01 02:00+00",
    "exit_price_krw": "110",
    "exit_fee_krw": "0",
    "mark_price_krw": "110",
    "profit_krw": "-4.975",
    "chain_id": "c",
}


_NOT_FINITE = [
    (column, value) for column in _POSITION if column.endswith(("_krw", "_base")) for value in ("NaN", "inf", "-inf")
]
_IMPOSSIBLE = [
    *_NOT_FINITE,
    ("symbol", "krw-btc"),
    ("symbol", "KRW-BTC\n"),
    ("position", 0),
    ("entry_price_krw", 0),
    ("exit_price_krw", 0),
    ("mark_price_krw", -1),
    ("volume_base", 0),
    ("entry_fee_krw", -1),
    ("exit_fee_krw", -1),
    ("exit_fee_krw", None),
    ("closed_at", None),
    ("closed_at", "2026-01-01 00:59+00"),
]


def test_an_impossible_position_is_refused(ledger):
    """The ledger holds no NaN, no infinity, no price of nothing and no half an exit, whoever writes."""
    places = ", ".join(f"%({name})s" for name in _POSITION)
    insert = f"INSERT INTO positions ({', '.join(_POSITION)}) VALUES ({places})".encode()  # noqa: S608 our own words
    with ledger.transaction() as connection:
        connection.execute(insert, _POSITION)
        for column, value in _IMPOSSIBLE:
            row = _POSITION | {"book": f"{column} {value}"} | {column: value}
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute(insert, row)
