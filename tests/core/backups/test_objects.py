from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from coinhts_core.backups.manifest import Entry
from coinhts_core.backups.objects import Objects
from coinhts_core.errors import DamagedObjectError
from coinhts_core.lake.directory import DirectoryStore

CONTENT = b"rows"
ENTRY = Entry(path="a/b", size=4, sha256=sha256(CONTENT).hexdigest())


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path)


def loaded():
    return memoryview(CONTENT)


def never():
    msg = "what is there is not loaded again"
    raise AssertionError(msg)


def test_bytes_are_kept_once(store):
    """Under what they hash to; whoever keeps them again loads nothing."""
    objects = Objects(store)
    objects.keep(ENTRY, loaded)
    assert bytes(store.get(f"objects/{ENTRY.sha256}")) == CONTENT
    Objects(store).keep(ENTRY.model_copy(update={"path": "elsewhere"}), never)
    objects.keep(ENTRY, never)
    assert (objects.new, objects.new_bytes) == (1, 4)
    assert bytes(objects.get(ENTRY)) == CONTENT


def test_many_who_keep_the_same_keep_it_once(store):
    """However many there are at once."""
    objects = Objects(store)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: objects.keep(ENTRY, loaded), range(64)))
    assert objects.is_whole(ENTRY)
    assert len(list(store.listed())) == 1


def test_bytes_that_are_not_what_they_should_be_are_refused(store):
    """Lost or other ones, wherever they come from; nothing is kept."""
    with pytest.raises(DamagedObjectError, match=r"a/b is damaged \(it is missing"):
        Objects(store).keep(ENTRY, lambda: None)
    with pytest.raises(DamagedObjectError, match="not those that were published"):
        Objects(store).keep(ENTRY, lambda: memoryview(b"rots"))
    assert list(store.listed()) == []


def test_what_rotted_is_kept_anew_while_good_bytes_are_at_hand(store):
    """And is given to nobody before."""
    store.create(f"objects/{ENTRY.sha256}", b"rots")
    objects = Objects(store)
    assert objects.get(ENTRY) is None
    assert not objects.is_whole(ENTRY)
    objects.keep(ENTRY, loaded)
    assert objects.is_whole(ENTRY)


def test_what_arrives_otherwise_than_it_was_sent_is_noticed(store):
    """A place that changes bytes on their way keeps no backup."""
    create = store.create
    store.create = lambda path, content: create(path, content[:-1])
    with pytest.raises(DamagedObjectError, match="arrived otherwise"):
        Objects(store).keep(ENTRY, loaded)
