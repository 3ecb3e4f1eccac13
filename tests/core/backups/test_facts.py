import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_core.backups.facts import difference, snapshot_of
from coinhts_core.errors import CoinhtsError

_TABLE = "CREATE TABLE told (at timestamptz, price float8, amount numeric, words text, facts jsonb, raw bytea)"


@pytest.fixture
def url(database):
    """Give a database with one table of most types."""
    url = database()
    run(url, _TABLE)
    return url


def run(url, statement, rows=None, setup=None):
    with psycopg.connect(url, autocommit=True) as connection:
        if setup:
            connection.execute(setup)
        if rows is None:
            connection.execute(statement)
        else:
            connection.cursor().executemany(statement, rows)


def facts(url):
    with snapshot_of(url) as snapshot:
        return snapshot.facts()


_ROWS = st.lists(
    st.tuples(
        st.datetimes(timezones=st.timezones()).filter(lambda of: 1 < of.year < 9000),
        st.floats(),
        st.decimals(allow_nan=False, allow_infinity=False, places=6),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
        st.just("{}"),
        st.binary(max_size=8),
    ),
    max_size=8,
)


@given(rows=_ROWS, data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_does_not_matter_and_each_of_them_does(url, rows, data):
    """The same rows in any order are the same; one more, one less or one other is not."""
    insert = "INSERT INTO told VALUES (%s, %s, %s, %s, %s, %s)"

    def hashed(rows):
        run(url, "DELETE FROM told")
        run(url, insert, rows)
        return facts(url).tables["public.told"]

    whole = hashed(rows)
    assert hashed(data.draw(st.permutations(rows))) == whole
    assert whole.rows == len(rows)
    assert hashed([*rows, (None, 1.5, None, "more", "{}", b"")]) != whole
    if rows:
        assert hashed(rows[1:]) != whole
        assert hashed([(*rows[0][:3], rows[0][3] + "x", *rows[0][4:]), *rows[1:]]) != whole


def test_a_server_told_otherwise_changes_no_hash(url, database):
    """Time zone, spelling of dates, precision of floats and bytes: a database may have its own defaults."""
    other = database()
    run(other, _TABLE)
    row = ("2026-01-02T03:04:05+09:00", 0.1 + 0.2, "1.50", "원", '{"b": 1, "a": 0.30000000000000004}', b"\xff\0")
    for place in (url, other):
        run(place, "INSERT INTO told VALUES (%s, %s, %s, %s, %s, %s)", [row])
    name = psycopg.conninfo.conninfo_to_dict(other)["dbname"]
    for setting in (
        "TimeZone TO 'Asia/Seoul'",
        "DateStyle TO 'SQL, DMY'",
        "extra_float_digits TO -5",
        "bytea_output TO 'escape'",
        "search_path TO 'nowhere'",
    ):
        run(other, f"ALTER DATABASE {name} SET {setting}")
    assert difference(facts(url), facts(other)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE one SET name = 'b' WHERE number = 1", "the rows of public.one are not those that were backed up"),
        ("DELETE FROM two", "the table public.two has 0 rows instead of 1"),
        ("DROP TABLE two", "the table public.two is missing"),
        ("CREATE TABLE three (number int)", "the table public.three is not one of the backup"),
        ("ALTER TABLE two DROP CONSTRAINT two_number_fkey", "columns, constraints"),
        ("DROP INDEX by_name", "columns, constraints"),
        ("ALTER TABLE one ALTER name DROP NOT NULL", "columns, constraints"),
        ("CREATE OR REPLACE FUNCTION judge() RETURNS trigger AS 'BEGIN RETURN old; END' LANGUAGE plpgsql", "triggers"),
        ("DROP TRIGGER judged ON one", "triggers"),
        ("ALTER TABLE one DISABLE TRIGGER judged", "triggers"),
        ("ALTER TYPE mood ADD VALUE 'sad'", "columns, constraints"),
        ("ALTER DOMAIN price DROP CONSTRAINT positive", "columns, constraints"),
    ],
)
def test_every_difference_is_told(database, change, told):
    """Rows, tables, and what a table is made of."""
    one, other = database(), database()
    for url in (one, other):
        run(
            url,
            """
            CREATE TYPE mood AS ENUM ('happy');
            CREATE DOMAIN price AS numeric CONSTRAINT positive CHECK (value > 0);
            CREATE TABLE one (number int PRIMARY KEY, name text NOT NULL);
            CREATE TABLE two (number int REFERENCES one, price price);
            CREATE INDEX by_name ON one (name);
            CREATE FUNCTION judge() RETURNS trigger AS 'BEGIN RETURN new; END' LANGUAGE plpgsql;
            CREATE TRIGGER judged BEFORE UPDATE ON one FOR EACH ROW EXECUTE FUNCTION judge();
            INSERT INTO one VALUES (1, 'a');
            INSERT INTO two VALUES (1, 1.5);
            """,
        )
    assert difference(facts(one), facts(other)) == []
    run(other, change)
    found = difference(facts(one), facts(other))
    assert told in " ".join(found)


def test_a_snapshot_stands_still_and_writes_nothing(url):
    """What comes later is not in it, though everybody else sees it."""
    with snapshot_of(url) as snapshot:
        run(url, "INSERT INTO told (words) VALUES ('later')")
        assert snapshot.facts().tables["public.told"].rows == 0
        assert (snapshot.major, snapshot.server.split(".")[0]) == (18, "18")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            snapshot.connection.execute("TRUNCATE told")
    assert facts(url).tables["public.told"].rows == 1


def test_a_database_of_others_tells_nothing_of_ours(url):
    """No venue, no revision, no days, no frames."""
    with snapshot_of(url) as snapshot:
        assert (snapshot.venue(), snapshot.schema_revision()) == (None, None)
        assert (snapshot.days_answered(), snapshot.frames_kept()) == ({}, {})


def test_a_connection_that_is_lost_is_told_in_words(url):
    """Not by psycopg's."""

    def look():
        with snapshot_of(url) as snapshot:
            run(url, f"SELECT pg_terminate_backend({snapshot.connection.info.backend_pid})")
            snapshot.facts()

    with pytest.raises(CoinhtsError, match="the database that is looked at"):
        look()
