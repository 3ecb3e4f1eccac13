from datetime import UTC, datetime, timedelta

import pytest

from coinhts_core.errors import RefusedError


def test_names_are_created_once(store):
    """A second creation of a name is told so and changes nothing; a removed name may be given again."""
    assert store.create("a/b/one", b"first")
    assert not store.create("a/b/one", b"second")
    assert store.get("a/b/one") == b"first"
    before = [listed.version for listed in store.listed("a")]
    store.remove("a/b/one")
    store.remove("a/b/one")
    assert store.get("a/b/one") is None
    assert store.create("a/b/one", b"third")
    assert [listed.version for listed in store.listed("a")] != before


def test_listing_tells_names_sizes_and_ages(store):
    """Everything below a prefix is listed, nothing beside it, and nothing where nothing is."""
    store.create("a/b/one", b"12")
    store.create("a/bc", b"")
    (listed,) = store.listed("a/b")
    assert (listed.path, listed.size) == ("a/b/one", 2)
    assert abs(datetime.now(UTC) - listed.modified_at) < timedelta(minutes=1)
    assert len(list(store.listed())) == 2
    assert list(store.listed("nothing/here")) == []


@pytest.mark.parametrize("path", ["../prefix/one", "/one", "a/../../one", ".."])
def test_paths_lead_nowhere_else(store, files, path):
    """A path that leads out is refused in words, whatever is asked for, and nothing is written anywhere."""
    for use in (store.get, store.remove, lambda path: store.create(path, b"theirs")):
        with pytest.raises(RefusedError, match="leads out of it"):
            use(path)
    assert files() == []


def test_nothing_unfinished_is_left(store):
    """What was created is finished, however old."""
    store.create("a/one", b"1")
    assert store.remove_unfinished(datetime.now(UTC) + timedelta(days=1)) == []
    assert store.full_name("a/one").endswith("/a/one")
    assert store.get("a/one") == b"1"
