from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.commits import Folder
from coinhts_core.lake.journal import Journal
from coinhts_core.markets import Market

BTC = Market("KRW-BTC")
FOLDER = Folder("bars", BTC, "2026-01")
DAY = date(2026, 1, 1)


@pytest.fixture
def line(store, lake, bars):
    """Make a line of three commits."""
    for price in (1, 2, 3):
        lake.publish("bars", BTC, {DAY: bars(DAY, price)})
    return store


def test_heads_cost_one_listing_and_markers_are_read_once(line, lake, bars, monkeypatch):
    """The highest markers are the heads; what was read before is not read again."""
    february = date(2026, 2, 1)
    lake.publish("bars", BTC, {february: bars(february, 9)})
    asked = Counter()
    for name in ("get", "listed"):
        monkeypatch.setattr(line, name, counted(getattr(line, name), name, asked))
    journal = Journal(line)
    for _ in range(3):
        heads = journal.heads("bars/symbol=KRW-BTC")
    assert {folder.month: head.number for folder, head in heads.items()} == {"2026-01": 3, "2026-02": 1}
    assert asked == {"listed": 3, "get": 2}


def counted(call, name, asked):
    def wrapper(*arguments):
        asked[name] += 1
        return call(*arguments)

    return wrapper


def test_number_given_again_is_not_remembered_as_it_was(line, files, lake, bars):
    """When somebody removes a commit and its number is taken anew, the new one is what is read."""
    journal = Journal(line)
    removed = journal.head(FOLDER)
    files("*.json")[-1].unlink()
    lake.publish("bars", BTC, {DAY: bars(DAY, 4)})
    renewed = journal.head(FOLDER)
    assert (removed.number, renewed.number) == (3, 3)
    assert renewed != removed


def test_line_is_followed_by_digest(line, files):
    """A commit continues in the head when every link between them is there and names its parent's digest."""
    journal = Journal(line)
    first, second, third = (journal.at(FOLDER, number, "") for number in (1, 2, 3))
    assert journal.continues(FOLDER, first)
    assert journal.continues(FOLDER, third)
    assert not journal.continues(FOLDER, replace(third, rows=9))
    files("*.json")[1].unlink()
    assert not journal.continues(FOLDER, first)
    assert not journal.continues(FOLDER, second)
    assert journal.continues(FOLDER, third)


def test_marker_of_another_place_is_damage(line, files):
    """A whole and valid marker that lies under another number or in another folder is not believed."""
    one, two, _ = files("*.json")
    two.write_bytes(one.read_bytes())
    with pytest.raises(DamagedObjectError, match="another place"):
        Journal(line).at(FOLDER, 2, "")
    with pytest.raises(DamagedObjectError, match="missing"):
        Journal(line).at(FOLDER, 4, "")
