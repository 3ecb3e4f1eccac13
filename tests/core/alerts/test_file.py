import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from coinhts_core.alerts.alert import Letter
from coinhts_core.alerts.file import FileSink
from coinhts_core.errors import SinkUnavailableError
from tests.core.alerts.conftest import NOON


def letter(number):
    return Letter(number, "key", "warning", "한 줄", "one\ntwo", NOON)


def test_each_alert_is_a_line_only_its_owner_may_read(tmp_path):
    """However many write at once."""
    path = tmp_path / "logs" / "alerts.jsonl"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: FileSink(path).send(letter(number)), range(40)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == list(range(40))
    assert (lines[0]["raised_at"], lines[0]["title"]) == ("2026-02-01T12:00:00+00:00", "한 줄")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_tried_again_later(tmp_path):
    """A full disk is emptied, a directory in its place removed; a link leads nowhere."""
    (tmp_path / "alerts.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SinkUnavailableError, match="file did not take the alert"):
        FileSink(tmp_path / "alerts.jsonl").send(letter(1))
    with pytest.raises(SinkUnavailableError, match="No space left"):
        FileSink(tmp_path.joinpath("/dev/full")).send(letter(1))
