from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.lake.comparison import Comparison
from coinhts_core.lake.directory import DirectoryStore


def filled(root, contents):
    store = DirectoryStore(root)
    for path, content in contents.items():
        store.create(path, content)
    return store


def compared(here, there):
    comparison = Comparison(here, there)
    for path in comparison.of_one_size:
        comparison.read(path)
    return comparison


def test_each_difference_is_told_from_here(store, tmp_path):
    """What only we have, what only the other has, other sizes, other bytes; in either kind of place."""
    for path, content in {"a/same": b"1", "a/ours": b"2", "a/longer": b"333", "a/other": b"4"}.items():
        store.create(path, content)
    there = filled(tmp_path / "there", {"a/same": b"1", "theirs": b"2", "a/longer": b"3", "a/other": b"5"})
    found = compared(store, there)
    assert (found.missing, found.extra, found.alike, found.is_alike) == (["a/ours"], ["theirs"], 1, False)
    assert found.different["a/longer"] == "3 bytes here, 1 there"
    assert found.different["a/other"].startswith("sha-256 4b227777d4dd")
    quick = Comparison(store, there)
    assert (list(quick.different), quick.alike) == (["a/longer"], 2)


def test_a_name_removed_while_reading_differs(store, tmp_path):
    """What is gone by then is not called alike."""
    store.create("one", b"1")
    there = filled(tmp_path / "there", {"one": b"1"})
    comparison = Comparison(store, there)
    there.remove("one")
    comparison.read("one")
    assert comparison.different["one"].endswith("here, nothing any more there")


contents = st.dictionaries(st.sampled_from("abcde"), st.binary(max_size=2))


@given(ours=contents, theirs=contents)
def test_what_both_sides_tell_mirrors(tmp_path_factory, ours, theirs):
    """Seen from the other side missing is extra; alike is exactly what is equal."""
    root = tmp_path_factory.mktemp("places")
    here, there = filled(root / "here", ours), filled(root / "there", theirs)
    one, other = compared(here, there), compared(there, here)
    assert (one.missing, one.extra, one.different.keys()) == (other.extra, other.missing, other.different.keys())
    assert one.is_alike == (ours == theirs)
    assert one.alike == len(ours.items() & theirs.items())
