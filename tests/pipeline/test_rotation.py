import pytest

from coinhts_pipeline.rotation import rotate
from tests.faults.small_disk import no_file_beyond


def test_a_log_keeps_its_newest_and_so_many_before(tmp_path):
    """Whoever goes on writing to it writes to its beginning; what is older than the last one kept is gone."""
    log = tmp_path / "code.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(7):
            writer.write(f"{number:03}\n".encode() * 25)
            assert rotate(log, most_bytes=100, kept=3)
            assert log.read_bytes() == b""
        writer.write(b"now\n")
    assert log.read_bytes() == b"now\n"
    assert [file.read_text()[:3] for file in sorted(tmp_path.glob("code.log.*"))] == ["006", "005", "004"]


def test_a_short_log_and_one_that_is_missing_are_left_alone(tmp_path):
    """Nothing is moved before it must be."""
    log = tmp_path / "code.log"
    assert not rotate(log)
    log.write_bytes(b"x" * 99)
    assert not rotate(log, most_bytes=100)
    assert list(tmp_path.iterdir()) == [log]


def test_without_room_nothing_is_moved(tmp_path):
    """However often it is tried; with room it goes on."""
    log = tmp_path / "code.log"
    for place in (1, 2):
        (tmp_path / f"code.log.{place}").write_text(f"older {place}")
    log.write_bytes(b"x" * 200)
    for _ in range(3):
        with no_file_beyond(100), pytest.raises(OSError, match="File too large"):
            rotate(log, most_bytes=100)
        assert {file.name for file in tmp_path.iterdir()} == {"code.log", "code.log.1", "code.log.2"}
    assert rotate(log, most_bytes=100)
    assert (tmp_path / "code.log.3").read_text() == "older 2"
