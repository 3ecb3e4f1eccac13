"""What the pipeline's tests may ask for: installations in homes of their own, and the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from coinhts_core.ledger.books import find_positions
from coinhts_core.lineup import read_lineup
from coinhts_core.settings import read_settings
from coinhts_pipeline.cli import main
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import PROJECT, Installation, open_installation
from tests.pipeline.asking import FIRST, collect, poison

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_DAILY = ("candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross")


_RESTING = [name for name in read_lineup() if name != "sma_cross"]
_ONE_STRATEGY = "".join(f"[{name}]\nenabled = false\n" for name in _RESTING)


class House:
    """An open installation, and what tests ask of it. Its environment holds for as long as it is open."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.rooms = installation.rooms
        self.instance = installation.instance
        self.environ = dict(os.environ)

    def run(
        self,
        first: str = "",
        last: str = "",
        *,
        job: str = "rehearse_days",
        only: Sequence[str] | None = None,
        config: dict | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Execute the job's assets, or some of them, on all partitions between two."""
        tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last or first}
        selection = [dg.AssetKey(name.split("/")) for name in only] if only else None
        definition = defs().resolve_job_def(job)
        return definition.execute_in_process(
            instance=self.instance,
            asset_selection=selection,
            tags=tags if first else None,
            run_config=_QUIET | (config or {}),
            raise_on_error=False,
        )

    def events(self, asset: str) -> list[dg.AssetMaterialization]:
        """Every materialisation of the asset, oldest first."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset.split("/")))
        found = self.instance.fetch_materializations(wanted, limit=5_000, ascending=True).records
        return [record.event_log_entry.asset_materialization for record in found]

    def checks(self, result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
        return {check.check_name: check for check in result.get_asset_check_evaluations()}

    def outcome(self) -> dict[str, dict]:
        """Give everything that must not depend on the order of work: versions in both places, and positions."""
        told = {
            asset: {event.partition: event.tags["dagster/data_version"] for event in self.events(asset)}
            for asset in _DAILY
        }
        stored = {
            f"{asset} in the lake": {
                f"{day}|{symbol}": entry.data_version
                for symbol in self.rooms.symbols
                for day, entry in self.rooms.lake.heads(asset, symbol).items()
            }
            for asset in _DAILY[:3]
        }
        return told | stored | {"positions": self.positions()}

    def positions(self) -> dict[str, list]:
        first, last = read_settings().start_date, read_settings().start_date.replace(year=2027)
        rows = find_positions(self.rooms.ledger, "backtest:sma_cross", list(self.rooms.symbols), first, last)
        days: dict[str, list] = {}
        for row in rows:
            days.setdefault(f"{row['day']}|{row['symbol']}", []).append(tuple(row.values()))
        return days


Opener = Callable[..., "contextmanager[House]"]


@pytest.fixture(scope="session")
def _storage_template(postgres, tmp_path_factory) -> str:
    """Lay Dagster's tables out once; copying them takes a tenth of the time."""
    name = "template_of_houses"
    with _environment(tmp_path_factory.mktemp("template"), postgres.url(name)), open_installation(read_settings()):
        pass
    with psycopg.connect(postgres.url(f"{name}_dagster")) as connection:
        connection.execute("TRUNCATE dynamic_partitions")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )  # pooled ones
    return f"{name}_dagster"


@pytest.fixture(scope="session")
def open_house(postgres, _template, _storage_template, tmp_path_factory) -> Opener:
    """Open a new home on the session's server, with databases of its own; of what is shipped, sma_cross alone runs."""

    @contextmanager
    def house_of_its_own(home: Path | None = None, *, runs_all: bool = False, **settings: str) -> Iterator[House]:
        name = f"test_{token_hex(8)}"
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            for database, template in ((name, _template), (f"{name}_dagster", _storage_template)):
                connection.execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy".encode())
            place = home or tmp_path_factory.mktemp("home")
            if not runs_all:
                (place / "strategies.toml").write_text(_ONE_STRATEGY)
            with _environment(place, postgres.url(name), **settings), open_installation(read_settings()) as opened:
                yield House(opened)
            for database in (name, f"{name}_dagster"):
                connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())

    return house_of_its_own


@pytest.fixture(scope="module")
def _shared_house(open_house) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def house(_shared_house, monkeypatch) -> House:
    """Give the module's installation: three coins from 2026-01-01, shared by tests that use different days."""
    for name, value in _shared_house.environ.items():
        monkeypatch.setenv(name, value)
    return _shared_house


@pytest.fixture(scope="module")
def asked_house(open_house) -> Iterator[House]:
    """Open one that knows some days of a coin, and strategies that misbehave, for a module that asks it for results."""
    with open_house(symbols="KRW-BTC", start_date=str(FIRST)) as house:
        collect(house.rooms)
        poison(house.rooms)
        yield house


@pytest.fixture
def asked(asked_house, monkeypatch) -> House:
    """Give it as it is when nobody has asked for anything."""
    for name, value in asked_house.environ.items():
        monkeypatch.setenv(name, value)
    with asked_house.rooms.ledger.transaction() as connection:
        connection.execute("TRUNCATE requests, alerts, deliveries")
    return asked_house


@pytest.fixture
def answer(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command of the command line in this process: its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        before = dict(os.environ)
        monkeypatch.setattr(sys, "argv", ["coinhts", *arguments])
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.environ.clear()
            os.environ.update(before)
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def coinhts() -> Callable[..., subprocess.CompletedProcess]:
    """Run a command in a process of its own, with nothing but these settings in its environment."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess:
        named = {f"COINHTS_{name.upper()}": str(value) for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-m", "coinhts_pipeline.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], **named},
            timeout=120,
            check=False,
        )

    return run


@contextmanager
def _environment(home: Path, url: str, **settings: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= {"COINHTS_HOME": str(home), "COINHTS_POSTGRES_URL": url}
    os.environ |= {f"COINHTS_{name.upper()}": value for name, value in settings.items()}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
