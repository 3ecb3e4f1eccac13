import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backups.manifest import (
    DatabaseFacts,
    Entry,
    LakeFacts,
    Manifest,
    Part,
    TableFacts,
    Verified,
    entries_in,
    lines_of,
    moment_of,
    name_of,
)
from coinhts_core.errors import DamagedBackupError
from coinhts_core.hashes import canonical

NAME = "20260102T030405Z"
_HASH = "a" * 64
MANIFEST = Manifest(
    name=NAME,
    taken_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    coinhts="1",
    programs="pg_dump 18",
    venue="sample",
    schema_revision="0001_create_ledger",
    databases={
        "ledger": DatabaseFacts(
            server="18.4",
            snapshot="1-1",
            structure_hash=_HASH,
            tables={"public.symbols": TableFacts(rows=3, content_hash="1.2")},
        )
    },
    parts=(Part(name="ledger.dump", size=7, sha256=_HASH), Part(name="ledger.dump.part-0002", size=1, sha256=_HASH)),
    lake=LakeFacts(names=2, size=20, new_objects=1, new_bytes=10),
    parent=None,
    parent_digest=None,
)


def test_a_backup_is_named_by_its_moment_in_utc():
    """To the second, whatever the zone it was told in; what names no moment is no backup's name."""
    korea = timezone(timedelta(hours=9))
    assert name_of(datetime(2026, 1, 2, 12, 4, 5, 999_999, tzinfo=korea)) == NAME
    assert moment_of(NAME) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for text in ("objects", "20261302T030405Z", f"{NAME}x", "20260102T030405", "../20260102T030405Z", ""):
        assert moment_of(text) is None


def test_a_document_says_again_what_was_written():
    """Written, read, and written once more to the same bytes."""
    text = MANIFEST.to_text()
    assert Manifest.from_text(text, NAME) == MANIFEST
    assert Manifest.from_text(text, NAME).to_text() == text
    assert (MANIFEST.size, MANIFEST.rows) == (28, 3)
    assert [part.name for part in MANIFEST.parts_of("ledger.dump")] == ["ledger.dump", "ledger.dump.part-0002"]


@given(bit=st.integers(0, 8 * len(MANIFEST.to_text()) - 1))
def test_no_flipped_bit_is_believed(bit):
    """Wherever it is."""
    text = bytearray(MANIFEST.to_text())
    text[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedBackupError):
        Manifest.from_text(bytes(text), NAME)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_half_a_document_is_none(length):
    """Cut anywhere."""
    with pytest.raises(DamagedBackupError):
        Manifest.from_text(MANIFEST.to_text()[:length], NAME)


def test_there_is_one_spelling():
    """The same facts with spaces, in another order, or told twice are none of ours."""
    text = MANIFEST.to_text()
    facts = json.loads(text)
    spaced = json.dumps(facts).encode()
    turned = json.dumps(dict(reversed(facts.items())), separators=(",", ":")).encode()
    twice = text[:-1] + b',"venue":"sample"}'
    for other in (spaced, turned, twice, text + b"\n"):
        with pytest.raises(DamagedBackupError, match="not spelled as coinhts writes them"):
            Manifest.from_text(other, NAME)


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"name": "../x"}, {"parts": (Part.model_construct(name="x", size=-1, sha256=_HASH),)}, {"more": 1}],
)
def test_what_is_signed_must_make_sense(change):
    """A digest that fits makes no nonsense true."""
    facts = MANIFEST.model_copy(update=change)
    with pytest.raises(DamagedBackupError):
        Manifest.from_text(facts.to_text() if "more" not in change else _with_more(), NAME)


def _with_more():
    class More(Manifest):
        more: int = 1

    return More(**dict(MANIFEST)).to_text()


def test_another_kind_of_document_is_not_taken_for_it():
    """What was verified is no manifest."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    noted = Verified(name=NAME, manifest_digest=_HASH, verified_at=moment, objects=1, size=1)
    with pytest.raises(DamagedBackupError, match="its manifest says nothing sensible of"):
        Manifest.from_text(noted.to_text(), NAME)
    assert Verified.from_text(noted.to_text(), NAME) == noted


def test_heads_are_read_as_they_are_written():
    """One name a line in one order; a name told twice, a line out of order or of other spelling is refused."""
    entries = [Entry(path=path, size=1, sha256=_HASH) for path in ("b/1.json", "a/2.parquet")]
    text = lines_of(entries)
    assert entries_in(text, NAME) == sorted(entries, key=lambda of: of.path)
    first, second = text.splitlines(keepends=True)
    spaced = canonical(entries[0].model_dump()).replace(":", ": ").encode() + b"\n"
    for wrong in (second + first, first + first, text[:-1], text + b"\n", b"{}\n", spaced, b"\xff\n"):
        with pytest.raises(DamagedBackupError):
            entries_in(wrong, NAME)
