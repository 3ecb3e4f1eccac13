from datetime import UTC, datetime, timedelta

import pytest

from coinhts_core.errors import DamagedObjectError, RefusedError
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.sweep import Swept
from coinhts_core.lake.uploads import delete, describe, download, listed, noted, upload, verify

NAME = "reports/2026-01.html"


@pytest.fixture
def report(tmp_path):
    file = tmp_path / "report.html"
    file.write_bytes(b"<p>all is well</p>")
    return file


def test_file_comes_back_as_it_was(store, report, tmp_path):
    """What was uploaded is described, listed and downloaded, into folders that are made."""
    note = upload(store, report, NAME, {"by": "김"})
    assert (note.name, note.size, note.metadata) == (NAME, 18, {"by": "김"})
    assert abs(datetime.now(UTC) - note.uploaded_at) < timedelta(minutes=1)
    assert describe(store, NAME) == note
    assert [(found.path, found.size) for found in listed(store)] == [(NAME, 18)]
    assert list(listed(store, "report")) == []
    target = tmp_path / "new" / "folder" / "copy.html"
    assert download(store, NAME, target) == note
    assert target.read_bytes() == report.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["copy.html"]


def test_name_holds_one_file_until_it_is_deleted(store, report):
    """The same bytes again change nothing; others are refused; deleted, the name is free."""
    note = upload(store, report, NAME, {"by": "first"})
    assert upload(store, report, NAME, {"by": "second"}) == note
    report.write_bytes(b"other")
    with pytest.raises(RefusedError, match=r"reports/2026-01\.html holds another file; delete it first"):
        upload(store, report, NAME)
    delete(store, NAME)
    for use in (describe, delete, verify):
        with pytest.raises(RefusedError, match=f"no file {NAME} was uploaded"):
            use(store, NAME)
    assert upload(store, report, NAME).size == 5


def test_verification_reads_every_byte(store, report, files, tmp_path):
    """Bytes are compared with the note and with a file at hand, and nobody is given damaged ones."""
    upload(store, report, NAME)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    assert verify(store, NAME).matches
    assert verify(store, NAME, report).matches
    assert not verify(store, NAME, other).matches
    (kept,) = files("*.html")[:1]
    kept.write_bytes(b"<p>all is hell</p>")
    assert not verify(store, NAME).matches
    with pytest.raises(DamagedObjectError, match="not those that were uploaded"):
        download(store, NAME, other)
    assert other.read_bytes() == b"other"
    kept.unlink()
    assert list(noted(store)) == [NAME]
    with pytest.raises(DamagedObjectError, match="missing"):
        verify(store, NAME)
    with pytest.raises(RefusedError, match="holds another file"):
        upload(store, other, NAME)


def test_flipped_bits_in_notes_are_noticed(store, report, files):
    """A note that is not what was written is not believed, and none is a way to run or to crash anything."""
    upload(store, report, NAME, {"by": "first"})
    note = files()[-1]
    text = note.read_bytes()
    flipped = [bytes([*text[:at], text[at] ^ 1 << at % 7, *text[at + 1 :]]) for at in range(0, len(text), 9)]
    for damaged in [*flipped, b"", b"[]", b"{}", b"[" * 100_000]:
        note.write_bytes(damaged)
        with pytest.raises(DamagedObjectError):
            describe(store, NAME)


def test_interrupted_upload_is_finished_by_the_next(store, report, files):
    """Bytes whose writer was killed before the note was written are no file yet, and take a note like new ones."""
    upload(store, report, NAME)
    files()[-1].unlink()
    with pytest.raises(RefusedError, match="no file"):
        verify(store, NAME)
    assert list(noted(store)) == []
    assert upload(store, report, NAME) == describe(store, NAME)
    files()[-1].unlink()
    delete(store, NAME)
    assert files() == []


@pytest.mark.parametrize(
    "name",
    ["", "..", "../venue.json", "/etc/passwd", "a//b", "a/../b", "a/.hidden", "a\n", "한", "a.unfinished", "a/" * 20],
)
def test_hostile_names_touch_nothing(store, files, report, name):
    """A name that could lead anywhere else, or that the sweep would take, is refused before anything is asked."""
    for use in (describe, delete, verify, lambda store, name: upload(store, report, name), lambda *_: [*listed(*_)]):
        with pytest.raises(RefusedError, match="is not a name for a file"):
            use(store, name)
    assert files() == []


def test_lake_and_files_leave_each_other_alone(store, report):
    """A file named like a commit is none, and a sweep of the lake never takes it."""
    name = "bars/all/000000000001.json"
    upload(store, report, name)
    lake = Lake(store)
    assert lake.sweep(datetime.now(UTC) + timedelta(days=400)) == Swept(names=0, size=0, damaged=())
    assert lake.number_of_whole("bars") == 0
    assert verify(store, name).matches


def test_unusable_local_files_are_named(store, report, tmp_path):
    """A file that cannot be read or written is refused with the system's reason."""
    upload(store, report, NAME)
    with pytest.raises(RefusedError, match="No such file"):
        upload(store, tmp_path / "none", "none")
    with pytest.raises(RefusedError, match="File exists"):
        download(store, NAME, report / "below")
