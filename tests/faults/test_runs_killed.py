"""A backfill killed in the middle of a run, alone or with its Postgres: the next command takes over."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.lineup import read_lineup
from coinhts_pipeline.installation import PROJECT

_PATIENCE_S = 120
_SETTINGS = {"COINHTS_SYMBOLS": "KRW-BTC,KRW-ETH", "COINHTS_START_DATE": "2026-01-30"}
_BACKFILL = ["-m", "coinhts_pipeline.cli", "backfill", "--timerange", "20260130-20260202", "--json"]
# Slow enough that a run is still at its second symbol when its first one's days are seen.
_SLOW = '''
"""A strategy that takes its time."""

import time
from typing import ClassVar

import numpy as np

from coinhts_core.strategies import Strategy


class Slow(Strategy):
    """Enter and leave by the clock, slowly."""

    enabled: ClassVar[bool] = True

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        if bars.opened_at[-1:].sum() > 1_767_000_000_000_000:  # not while the laws are tried on bars of 2024
            time.sleep(0.4)
        hour = (bars.opened_at // 3_600_000_000) % 12
        return np.select([hour == 0, hour == 6], [1, -1]).astype(np.int8)
'''
# What must be the same however often work was interrupted, in Dagster, in the lake and in the ledger.
_LOOK = """
import json
import dagster as dg
from coinhts_core.ledger.books import find_positions
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import open_installation

with open_installation(read_settings()) as installation:
    instance, rooms, told, stored, held = installation.instance, installation.rooms, {}, {}, {}
    for name in ("slow", "sma_cross"):
        for asset in ("candles/minute", f"signals/{name}", f"backtests/{name}", f"positions/{name}"):
            wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset.split("/")))
            for record in instance.fetch_materializations(wanted, limit=1000, ascending=True).records:
                version = record.event_log_entry.asset_materialization.tags["dagster/data_version"]
                told[f"{asset} {record.partition_key}"] = version
            for symbol in rooms.symbols:
                for day, entry in rooms.lake.heads(asset, symbol).items():
                    stored[f"{asset} {day}|{symbol}"] = entry.data_version
        first = read_settings().start_date
        rows = find_positions(rooms.ledger, f"backtest:{name}", list(rooms.symbols), first, first.replace(year=2027))
        held[name] = [[str(value) for value in row.values()] for row in rows]
    runs = [[run.job_name, run.status.value] for run in instance.get_runs()]
print(json.dumps({"runs": runs, "told": told, "stored": stored, "held": held}))
"""


class Home:
    """A home with its own server, and the commands that are run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "strategies").mkdir(parents=True)
        (path / "strategies" / "slow.py").write_text(_SLOW)
        resting = [name for name in read_lineup() if name != "sma_cross"]
        (path / "strategies.toml").write_text("".join(f"[{name}]\nenabled = false\n" for name in resting))

    def begin(self, *words: str) -> subprocess.Popen:
        environ = {"PATH": os.environ["PATH"], "COINHTS_HOME": str(self.path), **_SETTINGS}
        return subprocess.Popen(
            [sys.executable, *words],
            env=environ,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen) -> dict:
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == 0, err
        return json.loads(out)

    def outcome(self) -> tuple[list, dict]:
        """Give the runs and how they ended, newest first, and everything that must be the same."""
        found = self.end(self.begin("-c", _LOOK))
        return found.pop("runs"), found

    def postgres(self) -> list[psutil.Process]:
        note = place_of(self.path).data_directory / "postmaster.pid"
        head = psutil.Process(int(note.read_text().split("\n")[0]))
        return [head, *head.children(recursive=True)]

    def backfill_until_the_first_symbol_is_decided(self) -> subprocess.Popen:
        process = self.begin(*_BACKFILL)
        url = EmbeddedServer(place_of(self.path)).url("coinhts_dagster")
        query = """
            SELECT count(*) FROM event_logs
            WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key = '["signals", "slow"]'
        """
        deadline = time.monotonic() + _PATIENCE_S
        count = 0
        while not count:
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
            try:
                with psycopg.connect(url) as connection:
                    (count,) = connection.execute(query).fetchone()
            except psycopg.Error:
                continue  # not there yet
        assert count == 4
        return process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, postgres):
    """Give what a home ends with in which nothing was killed."""
    home = Home(tmp_path_factory.mktemp("undisturbed"))
    url = postgres.url("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_SETTINGS, "COINHTS_POSTGRES_URL", url)
        assert home.end(home.begin(*_BACKFILL))["partitions"] == 8
        runs, outcome = home.outcome()
    assert runs == [["publish_performance", "SUCCESS"], ["rehearse_days", "SUCCESS"]]
    assert len(outcome["told"]) == 8 * 7
    return outcome


# Dagster waits half a minute for a Postgres that is gone
@pytest.mark.parametrize(
    "killed", ["the command", pytest.param("postgres", marks=pytest.mark.slow), "everything at once"]
)
def test_a_killed_backfill_is_taken_over_by_the_next(server_home, undisturbed, killed):
    """The dead run has failed, nothing of it is lost or doubled, and a rerun ends as if nothing had happened."""
    home = Home(server_home)
    process = home.backfill_until_the_first_symbol_is_decided()
    victims = home.postgres() if killed != "the command" else []
    victims += [psutil.Process(process.pid)] if killed != "postgres" else []
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    _, err = process.communicate(timeout=_PATIENCE_S)
    if killed == "postgres":  # Dagster's storage grumbles first
        assert (process.returncode, "Traceback" in err) == (3, False)
        assert err.splitlines()[-1].startswith("error: ")
    again = home.end(home.begin(*_BACKFILL))
    assert again["partitions"] == 8
    runs, outcome = home.outcome()
    assert runs == [
        ["publish_performance", "SUCCESS"],
        ["rehearse_days", "SUCCESS"],
        ["rehearse_days", "FAILURE"],
    ]
    assert outcome == undisturbed
