from datetime import timedelta
from pathlib import Path

import pytest

from coinhts_core.backups.manifest import Damaged, Entry, Verified, lines_of
from coinhts_core.backups.parts import heads_of
from coinhts_core.backups.verify import verify
from coinhts_core.errors import UnknownBackupError
from tests.core.backups.conftest import TAKEN_AT

LATER = TAKEN_AT + timedelta(hours=1)
NAME = "20260201T040000Z"


def flip(file: Path):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_good_backup_is_found_good(installed):
    """Every byte was read; that is written down, and listed."""
    installed.take()
    told = []
    found = verify(installed.shelf, NAME, LATER, lambda *step: told.append(step))
    assert (found.objects, found.damages) == (9, ())
    assert told[-1][1] == told[-1][2]
    assert [of.verified_at for of in installed.shelf.noted(NAME, Verified)] == [LATER, TAKEN_AT]
    assert installed.shelf.find(NAME).verified_at == LATER


def test_what_is_no_backup_cannot_be_verified(in_directories):
    """Neither a name that nobody gave nor a path that leads out."""
    for name in (NAME, "../..", "objects", ""):
        with pytest.raises(UnknownBackupError):
            verify(in_directories.shelf, name, LATER)


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("ledger.dump", "the bytes of ledger.dump are not those that were written"),
        ("dagster.dump", "the bytes of dagster.dump are not those that were written"),
        ("heads.jsonl", "the bytes of heads.jsonl are not those that were written"),
        ("files.json", "the bytes of files.json are not those that were written"),
        ("manifest.json", "its manifest"),
        (f"verified-{NAME}.json", "its verified"),
    ],
)
def test_a_flipped_bit_is_found_in_every_file(in_directories, file, told):
    """And the backup counts as damaged until a look finds nothing."""
    in_directories.take()
    flip(in_directories.file(NAME, file))
    found = verify(in_directories.shelf, NAME, LATER)
    assert told in " ".join(found.damages)
    kept = in_directories.shelf.find(NAME)
    assert (kept.verdict, kept.is_whole) == ("damaged", False)
    assert in_directories.shelf.newest() is None
    assert in_directories.shelf.noted(NAME, Damaged)[0].damages == found.damages
    flip(in_directories.file(NAME, file))
    assert verify(in_directories.shelf, NAME, LATER + timedelta(seconds=1)).damages == ()
    assert in_directories.shelf.newest().verdict == "verified"


def test_objects_damaged_missing_or_exchanged_are_named(in_directories):
    """Each by the name of the lake whose bytes they were."""
    entries = heads_of(in_directories.shelf.store, in_directories.take())
    flipped, missing, one, other = (Path(_object(in_directories, of)) for of in entries[:4])
    flip(flipped)
    missing.unlink()
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    found = verify(in_directories.shelf, NAME, LATER)
    assert len(found.damages) == 4
    assert all(of.path in damage for of, damage in zip(entries[:4], found.damages, strict=True))


def test_a_file_that_was_added_is_named_and_one_that_was_lost(in_directories):
    """The manifest knows all of them."""
    in_directories.take()
    in_directories.file(NAME, "more.dump").write_bytes(b"")
    in_directories.file(NAME, "heads.jsonl").unlink()
    damages = verify(in_directories.shelf, NAME, LATER).damages
    assert damages == ("the manifest knows nothing of more.dump", "heads.jsonl is missing")


def test_a_manifest_of_another_time_is_found_out(in_directories):
    """One that others did not know, one that was looked at otherwise, and one of another backup."""
    first = in_directories.take()
    in_directories.take(LATER)
    file = in_directories.file(NAME, "manifest.json")
    whole = file.read_bytes()
    file.write_bytes(first.model_copy(update={"venue": "upbit"}).to_text())
    assert verify(in_directories.shelf, NAME, LATER).damages == (
        "the manifest is not the one that 20260201T050000Z was taken after",
        "an earlier look (verified) was at another manifest",
    )
    assert "the manifest of 20260201T040000Z is not the one that this backup was taken after" in (
        verify(in_directories.shelf, "20260201T050000Z", LATER).damages
    )
    file.write_bytes(in_directories.shelf.manifest("20260201T050000Z").to_text())
    assert verify(in_directories.shelf, NAME, LATER).damages == ("its manifest is that of 20260201T050000Z",)
    file.write_bytes(whole)
    assert verify(in_directories.shelf, NAME, LATER + timedelta(seconds=1)).damages == ()


def test_heads_that_make_no_sense_are_named(in_directories):
    """Signed anew by somebody who knows how: names that no lake has, commits without their rows, other counts."""
    manifest = in_directories.take()
    entries = heads_of(in_directories.shelf.store, manifest)
    forged = [of for of in entries if not of.path.endswith(".parquet")]
    forged.append(Entry(path="../../etc/passwd", size=forged[0].size, sha256=forged[0].sha256))
    in_directories.forge(NAME, "heads.jsonl", lines_of(forged))
    damages = verify(in_directories.shelf, NAME, LATER).damages
    assert "the heads name ../../etc/passwd, which is no name in a lake" in damages
    assert "the heads name 6 names of the lake instead of 7, or other sizes" in damages
    assert sum("names rows that are not among the heads" in damage for damage in damages) == 2


def test_a_dump_that_is_no_dump_is_found_though_its_bytes_are_signed(in_directories):
    """Hashes prove that nothing changed, not that it can be read."""
    in_directories.take()
    whole = in_directories.file(NAME, "ledger.dump").read_bytes()
    in_directories.forge(NAME, "ledger.dump", whole[: len(whole) // 2])
    in_directories.file(NAME, f"verified-{NAME}.json").unlink()
    (damage,) = verify(in_directories.shelf, NAME, LATER).damages
    assert damage.startswith("the dump of ledger cannot be read wholly: ")


def _object(installed, entry):
    return installed.shelf.store.full_name(f"objects/{entry.sha256}")
