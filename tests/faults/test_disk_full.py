"""A disk without room: it is said, nothing is lost, nothing half is seen, and with room it goes on by itself."""

import random
import re
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import psycopg
import pytest

from coinhts_core.errors import HomeUnusableError, RetryableError
from coinhts_core.frames import Column, Schema
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger, ensure_database
from coinhts_core.ledger.places import place_of
from coinhts_core.ledger.server import EmbeddedServer
from coinhts_core.markets import Market
from coinhts_core.settings import read_settings
from coinhts_pipeline.up import Postgres
from tests.faults.small_disk import MIB, can_mount, mounted, no_file_beyond
from tests.faults.test_postgres_killed import kill_all_of
from tests.faults.test_writes_while_postgres_dies import revived

BTC = Market("KRW-BTC")
BAR = Schema("bar", 1, (Column("opened_at", "time"), Column("close", "float")))
FULL = ["full"] if can_mount() else []


def rows(day: date, count: int = 1_440) -> DayRows:
    """A day's rows that do not compress."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    noise = np.random.default_rng(day.toordinal()).random(count)
    opened = [midnight + timedelta(minutes=minute) for minute in range(count)]
    return DayRows.of(BAR, pl.DataFrame({"opened_at": opened, "close": noise}, schema=BAR.empty().schema))


@pytest.fixture
def scarce(tmp_path):
    """Have little room below a folder while it lasts, in one way or the other."""

    @contextmanager
    def scarcity(way, folder, room):
        folder.mkdir()
        with ExitStack() as stack:
            if way == "full":
                disk = stack.enter_context(mounted(folder, 32 * MIB))
                disk.leave(room)
                yield disk.make_room
            else:
                limit = ExitStack()
                limit.enter_context(no_file_beyond(room // 4))
                stack.callback(limit.close)
                yield limit.close

    return lambda way, room: scarcity(way, tmp_path / "small", room)


@pytest.mark.parametrize("way", ["files end", *FULL])
def test_a_lake_without_room_keeps_what_it_has_and_goes_on(scarce, tmp_path, way):
    """The sentence names the place; every day that was published is whole; with room the same is published."""
    with scarce(way, 256 * 1024) as make_room:
        lake, day = Lake.open(str(tmp_path / "small")), date(2026, 1, 1)
        refusal = None
        while refusal is None:
            try:
                lake.publish("bars", BTC, {day: rows(day)})
            except HomeUnusableError as error:
                refusal = str(error)
            else:
                day += timedelta(days=1)
        assert re.search(r"small cannot be used \((No space left on device|File too large)\)", refusal)
        assert day > date(2026, 1, 2)
        stored = lake.read("bars", BTC, date(2026, 1, 1), day)
        assert stored.height == 1_440 * (day - date(2026, 1, 1)).days
        assert not list((tmp_path / "small").rglob("*.unfinished"))
        assert not [of for folder in lake.folders() for of in lake.audit(folder).damages]
        make_room()
        lake.publish("bars", BTC, {day: rows(day)})
        assert lake.heads("bars", BTC)[day].content_hash == rows(day).entry.content_hash


def write_until_refused(ledger: Ledger) -> tuple[set[int], str]:
    """Rows of 64 KiB that do not compress; the numbers that were acknowledged, and what was said at last."""
    dice, acknowledged, number = random.Random(7), set(), 0  # noqa: S311 - noise, no secret
    while True:
        try:
            with ledger.transaction() as connection:
                connection.execute("INSERT INTO noise VALUES (%s, %s)", (number, dice.randbytes(65_536)))
        except (RetryableError, psycopg.errors.InternalError) as error:  # the latter where a file may not grow
            return acknowledged, str(error)
        acknowledged.add(number)
        number += 1


@pytest.mark.parametrize("way", ["files end", *FULL])
def test_a_ledger_without_room_loses_nothing_and_goes_on(server_home, way):
    """What was acknowledged is there, whether the server stumbled or died of it; with room it serves again."""
    files = place_of(server_home).files
    with ExitStack() as stack:
        if way == "full":
            with EmbeddedServer.share(server_home):
                pass  # which makes the folder, and finds its account
            owner = (files / "data").stat().st_uid
            disk = stack.enter_context(mounted(files, 192 * MIB, owner))
        with no_file_beyond(20 * MIB) if way == "files end" else nullcontext():
            server = stack.enter_context(EmbeddedServer.share(server_home))
        url = server.url("scarce")
        ensure_database(url)
        with Ledger.open(url) as ledger, ledger.transaction() as connection:
            connection.execute("CREATE TABLE noise (number int, noise bytea)")
            connection.execute("ALTER TABLE noise ALTER noise SET STORAGE EXTERNAL")
        if way == "full":
            disk.leave(24 * MIB)
        with Ledger.open(url) as ledger:
            acknowledged, said = write_until_refused(ledger)
        assert len(acknowledged) > 50
        assert "could not" in said or "no PostgreSQL answers" in said
        kept = Postgres(read_settings({"COINHTS_HOME": str(server_home)}))
        kept.keep_alive()  # in vain, perhaps, and it goes on trying
        if way == "full":
            disk.make_room()
        else:
            kill_all_of(server)  # whoever brings it back is bound by no limit
        revived(server_home, url)
        with Ledger.open(url) as ledger, ledger.transaction() as connection:
            connection.execute("INSERT INTO noise VALUES (-1, 'again')")
            there = {number for (number,) in connection.execute("SELECT number FROM noise")}
        assert acknowledged <= there
