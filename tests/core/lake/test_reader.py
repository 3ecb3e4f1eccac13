import random
from datetime import date

import pytest

from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.commits import Folder
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market

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
    stored = lake._reader._between(JANUARY, seen, *YEAR, None)
    assert stored.rows["close"].to_list() == [2, 2]
    assert set(stored.entries) == {FIRST, SECOND}
