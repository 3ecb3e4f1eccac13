from datetime import timedelta

import pytest

from coinhts_core.backups.manifest import Damaged, Drilled, Failed, Verified
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.errors import DamagedBackupError, UnknownBackupError
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.places import open_store
from coinhts_core.settings import S3
from tests.core.backups.test_manifest import MANIFEST

AT = MANIFEST.taken_at
_HASH = "b" * 64


@pytest.fixture(params=["directory", "s3"])
def shelf(request, tmp_path):
    """Give an empty shelf in either kind of place."""
    if request.param == "directory":
        return BackupShelf(DirectoryStore(tmp_path / "backups"))
    bucket = request.getfixturevalue("s3")
    return BackupShelf(open_store(bucket.url, S3(endpoint=bucket.endpoint)), is_sorted=True)


def keep(shelf, hours=0, **changes):
    at = AT + timedelta(hours=hours)
    manifest = MANIFEST.model_copy(update={"name": f"{at:%Y%m%dT%H%M%SZ}", "taken_at": at, **changes})
    assert shelf.store.create(f"{manifest.name}/manifest.json", manifest.to_text())
    return manifest


def test_backups_are_listed_the_newest_first(shelf):
    """What has a manifest and a name; objects, left-overs and what others put there are none."""
    assert shelf.listed() == []
    assert shelf.newest() is None
    older, newer = keep(shelf), keep(shelf, 1)
    for path in ("objects/aa", "20260102T090000Z/ledger.dump", "notes/manifest.json", "zzz/manifest.json", "README"):
        shelf.store.create(path, b"x")
    assert [of.name for of in shelf.listed()] == [newer.name, older.name]
    assert [(of.taken_at, of.size, of.verdict) for of in shelf.listed()] == [
        (AT + timedelta(hours=1), 28, "unverified"),
        (AT, 28, "unverified"),
    ]
    assert "20260102T090000Z" in shelf.files()


def test_the_newest_by_a_moment_is_what_had_been_taken_by_then(shelf):
    """To the second."""
    older, newer = keep(shelf), keep(shelf, 1)
    assert shelf.newest().name == newer.name
    assert shelf.newest(newer.taken_at).name == newer.name
    assert shelf.newest(newer.taken_at - timedelta(seconds=1)).name == older.name
    assert shelf.newest(AT - timedelta(seconds=1)) is None


def test_what_was_found_out_is_told(shelf):
    """Looks and drills, the newest of each; damage holds until a later look finds nothing."""
    name = keep(shelf).name
    later = [AT + timedelta(hours=hour) for hour in range(5)]
    look = Verified(name=name, manifest_digest=_HASH, verified_at=later[0], objects=1, size=1)
    shelf.note(look)
    shelf.note(Drilled(name=name, manifest_digest=_HASH, drilled_at=later[1], seconds=1.5, proved=("rows",)))
    kept = shelf.find(name)
    assert (kept.verified_at, kept.drilled_at, kept.verdict) == (later[0], later[1], "verified")
    shelf.note(Damaged(name=name, manifest_digest=None, found_at=later[2], damages=("a bit",)))
    kept = shelf.find(name)
    assert (kept.verdict, kept.is_whole, kept.damaged_at, shelf.newest()) == ("damaged", False, later[2], None)
    shelf.note(look.model_copy(update={"verified_at": later[3]}))
    assert shelf.find(name).verdict == "verified"
    assert [of.verified_at for of in shelf.noted(name, Verified)] == [later[3], later[0]]
    shelf.note(look.model_copy(update={"verified_at": later[3], "size": 2}))
    assert [of.size for of in shelf.noted(name, Verified)] == [1, 1], "who found out first is kept"


def test_what_a_drill_found_no_mere_look_makes_good(shelf):
    """Rows that were changed with all their hashes look whole; only another drill says that they are."""
    name = keep(shelf).name
    shelf.note(Failed(name=name, manifest_digest=_HASH, found_at=AT, damages=("in a drill, a row",)))
    shelf.note(Verified(name=name, manifest_digest=_HASH, verified_at=AT + timedelta(hours=1), objects=1, size=1))
    assert (shelf.find(name).verdict, shelf.newest()) == ("damaged", None)
    shelf.note(
        Drilled(name=name, manifest_digest=_HASH, drilled_at=AT + timedelta(hours=1), seconds=1.5, proved=("rows",))
    )
    assert shelf.find(name).verdict == "verified"


def test_a_manifest_that_is_not_believed_makes_no_whole_backup(shelf):
    """It is listed, so that somebody looks at it, and passed over."""
    good = keep(shelf)
    shelf.store.create("20260203T000000Z/manifest.json", b"{}")
    shelf.store.create("20260204T000000Z/manifest.json", good.to_text())
    assert [(of.name, of.verdict, of.size) for of in shelf.listed()] == [
        ("20260204T000000Z", "damaged", 0),
        ("20260203T000000Z", "damaged", 0),
        (good.name, "unverified", 28),
    ]
    assert shelf.newest().name == good.name
    with pytest.raises(DamagedBackupError, match=f"its manifest is that of {good.name}"):
        shelf.manifest("20260204T000000Z")


@pytest.mark.parametrize("name", ["20260101T000000Z", "../x", "", "objects", "20261399T000000Z"])
def test_an_unknown_name_is_refused_in_words(shelf, name):
    """Whatever it looks like."""
    for look in (shelf.find, shelf.manifest):
        with pytest.raises((UnknownBackupError, Exception), match=r"holds no backup|leads out"):
            look(name)


def test_a_bucket_is_not_asked_for_its_objects(s3):
    """There may be more than anybody wants to wait for: names come in order, and those of backups come first."""
    store = open_store(s3.url, S3(endpoint=s3.endpoint))
    shelf = BackupShelf(store, is_sorted=True)
    keep(shelf)
    pages = []
    listed = store.listed
    store.listed = lambda prefix=None: (pages.append(of.path) or of for of in listed(prefix))
    for number in range(5):
        store.create(f"objects/{number}", b"x")
    assert len(shelf.listed()) == 1
    assert pages == [f"{MANIFEST.name}/manifest.json", "objects/0"]
