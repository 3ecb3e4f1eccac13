from datetime import date

import pytest

from coinhts_core.backups.heads import copied, folders_and_files, is_of_the_lake, lacking
from coinhts_core.backups.objects import Objects
from coinhts_core.lake.commits import locate
from tests.core.backups.conftest import BTC


def copy(installed, folders=None, files=None):
    listed = folders_and_files(installed.store)
    return copied(
        installed.store, Objects(installed.shelf.store), folders or listed[0], files or listed[1], lambda _: None
    )


@pytest.mark.parametrize("path", ["venue.json", "uploaded-files/a/b.html", "uploaded-notes/a"])
def test_what_is_not_a_folders_is_named(path):
    """Everything else in the same place is somebody else's."""
    assert is_of_the_lake(path)
    assert is_of_the_lake("candles/minute/symbol=KRW-BTC/month=2026-01/000000000001.json")
    for other in (f"x{path}", "compute-logs/a", "backups/objects/a", "../venue.json", f"{path}.unfinished", ""):
        assert not is_of_the_lake(other)


def test_everything_that_a_lake_holds_is_known(in_directories):
    """Whatever the house puts into its lake is either of a commit or among what is named."""
    assert [of.path for of in in_directories.store.listed() if not is_of_the_lake(of.path)] == []


def test_what_was_overtaken_since_it_was_listed_is_followed(in_directories):
    """A commit that was swept meanwhile has a successor; a folder that was removed is gone; half a pair is none."""
    listed = folders_and_files(in_directories.store)
    (january,) = [folder for folder in listed[0] if folder.month == "2026-01"]
    store = in_directories.store
    calls = []
    get = store.get

    def swept_on_the_way(path):
        place = locate(path)
        if place and place.folder == january and not place.is_marker and not calls:
            calls.append(path)
            in_directories.collect(date(2026, 1, 20), close=7)
            return None
        return get(path)

    store.get = swept_on_the_way
    heads = copied(store, Objects(in_directories.shelf.store), [january], [], lambda _: None)
    assert heads.damages == []
    assert january.marker(3) in {of.path for of in heads.entries}
    (group,) = [of for of in listed[1] if len(of) == 2]
    store.remove(group[0])
    assert copied(store, Objects(in_directories.shelf.store), [], [group], lambda _: None).entries == []
    for found in list(store.listed(january.path)):
        store.remove(found.path)
    heads = copied(store, Objects(in_directories.shelf.store), [january], [], lambda _: None)
    assert (heads.entries, heads.damages) == ([], [])


def test_a_commit_that_cannot_be_believed_is_named_and_the_others_are_copied(in_directories):
    """It is told whose it is."""
    (january,) = [folder for folder in folders_and_files(in_directories.store)[0] if folder.month == "2026-01"]
    marker = in_directories.store.full_name(january.marker(2))
    with open(marker, "r+b") as file:  # noqa: PTH123 - in place
        file.write(b"x")
    heads = copy(in_directories)
    assert len(heads.damages) == 1
    assert marker in heads.damages[0]
    assert len(heads.entries) == 5


def test_only_what_the_ledger_knows_can_be_lacking(in_directories):
    """What the lake knows more is harmless."""
    heads = copy(in_directories)
    days = {str(BTC): [date(2026, 1, 30), date(2026, 1, 31)]}
    assert list(lacking(heads, {}, {})) == list(lacking(heads, days, {})) == []
    days[str(BTC)].append(date(2026, 1, 1))
    assert len(list(lacking(heads, days | {"KRW-ETH": [date(2026, 1, 1)]}, {"a" * 64: ["summary"]}))) == 3
