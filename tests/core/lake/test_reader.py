import random
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coinhts_core
from coinhts_core.errors import BadFrameError, DamagedObjectError, NotStoredError
from coinhts_core.lake.commits import Folder
from coinhts_core.lake.decoded import Decoded
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market

REPOSITORY = Path(coinhts_core.__file__).parents[1]
BTC = Market("KRW-BTC")
JANUARY = Folder("bars", BTC, "2026-01")
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def test_every_flipped_bit_is_noticed(lake, bars, files):
    """400 objects with one flipped bit each: none is read as if nothing were wrong."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, *range(1, 1_440))})
    (file,) = files("*.parquet")
    content = file.read_bytes()
    chance = random.Random(2026)  # noqa: S311 the same bits in every run, no secret
    for bit in chance.sample(range(len(content) * 8), 400):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        with pytest.raises(DamagedObjectError, match=file.name):
            lake.read("bars", BTC, *YEAR)
    file.write_bytes(content)
    assert lake.read("bars", BTC, *YEAR).height == 1_439


@pytest.mark.parametrize(
    "harm",
    ["truncate object", "lose object", "swap objects", "truncate marker", "garble marker", "swap markers"],
)
def test_harmed_months_are_refused_by_name(lake, bars, files, harm, closes):
    """What is cut, lost, garbled or exchanged is damage that names its file; other months stay readable."""
    for day in (FIRST, date(2026, 2, 1), date(2026, 3, 1)):
        lake.publish("bars", BTC, {day: bars(day, day.month)})
    kind, other = ("*.json", "marker") if "marker" in harm else ("*.parquet", "object")
    victim, bystander, _ = files(kind)
    contents = {
        f"truncate {other}": victim.read_bytes()[:-5],
        f"swap {other}s": bystander.read_bytes(),
        "garble marker": b"\x00garbage",
    }
    victim.unlink() if harm == "lose object" else victim.write_bytes(contents[harm])
    with pytest.raises(DamagedObjectError, match=victim.name):
        Lake(lake._store).read("bars", BTC, *YEAR)
    if kind == "*.parquet":
        march = date(2026, 3, 1)
        assert closes(lake, march, march) == {march: [3]}


def test_reader_whose_object_was_swept_reads_the_new_head(lake, bars, files):
    """A month may be swept between listing and reading: rows and entries are then the new ones."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    seen = lake._journal.head(JANUARY)
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 2), SECOND: bars(SECOND, 2)})
    files("*.parquet")[0].unlink()
    commit, rows = lake._reader.newest(JANUARY, seen)
    assert rows["close"].to_list() == [2, 2]
    assert set(commit.days) == {FIRST, SECOND}


YEARS = (date(2025, 1, 1), date(2026, 12, 31))
DAYS = st.dates(date(2025, 12, 25), date(2026, 2, 5))
WORDS = st.tuples(DAYS, st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3))


def both(folder):
    """Give two readers of one lake, with kept columns and without."""
    return Lake(DirectoryStore(folder / "lake"), Decoded(folder / "cache", least=0)), Lake(
        DirectoryStore(folder / "lake")
    )


def told(lake, *wanted):
    """Give what a reader says, to the bit; or that there is nothing."""
    try:
        stored = lake.read_with_entries("bars", BTC, *wanted)
    except NotStoredError:
        return None
    return stored.rows.schema, [column.to_physical().to_numpy().tobytes() for column in stored.rows], stored.entries


@settings(max_examples=20)
@given(
    commits=st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=4), DAYS, DAYS, st.booleans()), max_size=4),
    chance=st.randoms(use_true_random=False),
)
def test_kept_columns_change_nothing(bars, commits, chance):
    """Whatever is committed and asked for in whatever order, kept or lost: both tell the same, to the bit."""
    with TemporaryDirectory() as folder:
        keeping, plain = both(Path(folder))
        for days, one, other, is_lost in commits:
            plain.publish("bars", BTC, {day: bars(day, *prices) for day, prices in days})
            for wanted in (YEARS, (min(one, other), max(one, other)), (one, one), (*YEARS, ["close"])):
                assert told(keeping, *wanted) == told(plain, *wanted)
            kept = sorted((Path(folder) / "cache").glob("*"))
            if is_lost and kept:
                chance.choice(kept).write_bytes(b"damaged")
                chance.choice(kept).unlink()
            assert told(keeping, *YEARS) == told(plain, *YEARS)


def test_a_kept_year_is_not_decoded_again(tmp_path, bars):
    """The lake's objects may even be gone: what was checked once is told until a day changes."""
    keeping, plain = both(tmp_path)
    plain.publish("bars", BTC, {FIRST: bars(FIRST, 1), SECOND: bars(SECOND, 2, 3)})
    before = told(keeping, *YEARS)
    for file in (tmp_path / "lake").rglob("*.parquet"):
        file.rename(file.with_suffix(".away"))
    assert told(keeping, *YEARS) == before
    assert told(keeping, SECOND, SECOND)[2].keys() == {SECOND}
    for file in (tmp_path / "lake").rglob("*.away"):
        file.rename(file.with_suffix(".parquet"))
    with pytest.raises(BadFrameError, match="volume"):
        keeping.read("bars", BTC, *YEARS, ["volume"])
    plain.publish("bars", BTC, {SECOND: bars(SECOND, 4)})
    assert told(keeping, *YEARS) == told(plain, *YEARS) != before


def test_a_part_of_a_year_is_not_kept(tmp_path, bars):
    """Who asks for a day reads its month, and does not pay for a year."""
    keeping, plain = both(tmp_path)
    february = date(2026, 2, 1)
    plain.publish("bars", BTC, {FIRST: bars(FIRST, 1), february: bars(february, 2)})
    keeping.read("bars", BTC, FIRST, FIRST)
    keeping.read("bars", BTC, *YEARS, ["close"])
    assert not (tmp_path / "cache").exists()


def test_a_forked_child_has_threads_of_its_own():
    """None of its parent's live in it: a child that waited for them would wait for ever."""
    script = """
        import os
        from coinhts_core.lake import reader
        assert reader._threads().submit(sum, [1, 2]).result() == 3
        child = os.fork()
        if not child:
            os._exit(reader._threads().submit(sum, [3, 4]).result(timeout=5))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7"
