import pytest

from coinhts_core.backups.parts import read, write
from coinhts_core.errors import DamagedBackupError, RefusedError
from coinhts_core.lake.directory import DirectoryStore

NAME = "20260102T030405Z"


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path)


def test_a_long_file_goes_out_in_pieces_and_comes_back_in_order(store):
    """The first bears the name, the others a number behind it, in the order of their names, too."""
    pieces = [f"piece {number}".encode() for number in range(1, 13)]
    parts = write(store, NAME, "ledger.dump", iter(pieces))
    assert [part.name for part in parts[:3]] == ["ledger.dump", "ledger.dump.part-0002", "ledger.dump.part-0003"]
    assert sorted(part.name for part in parts) == [part.name for part in parts]
    assert list(read(store, NAME, parts)) == pieces


def test_what_was_begun_is_not_gone_on_with(store):
    """Two that are taken in one second are two backups."""
    write(store, NAME, "ledger.dump", [b"1"])
    with pytest.raises(RefusedError, match=f"the backup {NAME} was begun already"):
        write(store, NAME, "ledger.dump", [b"2"])
    assert bytes(store.get(f"{NAME}/ledger.dump")) == b"1"


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "b.part-0002 is missing"), (b"tw", "has 2 bytes instead of 3"), (b"twO", "are not those that were")],
)
def test_every_piece_is_proved(store, content, told):
    """Those before the damaged one are given."""
    parts = write(store, NAME, "b", [b"one", b"two"])
    store.remove(f"{NAME}/b.part-0002")
    if content:
        store.create(f"{NAME}/b.part-0002", content)
    pieces = read(store, NAME, parts)
    assert next(pieces) == b"one"
    with pytest.raises(DamagedBackupError, match=told):
        next(pieces)
