"""What tests of backups may ask for: an installation to be backed up, in either kind of place, and empty ones."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import polars as pl
import psycopg
import pytest

from coinhts_core.backups.manifest import Manifest, Part
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.places import open_store
from coinhts_core.lake.uploads import upload
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger, ensure_database
from coinhts_core.ledger.migrate import migrate
from coinhts_core.markets import Market
from coinhts_core.settings import Settings, read_settings
from tests.core.backups.cleared import clear_drills

BTC = Market("KRW-BTC")
TAKEN_AT = datetime(2026, 2, 1, 4, tzinfo=UTC)
_BAR = Schema("bar", 1, (Column("opened_at", "time"), Column("close", "float")))
_RECORD = """
    INSERT INTO coverage (symbol, timeframe, day, answer, row_count, content_hash, asked_at)
    VALUES ('KRW-BTC', '1m', %s, 'complete', 1, 'a hash', now())
    ON CONFLICT DO NOTHING
"""
_LEFT_ALONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO public;
"""


@dataclass(frozen=True)
class Installed:
    """Settings with all addresses, and what they lead to."""

    settings: Settings
    shelf: BackupShelf

    @property
    def store(self):
        return open_store(self.settings.lake_url, self.settings.s3)

    @property
    def lake(self):
        return Lake(self.store)

    @property
    def url(self):
        return self.settings.postgres_url.get_secret_value()

    @property
    def dagster_url(self):
        return self.settings.dagster_postgres_url.get_secret_value()

    def execute(self, statement, *values):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement, values or None)

    def take(self, moment=TAKEN_AT, progress=None) -> Manifest:
        return take(self.settings, self.shelf, moment, progress)

    def collect(self, day: date, close=1.0):
        """As the house does: first the lake, then the ledger."""
        rows = pl.DataFrame(
            {"opened_at": [datetime(day.year, day.month, day.day, tzinfo=UTC)], "close": [float(close)]},
            schema=_BAR.empty().schema,
        )
        self.lake.publish("candles/minute", BTC, {day: DayRows.of(_BAR, rows)})
        self.execute(_RECORD, day)

    def file(self, name: str, file: str) -> Path:
        """Where a file of a backup lies in its directory."""
        return Path(self.shelf.store.full_name(f"{name}/{file}"))

    def forge(self, name: str, file: str, content: bytes) -> None:
        """Exchange a part and sign the manifest anew, as somebody could who knows how."""
        manifest = self.shelf.manifest(name)
        forged = Part(name=file, size=len(content), sha256=sha256(content).hexdigest())
        parts = tuple(forged if part.name == file else part for part in manifest.parts)
        self.file(name, file).write_bytes(content)
        self.file(name, "manifest.json").write_bytes(manifest.model_copy(update={"parts": parts}).to_text())


Empty = Callable[[], Installed]


@pytest.fixture
def drilled_home(tmp_path) -> Iterator[Path]:
    """Give a home; what drills in it keep of their server is removed at the end."""
    yield tmp_path / "home"
    clear_drills(tmp_path / "home")


@pytest.fixture(params=["directory", "s3"])
def place(request, tmp_path) -> dict[str, str]:
    """Say where lake and backups lie."""
    if request.param == "directory":
        return {"COINHTS_LAKE": str(tmp_path / "lake"), "COINHTS_BACKUPS": str(tmp_path / "backups")}
    bucket = request.getfixturevalue("s3")
    return {
        "COINHTS_LAKE": bucket.url,
        "COINHTS_BACKUPS": f"s3://{bucket.name}/backups",
        "COINHTS_S3__ENDPOINT": bucket.endpoint,
    }


@pytest.fixture
def installed(place, furnish) -> Installed:
    """Give an installation with something of everything in it."""
    return furnish(place)


@pytest.fixture
def in_directories(tmp_path, furnish) -> Installed:
    """Give one whose lake and backups are files, for whoever damages them."""
    return furnish({"COINHTS_LAKE": str(tmp_path / "lake"), "COINHTS_BACKUPS": str(tmp_path / "backups")})


@pytest.fixture
def furnish(tmp_path, database) -> Callable[[dict[str, str]], Installed]:
    """Put something of everything into a place."""

    def furnished(place):
        found = _installed(tmp_path / "home", place, database(), database())
        with Ledger.open(found.url) as ledger:
            migrate(ledger)
        found.execute("INSERT INTO symbols VALUES ('KRW-BTC', '2025-01-01', '2026-01-01', true)")
        found.execute("INSERT INTO installation VALUES ('venue', 'sample')")
        found.lake.mark_venue("sample", "elsewhere")
        for day in range(3):
            found.collect(date(2026, 1, 30) + timedelta(days=day), close=day)
        report = tmp_path / "report.html"
        report.write_bytes(b"<p>all is well</p>")
        upload(found.store, report, "reports/2026-01.html")
        with psycopg.connect(found.dagster_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE runs (run_id text PRIMARY KEY, body jsonb)")
            connection.execute("INSERT INTO runs SELECT md5(n::text), '{\"n\": 1}' FROM generate_series(1, 50) AS n")
        found.settings.lineup_file.write_text("[sma_cross]\nenabled = true\n")
        (found.settings.strategies_folder / "mine").mkdir(parents=True)
        (found.settings.strategies_folder / "mine" / "own.py").write_text('"""My own."""\n')
        return found

    return furnished


@pytest.fixture(scope="session")
def _resting() -> list[str]:
    """Names of databases that wait to be used again: making and dropping one takes longer than emptying it."""
    return []


@pytest.fixture
def database(postgres, _resting) -> Iterator[Callable[[], str]]:
    """Give databases without a single table; tell their addresses."""
    used = []

    def give() -> str:
        used.append(_resting.pop() if _resting else f"test_{token_hex(8)}")
        ensure_database(postgres.url(used[-1]))
        return postgres.url(used[-1])

    yield give
    for name in used:
        with psycopg.connect(postgres.url(name), autocommit=True) as connection:
            connection.execute(_LEFT_ALONE)
            connection.execute(_EMPTY)
            connection.execute(f"ALTER DATABASE {name} RESET ALL".encode())
        _resting.append(name)


@pytest.fixture
def empty(tmp_path, place, database) -> Empty:
    """Make installations that hold nothing, and know the backups of the first."""

    def make() -> Installed:
        name = token_hex(4)
        lake = f"{place['COINHTS_LAKE']}-{name}"
        return _installed(tmp_path / name, place | {"COINHTS_LAKE": lake}, database(), database())

    return make


@pytest.fixture
def empty_directory(tmp_path, in_directories, database) -> Empty:
    """Make the same beside the one in directories."""

    def make() -> Installed:
        name = token_hex(4)
        there = {"COINHTS_LAKE": str(tmp_path / f"lake-{name}"), "COINHTS_BACKUPS": in_directories.settings.backups}
        return _installed(tmp_path / name, there, database(), database())

    return make


def _installed(home: Path, place: dict[str, str], url: str, dagster_url: str) -> Installed:
    home.mkdir(exist_ok=True)
    addresses = {"COINHTS_POSTGRES_URL": url, "COINHTS_DAGSTER_POSTGRES_URL": dagster_url}
    settings = read_settings({**place, **addresses, "COINHTS_HOME": str(home)})
    return Installed(settings, BackupShelf.open(settings))


def environment_of(settings: Settings) -> dict[str, str]:
    """What leads a process of its own to the same place."""
    return {
        **{
            name: os.environ[name]
            for name in ("PATH", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            if name in os.environ
        },
        "COINHTS_HOME": str(settings.home),
        "COINHTS_LAKE": settings.lake_url,
        "COINHTS_BACKUPS": settings.backups_url,
        "COINHTS_POSTGRES_URL": settings.postgres_url.get_secret_value(),
        "COINHTS_DAGSTER_POSTGRES_URL": settings.dagster_postgres_url.get_secret_value(),
        **({"COINHTS_S3__ENDPOINT": settings.s3.endpoint} if settings.s3.endpoint else {}),
    }
