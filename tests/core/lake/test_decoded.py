import logging
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from coinhts_core.clock import now
from coinhts_core.lake import decoded
from coinhts_core.lake.decoded import Decoded

NAME = "a" * 64
OTHER = "b" * 64


def rows(count=3_000, seed=1):
    """Make rows of every kind that can be kept."""
    chance = np.random.default_rng(seed)
    opened_at = pl.Series(np.arange(count) * 60_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "day": opened_at.dt.date(),
            "opened_at": opened_at,
            "close": chance.normal(size=count),
            "trades": chance.integers(-9, 9, count),
        }
    )


@pytest.fixture
def folder(tmp_path):
    """Name a folder that is not there yet."""
    return tmp_path / "cache"


@pytest.fixture
def cache(folder):
    """Give a cache that keeps even small rows."""
    return Decoded(folder, least=0)


def only_file(folder):
    (file,) = folder.iterdir()
    return file


def is_mapped(file):
    return str(file) in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_what_was_kept_is_what_is_given(cache):
    """Same columns, types and values, to the bit; NaN, infinities and a negative zero, too."""
    strange = rows().with_columns(close=pl.Series([np.nan, -0.0, np.inf, 5e-324] * 750))
    cache.keep(NAME, strange)
    given = cache.get(NAME)
    assert given.schema == strange.schema
    assert [column.to_physical().to_numpy().tobytes() for column in given] == [
        column.to_physical().to_numpy().tobytes() for column in strange
    ]
    assert cache.get(OTHER) is None


def test_rows_lie_in_the_file_and_not_in_memory(cache, folder):
    """Given rows are views of the mapped file; nobody can write into them."""
    cache.keep(NAME, rows())
    given = cache.get(NAME)
    assert is_mapped(only_file(folder))
    assert not given["close"].to_numpy(allow_copy=False).flags.writeable


def test_mapped_rows_hold_no_file_open(cache):
    """A process may look at more coins than it may open files."""
    cache.keep(NAME, rows())
    before = len(list(Path("/proc/self/fd").iterdir()))
    given = [cache.get(NAME) for _ in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 5
    assert all(of.equals(rows()) for of in given)


def test_a_file_may_go_at_any_time(cache, folder):
    """Who has the rows keeps them; who asks again is told that there are none, and may keep them again."""
    cache.keep(NAME, rows())
    given = cache.get(NAME)
    only_file(folder).unlink()
    assert cache.get(NAME) is None
    assert given.equals(rows())
    folder.rmdir()
    cache.keep(NAME, rows())
    assert cache.get(NAME).equals(rows())


@pytest.mark.parametrize(
    "harm",
    [
        "cut",
        "emptied",
        "longer",
        "of another name",
        "of zeros",
        "no header",
        "too many rows",
        "words for a count",
        "swapped",
    ],
)
def test_a_harmed_file_is_noticed_removed_and_written_anew(cache, folder, harm, caplog):
    """It is as if it were not there, and somebody is told."""
    cache.keep(NAME, rows())
    file = only_file(folder)
    whole = file.read_bytes()
    block = decoded._BLOCK
    file.write_bytes(
        {
            "cut": whole[:-block],
            "emptied": b"",
            "longer": whole + bytes(block),
            "of another name": whole.replace(NAME.encode(), OTHER.encode()),
            "of zeros": bytes(len(whole)),
            "no header": b"{" + whole[1:],
            "too many rows": whole.replace(b",3000,", b",9e99,", 1),
            "words for a count": whole.replace(b",3000,", b',"30",', 1),
            "swapped": whole[: 2 * block]
            + whole[3 * block : 4 * block]
            + whole[2 * block : 3 * block]
            + whole[4 * block :],
        }[harm]
    )
    with caplog.at_level(logging.WARNING):
        assert cache.get(NAME) is None
    assert [(of.getMessage(), of.facts["place"]) for of in caplog.records] == [("kept columns are damaged", str(file))]
    assert not file.exists()
    cache.keep(NAME, rows())
    assert cache.get(NAME).equals(rows())


def test_no_flipped_bit_is_believed(cache, folder):
    """A bit in 300 places all over the file, header and filling included."""
    cache.keep(NAME, rows(600))
    file = only_file(folder)
    whole = file.read_bytes()
    said = len(whole[: decoded._BLOCK].rstrip())
    places = [*np.linspace(0, said - 1, 100).astype(int), *np.linspace(decoded._BLOCK, len(whole) - 1, 200).astype(int)]
    for place in places:
        harmed = bytearray(whole)
        harmed[place] ^= 1 << int(place) % 8
        file.write_bytes(harmed)
        given = cache.get(NAME)
        assert given is None or given.equals(rows(600))  # what fills a block up is nobody's
        assert given is None or not any(whole[place : place + 1].strip(b"\0"))


@pytest.mark.parametrize(
    "unfit",
    [
        rows().with_columns(note=pl.lit("text")),
        rows().with_columns(close=pl.lit(None, pl.Float64)),
        rows().with_columns(is_up=pl.lit(value=True)),
        rows(0),
    ],
)
def test_rows_that_are_not_of_one_width_are_not_kept(cache, folder, unfit):
    """Texts, truths and empty values are decoded each time, and so is nothing."""
    cache.keep(NAME, unfit)
    assert not folder.exists()


def test_small_rows_are_not_worth_a_file(folder):
    """They are decoded as fast."""
    Decoded(folder).keep(NAME, rows())
    assert not folder.exists()


def used(file, ago):
    """Make it so that the file was last used some time ago."""
    moment = (now() - ago).timestamp()
    os.utime(file, (moment, moment))


def test_the_folder_stays_within_its_bound(folder):
    """Room is made by what nobody used for a day, longest unused first; where all is in use, nothing comes."""
    of_one = Decoded(folder, least=0)
    of_one.keep("0" * 64, rows())
    size = only_file(folder).stat().st_size
    small = Decoded(folder, most=3 * size, least=0)
    for place, hours in ((1, 40), (2, 60)):
        small.keep(str(place) * 64, rows())
        used(folder / f"{str(place) * 64}.columns", timedelta(hours=hours))
    small.keep(NAME, rows())
    assert sorted(file.name[0] for file in folder.iterdir()) == ["0", "1", "a"]
    used(folder / f"{'1' * 64}.columns", timedelta(hours=2))
    small.keep(OTHER, rows())
    assert sorted(file.name[0] for file in folder.iterdir()) == ["0", "1", "a"]
    assert small.get("1" * 64) is not None


def test_what_nobody_needs_goes(cache, folder):
    """What was not used for a month, and what killed writers left an hour ago."""
    cache.keep(NAME, rows())
    used(only_file(folder), timedelta(days=31))
    (folder / "0.unfinished").write_bytes(b"half")
    used(folder / "0.unfinished", timedelta(hours=2))
    (folder / "1.unfinished").write_bytes(b"being written")
    cache.keep(OTHER, rows())
    assert sorted(file.name for file in folder.iterdir()) == ["1.unfinished", f"{OTHER}.columns"]


def test_reading_counts_as_use(cache, folder, monkeypatch):
    """By our own clock, whatever the file system notes; when it was written stays."""
    cache.keep(NAME, rows())
    later, written = now() + timedelta(days=10), only_file(folder).stat().st_mtime_ns
    monkeypatch.setattr(decoded, "now", lambda: later)
    assert cache.get(NAME) is not None
    assert only_file(folder).stat().st_atime == pytest.approx(later.timestamp(), abs=1)
    assert only_file(folder).stat().st_mtime_ns == written


def test_a_folder_that_cannot_be_is_no_reason_to_stop(tmp_path, caplog):
    """A cache that cannot be written is told of, and everything is decoded each time."""
    (tmp_path / "cache").write_bytes(b"a file")
    cache = Decoded(tmp_path / "cache", least=0)
    with caplog.at_level(logging.WARNING):
        cache.keep(NAME, rows())
        assert cache.get(NAME) is None
    assert "columns cannot be kept" in caplog.text
