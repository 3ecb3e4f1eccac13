"""The moving clock, the hand in the daemon's place, and how a month is told; a house lives some days with them."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from coinhts_core.alerts.alert import Letter
from coinhts_core.alerts.outbox import Listed
from coinhts_core.clock import now
from tests.benchmarks import month
from tests.benchmarks.daemon_hand import Hand, Note, Stamps, moved_clock
from tests.benchmarks.month_told import Day, Expected, head, page, wanting

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
A_WHILE, AN_HOUR, A_DAY = timedelta(seconds=40), timedelta(hours=1), timedelta(days=1)


@dg.op
def waits_and_tries_again(context):
    if not context.retry_number:
        raise dg.RetryRequested(max_retries=1, seconds_to_wait=A_WHILE.total_seconds())


@dg.op
def breaks():
    msg = "no such luck"
    raise RuntimeError(msg)


@dg.job
def patient():
    waits_and_tries_again()


@dg.job
def broken():
    breaks()


@dg.sensor(job=broken, default_status=dg.DefaultSensorStatus.RUNNING)
def asks_once(context):
    context.update_cursor(f"{context.cursor or ''}+")
    return dg.RunRequest(run_key="the same")


@dg.sensor(job=patient)
def asks_nobody():
    """Does not run by default."""


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def looks():
    msg = "cannot look"
    raise RuntimeError(msg)


def schedule(name, cron, zone="UTC", status=dg.DefaultScheduleStatus.RUNNING):
    return dg.ScheduleDefinition(name, job=patient, cron_schedule=cron, execution_timezone=zone, default_status=status)


REPOSITORY = dg.Definitions(
    jobs=[patient, broken],
    sensors=[looks, asks_once, asks_nobody],
    schedules=[
        schedule("late", "30 4 * * *"),
        schedule("in_seoul", "0 9 * * *", "Asia/Seoul"),
        schedule("often", "15 */12 * * *"),
        schedule("never", "0 * * * *", status=dg.DefaultScheduleStatus.STOPPED),
    ],
).get_repository_def()


@pytest.fixture
def hand():
    """Give a hand on an instance of its own, what it noted, and a clock at the first moment."""
    with dg.DagsterInstance.local_temp() as instance, moved_clock(FIRST) as clock:
        notes = []
        yield Hand(instance, REPOSITORY, clock, notes.append), notes


def test_all_that_runs_by_default_has_its_moments_in_their_order(hand):
    """Schedules by their own time zones, rounds of the sensors among them, and nothing that is stopped."""
    hand, _ = hand
    found = [(f"{at:%d %H:%M}", name) for at, name in hand.moments(FIRST, FIRST + A_DAY, timedelta(hours=12))]
    assert found == [
        ("01 00:00", "in_seoul"),
        ("01 00:15", "often"),
        ("01 01:30", ""),
        ("01 04:30", "late"),
        ("01 12:15", "often"),
        ("01 13:30", ""),
    ]


def test_a_schedule_asks_and_a_step_that_waits_moves_the_clock(hand):
    """Nobody waits for it really; what was asked for ran at its moment."""
    hand, notes = hand
    begun = time.monotonic()
    hand.go(FIRST + AN_HOUR, "late")
    assert [(of.kind, of.name, of.outcome) for of in notes] == [("schedule", "late", "asked"), ("run", "patient", "ok")]
    assert now() - (FIRST + AN_HOUR) > A_WHILE > timedelta(seconds=time.monotonic() - begun)
    (record,) = hand.instance.get_run_records()
    assert record.start_time > (FIRST + AN_HOUR).timestamp()


def test_sensors_go_on_from_their_cursors_and_a_key_begins_one_run(hand):
    """What breaks is noted in its own words, be it a run or a look, and the others are looked at all the same."""
    hand, notes = hand
    for turn in range(2):
        hand.go(FIRST + turn * AN_HOUR, "")
    told = [(of.name, of.outcome) for of in notes]
    assert told == [
        ("asks_once", "asked"), ("broken", "failed"), ("looks", "failed"), ("asks_once", "skipped"), ("looks", "failed")
    ]  # fmt: skip
    assert ("no such luck" in notes[1].said, "cannot look" in notes[2].said) == (True, True)
    assert hand.cursors["asks_once"] == "++"


def test_files_are_given_the_moved_time_when_they_have_just_been_written(tmp_path):
    """And only then: what was there before keeps its own."""
    with moved_clock(FIRST) as clock:
        stamps, first, second = Stamps(tmp_path), tmp_path / "first", tmp_path / "below" / "second"
        first.write_text("1")
        stamps.set()
        clock.shift(A_DAY)
        second.parent.mkdir()
        second.write_text("2")
        stamps.set()
    days = [datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).day for file in (first, second)]
    assert days == [1, 2]


def test_folders_of_files_that_are_written_once_are_looked_into_when_they_changed(tmp_path, monkeypatch):
    """A file that came far below is given the moved time; folders in which nothing came or went are left alone."""
    below, other = tmp_path / "lake" / "asset" / "month", tmp_path / "backups" / "name"
    for folder in (below, other, tmp_path / "backups" / "objects" / "ab"):
        folder.mkdir(parents=True)
        (folder / "first").write_text("1")
    scandir, looked_into = os.scandir, []
    monkeypatch.setattr(os, "scandir", lambda folder: (looked_into.append(Path(folder)), scandir(folder))[1])
    with moved_clock(FIRST) as clock:
        stamps = Stamps(tmp_path)
        stamps.set()
        assert len(looked_into) == len({*looked_into}) == 8
        looked_into.clear()
        clock.shift(A_DAY)
        (below / "second").write_text("2")
        (other / "first").write_text("another")
        stamps.set()
    assert {*looked_into} == {tmp_path, tmp_path / "backups", other, below}
    files = (below / "first", below / "second", other / "first")
    assert [datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).day for file in files] == [1, 2, 2]


def test_a_day_is_told_in_a_line_and_what_is_notable_below_it():
    """With both time zones, in the order of the moments; what is no more than an information is only counted."""
    day = Day(FIRST, kept=3, taken=["a", "b"], removed=["c"], drilled=["a"], newest=FIRST.date(), oldest_wait=AN_HOUR)
    day.notes = [
        Note(FIRST + AN_HOUR, "run", "back_up", "failed", "no room"),
        Note(FIRST, "event", "the disk is full", ""),
        Note(FIRST, "schedule", "daily", "asked"),
        Note(FIRST, "run", "back_up", "ok"),
    ]
    levels = ("info", "error")
    alerts = [Listed(Letter(1, "key", of, f"an {of}", "", FIRST + timedelta(minutes=30), 2)) for of in levels]
    line, *below = page(day, alerts).splitlines()
    assert line.split() == ["2025-03-01", "Sat", "UTC", "1", "0", "2", "1", "3", "+2", "-1", "1", "good", "1i", "1e",
                            "2025-03-01", "1.0", "h"]  # fmt: skip
    assert len(line) == len(head().rstrip())
    assert below == [
        "    03-01 00:00 UTC (09:00 KST)  * the disk is full",
        "    03-01 00:30 UTC (09:30 KST)  error: an error (and 2 times more)",
        "    03-01 01:00 UTC (10:00 KST)  run back_up failed: no room",
        "    03-01 23:59 UTC (08:59 KST)  removed by policy: c",
    ]


@pytest.mark.slow
def test_a_house_lives_three_days_and_mends_itself(tmp_path):
    """The exchange is silent for some hours: told, and in the end every day is whole and the last drill good."""
    silent, longer = month.World.go_silent, month.World.answer_again
    events = (
        month.Event(timedelta(hours=2), "a backtest", month.World.keep_backtest),
        month.Event(timedelta(hours=12), "one more backup", month.World.back_up_by_hand),
        month.Event(
            A_DAY - AN_HOUR,
            "silence",
            silent,
            tells="check candles/minute days_are_complete",
            trouble=timedelta(hours=6),
        ),
        month.Event(A_DAY + 4 * AN_HOUR, "no silence", longer),
    )
    with month.lived_in(tmp_path) as world:
        days = list(month.live(world, 3, events))
        expected = [of.expected for of in events]
        assert wanting(world.installation, world.diary, expected) == []
        unheard = Expected(FIRST, "nobody noticed", tells="nothing like it")
        assert wanting(world.installation, world.diary, [unheard])[0] == "no alert told that nobody noticed"
    assert [day.count("run", "failed") > 0 for day in days] == [False, True, False]
    assert [len(day.taken) for day in days] == [2, 1, 1]
