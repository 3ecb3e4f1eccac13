"""A year in minutes: days as a house really leaves them, copied onto the days after, and looked after as it does.

A day is made once, by real runs. Each day after it is copied within Dagster's own tables, with other run ids, moments
and partitions, as often as its schedules and sensors would have run it; then the chores are done, at that day's moment.
"""

import os
from datetime import date, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from coinhts_core.candles.frame import CANDLES
from coinhts_core.clock import now
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.address import spoken_as
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Market
from coinhts_core.upkeep import history, records
from tests.pipeline.asking import collect

_FIRST = date(2026, 1, 1)
_HOW_OFTEN = {"rehearse_days": 1, "publish_performance": 6, "publish_health": 24, "look_after_daily": 1}
_TOLD = ("event_logs", "asset_event_tags", "asset_check_executions", "runs", "run_tags")
_SIZED = (*_TOLD, "job_ticks", "snapshots", "asset_keys", "dynamic_partitions", "kvs", "bulk_actions")
_FIGURES = ("events", "lasting", "event log", "dagster", "ledger", "lake")
_SIZE = "SELECT pg_total_relation_size(%s::regclass)"
_COUNT = """
    SELECT
        (SELECT count(*) FROM event_logs),
        (
            SELECT count(DISTINCT (asset_key, partition)) FROM event_logs
            WHERE dagster_event_type = 'ASSET_MATERIALIZATION'
        ) + (SELECT count(DISTINCT (asset_key, check_name, partition)) FROM asset_check_executions)
"""
_KEEP = "CREATE TABLE day_of_{0} AS SELECT * FROM {0}"
_COPY_RUN = """
    INSERT INTO runs (
        run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp, start_time, end_time
    )
    SELECT
        %(new)s::text, snapshot_id, pipeline_name, status, replace(run_body, %(old)s::text, %(new)s::text),
        create_timestamp + %(later)s, update_timestamp + %(later)s, start_time, end_time
    FROM day_of_runs WHERE run_id = %(old)s::text
"""
_COPY_TAGS = """
    INSERT INTO run_tags (run_id, key, value)
    SELECT %(new)s::text, key, value FROM day_of_run_tags WHERE run_id = %(old)s::text
"""
_COPY_EVENTS = """
    WITH old AS (
        SELECT *, row_number() OVER (ORDER BY id) AS place FROM day_of_event_logs WHERE run_id = %(old)s::text
    ),
    new AS (
        INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
        SELECT
            %(new)s::text, replace(replace(event, %(old)s::text, %(new)s::text), %(day)s::text, %(today)s::text),
            dagster_event_type,
            timestamp + %(later)s, step_key, asset_key, replace(partition, %(day)s::text, %(today)s::text)
        FROM old ORDER BY place
        RETURNING id
    ),
    numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM new),
    tagged AS (
        INSERT INTO asset_event_tags (event_id, asset_key, key, value, event_timestamp)
        SELECT numbered.id, of.asset_key, of.key, of.value, of.event_timestamp + %(later)s
        FROM day_of_asset_event_tags AS of JOIN old ON of.event_id = old.id JOIN numbered USING (place)
    )
    INSERT INTO asset_check_executions (
        asset_key, check_name, partition, run_id, execution_status, evaluation_event, evaluation_event_timestamp,
        evaluation_event_storage_id, create_timestamp
    )
    SELECT
        of.asset_key, of.check_name, replace(of.partition, %(day)s::text, %(today)s::text), %(new)s::text,
        of.execution_status,
        of.evaluation_event, of.evaluation_event_timestamp + %(later)s, numbered.id, of.create_timestamp + %(later)s
    FROM day_of_asset_check_executions AS of
    JOIN old ON of.evaluation_event_storage_id = old.id JOIN numbered USING (place)
"""
# A tick a minute, as a sensor of sixty seconds leaves them, copied off one that is written as Dagster writes it.
_TICK = """
    INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)
    SELECT 'origin', 'selector', 'SKIPPED', 'SENSOR', %(moment)s + n * interval '1 minute', repeat('x', 700)
    FROM generate_series(1, 1440) AS n
"""
_ALERT = "INSERT INTO alerts (key, level, title, body, raised_at) VALUES (%s, 'info', 'title', %s, %s)"
_SESSION = "INSERT INTO sessions VALUES (%s, 'owner', %s, %s)"


class Year:
    """A house of one coin, and its days."""

    def __init__(self, house, dagster: Ledger) -> None:
        self.house, self.dagster, self.began = house, dagster, now()
        self.lake = house.rooms.settings.home / "lake"
        self.known: set[str] = set()
        for job, of in (("rehearse_days", f"{_FIRST}|KRW-BTC"), ("publish_performance", "KRW-BTC")):
            assert house.run(of, job=job).success
        for job in ("publish_health", "look_after_daily"):
            assert house.run(job=job).success
        with dagster.transaction() as connection:
            for table in _TOLD:
                connection.execute(_KEEP.format(table))
            self.runs = connection.execute("SELECT run_id, pipeline_name FROM day_of_runs").fetchall()

    def live(self, number: int) -> datetime:
        """One more day of it; the moment at which it is looked after."""
        later = timedelta(days=number)
        facts = {"day": str(_FIRST), "today": str(_FIRST + later), "later": later}
        with self.dagster.transaction() as connection:
            for old, job in self.runs:
                for _ in range(_HOW_OFTEN[job]):
                    named = {**facts, "old": old, "new": str(uuid4())}
                    for copy in (_COPY_RUN, _COPY_TAGS, _COPY_EVENTS):
                        connection.execute(copy, named)
            connection.execute(_TICK, {"moment": (self.began + later).replace(tzinfo=None)})
        with self.house.rooms.ledger.transaction() as connection:
            for alert in range(20):
                name, moment = f"{number} {alert}", self.began + later
                connection.execute(_ALERT, (name, "body " * 40, moment))
                connection.execute(_SESSION, (name, moment, moment + timedelta(days=14)))
        self.publish(_FIRST + later, (self.began + later).timestamp())
        return self.began + later + timedelta(days=1)

    def publish(self, day: date, moment: float) -> None:
        """What the lake is told: a day of candles, and ten times what has no date; its files are as old as the day."""
        collect(self.house.rooms, days=[day])
        lake = self.house.rooms.lake
        candles = lake.read("candles/minute", Market("KRW-BTC"), day, day)
        for _ in range(10):
            rows = DayRows.of(CANDLES, candles)
            lake.publish_whole("ops/of_the_year", rows, replaces=lake.number_of_whole("ops/of_the_year"))
        for file in self.lake.rglob("*"):
            if file.is_file() and str(file) not in self.known:
                self.known.add(str(file))
                os.utime(file, (moment, moment))

    def look_after(self, moment: datetime, *, is_sunday: bool) -> None:
        """The chores, and what Dagster's daemon does for ticks by the settings of the house."""
        ledger, instance = self.house.rooms.ledger, self.house.instance
        history.forget_history(self.dagster, moment, only_looks=False)
        records.end_sessions(ledger, moment, only_looks=False)
        days = instance.get_tick_retention_settings(InstigatorType.SENSOR)[TickStatus.SKIPPED]
        before = (moment - timedelta(days=days)).timestamp()
        instance.purge_ticks("origin", "selector", before=before, tick_statuses=[TickStatus.SKIPPED])
        if is_sunday:
            records.forget_alerts(ledger, moment, only_looks=False)
            self.house.rooms.lake.sweep(moment)
        for of in (ledger, self.dagster):
            records.vacuum(of, only_looks=False)

    def sizes(self) -> dict[str, float]:
        """MB, and rows: of events, and of those that lineage is read from."""
        with self.dagster.transaction() as connection:
            (events, lasting) = connection.execute(_COUNT).fetchone()
            size = sum(connection.execute(_SIZE, (table,)).fetchone()[0] for table in _SIZED)
            (log,) = connection.execute(_SIZE, ("event_logs",)).fetchone()
        with self.house.rooms.ledger.transaction() as connection:
            (ledger,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        lake = sum(file.stat().st_size for file in self.lake.rglob("*") if file.is_file())
        figures = {"dagster": size, "event log": log, "ledger": ledger, "lake": lake}
        return {"events": events, "lasting": lasting} | {name: of / 1e6 for name, of in figures.items()}


@pytest.mark.slow
def test_a_year_leaves_no_more_than_lineage(open_house, aloud):
    """Database, event log and lake grow by what is asked for, and by nothing that only happened."""
    lines = [f"{'day':>4}" + "".join(f"{name:>11}" for name in _FIGURES)]
    with open_house(symbols="KRW-BTC", start_date=str(_FIRST)) as house:
        url = spoken_as("postgresql", house.installation.settings.dagster_postgres_url.get_secret_value())
        with Ledger.open(url) as dagster:
            year, by_day = Year(house, dagster), {}
            for number in range(1, 366):
                moment = year.live(number)
                year.look_after(moment, is_sunday=number % 7 == 0)
                if number % 30 == 0 or number == 365:
                    by_day[number] = year.sizes()
                    lines.append(f"{number:>4}" + "".join(f"{by_day[number][name]:>11,.1f}" for name in _FIGURES))
            runs = sum(_HOW_OFTEN[job] for _, job in year.runs)
            lines.append(f"{365 * runs:,} runs; MB, but for events and those that lineage is read from, which are rows")
            aloud("\n".join(lines))
            first, last = by_day[60], by_day[365]
            assert last["events"] - last["lasting"] < 1.2 * (first["events"] - first["lasting"])
            a_day = (last["lasting"] - first["lasting"]) / 305
            assert a_day < 20  # assets and checks with a partition a day
            assert last["event log"] < 1.5 * first["event log"]
            assert last["dagster"] < 1.5 * first["dagster"]
            assert last["ledger"] < 1.5 * first["ledger"]
            assert len(house.instance.get_materialized_partitions(dg.AssetKey(["backtests", "sma_cross"]))) == 366
            assert len(house.rooms.lake.heads("candles/minute", Market("KRW-BTC"))) == 366
