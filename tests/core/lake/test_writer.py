import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from queue import Queue

import polars as pl
import pytest

import coinhts_core
from coinhts_core.errors import CommitRaceError, DamagedObjectError, RefusedError
from coinhts_core.frames import Column, Schema
from coinhts_core.lake import writer as writer_module
from coinhts_core.lake.commits import Commit, Folder
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_core.settings import S3

REPOSITORY = Path(coinhts_core.__file__).parents[1]
BTC = Market("KRW-BTC")
JANUARY = Folder("bars", BTC, "2026-01")
FIRST, SECOND, THIRD = (date(2026, 1, day) for day in (1, 2, 3))
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def asked(minute: int) -> datetime:
    return datetime(2026, 2, 1, 0, minute, tzinfo=UTC)


def test_undated_writer_overtaken_at_the_last_moment_starts_over(lake, bars, monkeypatch, files):
    """The race for a number is lost without a trace: no commit, no object, a word to try again."""
    other = Lake(lake._store)
    create = lake._journal.create

    def overtaken(folder: Folder, commit: Commit) -> bool:
        other.publish_whole("leaderboard", bars(FIRST, 9), replaces=0)
        return create(folder, commit)

    monkeypatch.setattr(lake._journal, "create", overtaken)
    with pytest.raises(CommitRaceError):
        lake.publish_whole("leaderboard", bars(FIRST, 1), replaces=0)
    assert lake.read_whole("leaderboard")["close"].to_list() == [9]
    assert len(files("*.parquet")) == 1


def test_same_days_again_write_nothing(lake, bars, files):
    """Publishing what is there already leaves no new commit and no new object."""
    days = {FIRST: bars(FIRST, 1, 2, made_from="x"), SECOND: bars(SECOND, asked_at=asked(1))}
    lake.publish("bars", BTC, days)
    before = files()
    again = lake.publish("bars", BTC, dict(reversed(days.items())))
    assert (again.rows, again.size, again.commits) == (2, 0, {"2026-01": 1})
    assert files() == before


def test_same_rows_with_a_new_identity_write_no_object(lake, bars, files):
    """A day recomputed to the same rows, or asked for again, gets a commit that names the object there is."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1, made_from="old"), SECOND: bars(SECOND, 2, asked_at=asked(1))})
    lake.publish(
        "bars",
        BTC,
        {
            FIRST: bars(FIRST, 1, made_from="new", data_version="chain"),
            SECOND: bars(SECOND, 2, asked_at=asked(2)),
        },
    )
    assert (len(files("*.json")), len(files("*.parquet"))) == (2, 1)
    entries = lake.read_with_entries("bars", BTC, *YEAR).entries
    assert (entries[FIRST].made_from, entries[FIRST].data_version) == ("new", "chain")
    assert entries[SECOND].asked_at == asked(2)


def test_earlier_answers_do_not_replace_later_ones(lake, bars, closes):
    """In a merge the answer that was asked for later stays, rows and entry together."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 2, 2, asked_at=asked(2)), SECOND: bars(SECOND, 2, asked_at=asked(2))})
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1, asked_at=asked(1)), SECOND: bars(SECOND, 3, asked_at=asked(3))})
    assert closes(lake) == {FIRST: [2, 2], SECOND: [3]}
    assert lake.heads("bars", BTC)[FIRST].rows == 2


def test_other_columns_need_a_migration(lake, bars):
    """Days of another schema version share no object with those that stay; replacing all of them may."""
    wider = Schema("bar", 2, (*bars(FIRST).schema.columns, Column("volume", "float", nullable=True)))
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    new = {day: DayRows.of(wider, bars(day, 5).frame.with_columns(volume=pl.lit(1.0))) for day in (FIRST, SECOND)}
    with pytest.raises(RefusedError, match="migration"):
        lake.publish("bars", BTC, {SECOND: new[SECOND]})
    with pytest.raises(RefusedError, match="cannot share one object"):
        lake.publish("bars", BTC, {FIRST: bars(FIRST, 2), SECOND: new[SECOND]})
    lake.publish("bars", BTC, new)
    assert lake.read("bars", BTC, *YEAR)["volume"].to_list() == [1, 1]


def test_rewriting_all_its_days_mends_a_month(lake, bars, files, closes):
    """A damaged object blocks a merge that needs its rows, and not one that replaces them all."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    files("*.parquet")[0].write_bytes(b"")
    with pytest.raises(DamagedObjectError):
        lake.publish("bars", BTC, {SECOND: bars(SECOND, 2)})
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 3)})
    assert closes(lake) == {FIRST: [3]}


def test_writer_that_slept_over_an_hour_starts_over(lake, bars, monkeypatch, files):
    """What was read over an hour ago is not built upon: the writer reads again, and leaves one object."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    hours: Iterator[int] = iter([0, 0, 2, 3, 3, 3, 3])
    monkeypatch.setattr(writer_module, "now", lambda: start + timedelta(hours=next(hours)))
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    assert next(hours) == 3
    assert len(files("*.parquet")) == 1
    assert lake._journal.head(JANUARY).published_at == start + timedelta(hours=3)


def test_commit_at_a_swept_number_is_merged_again(lake, bars, monkeypatch, files):
    """A writer that took a number others had used and swept sees that the head lacks it, and merges again."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    other = Lake(lake._store)
    create = lake._journal.create
    overtakers = iter([{day: bars(day, day.day)} for day in (date(2026, 1, 10), date(2026, 1, 11), date(2026, 1, 12))])

    def overtaken(folder: Folder, commit: Commit) -> bool:
        for days in overtakers:
            other.publish("bars", BTC, days)
        if commit.number == 2:
            files("000000000002.json")[0].unlink()
        return create(folder, commit)

    monkeypatch.setattr(lake._journal, "create", overtaken)
    published = lake.publish("bars", BTC, {SECOND: bars(SECOND, 2)})
    assert published.commits == {"2026-01": 5}
    assert sorted(day.day for day in lake.heads("bars", BTC)) == [1, 2, 10, 11, 12]


def test_object_whose_name_is_taken_is_written_under_another(lake, bars, monkeypatch, files, closes):
    """No commit ever names bytes that its writer did not put there."""
    taken, free = names = [f"000000000001-{digit * 16}.parquet" for digit in "ab"]
    lake._store.create(JANUARY.object(taken), b"of others")
    left = iter(names)
    monkeypatch.setattr(writer_module, "new_object_name", lambda _: next(left))
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    assert closes(lake) == {FIRST: [1]}
    assert [path.name for path in files("*.parquet")] == [taken, free]


def test_own_marker_met_again_is_a_win(lake, bars, monkeypatch, closes):
    """When an answer was lost and a retry finds our own marker, the commit stands and its object stays."""
    create = lake._store.create
    monkeypatch.setattr(
        lake._store, "create", lambda path, content: create(path, content) and not path.endswith("json")
    )
    assert lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)}).commits == {"2026-01": 1}
    assert closes(lake) == {FIRST: [1]}


def test_endless_race_ends_in_a_word(lake, bars, monkeypatch, files, caplog):
    """A writer that is always overtaken gives up with an error that says so, and leaves nothing behind but lines."""
    monkeypatch.setattr(lake._journal, "create", lambda *_: False)
    caplog.set_level("INFO")
    with pytest.raises(CommitRaceError, match="bars KRW-BTC 2026-01 is being written by others: 100 attempts"):
        lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    assert files() == []
    assert [of.msg for of in caplog.records] == ["others published first"] * 100


WRITER = """
    import os, signal, sys, threading, time
    from datetime import date
    from pathlib import Path
    from coinhts_core.frames import Column, Schema
    from coinhts_core.lake.lake import Lake
    from coinhts_core.lake.writer import DayRows
    from coinhts_core.settings import read_settings
    import polars as pl
    BAR = Schema("bar", 1, (Column("opened_at", "time"), Column("close", "float")))
    def rows(day, price):
        frame = pl.DataFrame({"opened_at": [day], "close": [float(price)]})
        return {day: DayRows.of(BAR, frame)}
    settings = read_settings()
    def opened():
        return Lake.open(settings.lake_url, settings.s3)
"""


def start(script: str, place: Mapping[str, str], *arguments: object, **pipes: int) -> subprocess.Popen[str]:
    code = textwrap.dedent(WRITER) + textwrap.dedent(script)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes |= {"stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | place, text=True, bufsize=1, **pipes)


def test_twenty_racing_writers_lose_no_day(tmp_path, place, lake, files, closes):
    """Four processes of five writers, one month at once: each number has one winner, every day is there."""
    script = """
        lake, signal_file, offset = opened(), Path(sys.argv[1]), int(sys.argv[2])
        def publish(day):
            while not signal_file.exists():
                time.sleep(0.001)
            lake.publish("bars", "KRW-BTC", rows(date(2026, 1, day), day))
        threads = [threading.Thread(target=publish, args=(offset + n,)) for n in range(5)]
        for thread in threads: thread.start()
        print(len(threads), file=sys.stderr, flush=True)
        for thread in threads: thread.join()
    """
    writers = [start(script, place, tmp_path / "go", offset) for offset in (1, 6, 11, 16)]
    assert [writer.stderr.readline() for writer in writers] == ["5\n"] * 4
    (tmp_path / "go").touch()
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [""] * 4
    assert closes(lake) == {date(2026, 1, day): [day] for day in range(1, 21)}
    assert [path.stem for path in files("*.json")] == [f"{number:012}" for number in range(1, 21)]
    assert len(files("*.parquet")) == 20
    assert files("*.unfinished") == []


# Each line is a price, published by a writer of its own: a fork, for polars takes a second to import. Answered are its
# process and how that ended.
WRITERS = """
    for price in sys.stdin:
        writer = os.fork()
        if not writer:
            lake, left = opened(), int(price) % 100
            def guarded(call):
                def wrapper(*arguments, **options):
                    global left
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*arguments, **options)
                return wrapper
            for name in sys.argv[1:]:
                setattr(os, name, guarded(getattr(os, name)))
            lake.publish("bars", "KRW-BTC", rows(date(2026, 1, 2), int(price)))
            os._exit(0)
        print(writer, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]), flush=True)
"""
once_or_often = pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])


def outcome_of(writers, lake, bars, closes, step, prepare):  # noqa: PLR0917 four are fixtures
    """Let a writer be killed at a step; tell how it ended, and whether the lake holds what it held before."""
    before, born = closes(lake), Queue()
    prepare(born)
    print(step, file=writers.stdin)
    born.put(int(writers.stdout.readline()))
    ended = int(writers.stdout.readline())
    after = closes(lake)
    assert after in (before, before | {SECOND: [step]})
    lake.publish("bars", BTC, {THIRD: bars(THIRD, step)})
    assert closes(lake) == after | {THIRD: [step]}
    return ended, after == before


@once_or_often
@pytest.mark.parametrize("place", ["directory"], indirect=True)
def test_killed_writer_leaves_old_or_new(tmp_path, place, lake, bars, closes, rounds):  # noqa: PLR0917 fixtures
    """A writer killed at any step of a publish leaves one whole version, and the next publish works."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1), SECOND: bars(SECOND, 0)})
    with start(WRITERS, place, "fsync", "link", "unlink", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writers:
        for turn in range(1, rounds + 1):
            outcomes = [outcome_of(writers, lake, bars, closes, 100 * turn + step, lambda _: None) for step in range(9)]
            assert outcomes == [(-9, True)] * 6 + [(-9, False)] * 2 + [(0, False)]
        writers.stdin.close()
    leftovers = sorted(path.suffix for path in tmp_path.rglob("*") if path.suffix not in (".json", ".parquet", ""))
    assert leftovers == [".unfinished"] * 6 * rounds


@once_or_often
@pytest.mark.parametrize(("fate", "old", "new"), [("drop", 6, 3), ("lost", 5, 4)])
def test_writer_killed_at_any_request_leaves_old_or_new(s3, network, bars, closes, fate, old, new, rounds):  # noqa: PLR0917 fixtures
    """Killed as a request leaves, or before its answer comes, a writer leaves one whole version in a bucket, too."""
    lake = Lake.open(s3.url, S3(endpoint=s3.endpoint))
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1), SECOND: bars(SECOND, 0)})
    place = {"COINHTS_LAKE": s3.url, "COINHTS_S3__ENDPOINT": network.endpoint}

    def killed_at(step):
        def prepare(born):
            network.fault = killing(born, step, fate)

        return prepare

    with start(WRITERS, place, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writers:
        for turn in range(1, rounds + 1):
            outcomes = [
                outcome_of(writers, lake, bars, closes, 100 * turn + step, killed_at(step))
                for step in range(1, old + new + 2)
            ]
            assert outcomes == [(-9, True)] * old + [(-9, False)] * new + [(0, False)]
        writers.stdin.close()


def killing(born, step, fate):
    requests = count(1)

    def fault(*_):
        if next(requests) == step:
            os.kill(born.get(timeout=30), signal.SIGKILL)
            return fate
        return None

    return fault
