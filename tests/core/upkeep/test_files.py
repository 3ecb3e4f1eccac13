import gzip
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coinhts_core.upkeep.files import archive_logs, remove_drafts, remove_prints

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUN, YOUNGER = "0b0e7a2c-7d4e-4c55-9a55-3f0d3f4b7c11", "1b0e7a2c-7d4e-4c55-9a55-3f0d3f4b7c11"


def written(file: Path, text: str, **ago) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    moment = (NOW - timedelta(**ago)).timestamp()
    os.utime(file, (moment, moment))
    return file


@pytest.fixture
def logs(tmp_path):
    """Logs as a year of rotation leaves them."""
    folder = tmp_path / "logs"
    written(folder / "daemon.log", "now", days=200)
    written(folder / "daemon.log.1", "lately", days=89)
    written(folder / "daemon.log.2", "long ago\n" * 1_000, days=91)
    written(folder / "alerts.jsonl.20260101", "a line", days=120)
    written(folder / "alerts.jsonl", '{"raised_at": "2026-05-20T01:00:00+00:00"}\n', days=0)
    return folder


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_logs_are_archived_after_ninety_days(logs):
    """Compressed, whole, under a name that no later log takes; what a process still appends to stays where it is."""
    before = (logs / "daemon.log.2").read_text()
    found = archive_logs(logs, NOW, only_looks=True)
    assert (found.count, found.size) == (2, len(before) + len("a line"))
    assert set(found.names) == {"daemon.log.2", "alerts.jsonl.20260101"}
    assert not (logs / "archive").exists()
    assert archive_logs(logs, NOW, only_looks=False) == found
    packed = logs / "archive" / "daemon.log.2-20260302T120000.gz"
    assert gzip.decompress(packed.read_bytes()).decode() == before
    assert packed.stat().st_mode & 0o077 == 0
    assert names(logs) == {
        "daemon.log",
        "daemon.log.1",
        "alerts.jsonl",
        "archive/daemon.log.2-20260302T120000.gz",
        "archive/alerts.jsonl.20260101-20260201T120000.gz",
    }
    assert archive_logs(logs, NOW, only_looks=False).count == 0


def test_a_file_of_lines_begins_anew_every_month(logs):
    """Else it would never end, and so never be archived; nothing of it is lost, and nothing is compressed too early."""
    archive_logs(logs, NOW + timedelta(days=20), only_looks=False)
    assert "2026-05-20" in (logs / "alerts.jsonl.20260621").read_text()
    assert not (logs / "alerts.jsonl").exists()
    written(logs / "alerts.jsonl", "no moment in it", days=0)
    archive_logs(logs, NOW + timedelta(days=80), only_looks=False)
    assert (logs / "alerts.jsonl").exists()


def test_a_link_among_logs_is_nobodys_to_compress(logs, tmp_path):
    """It leads elsewhere."""
    elsewhere = written(tmp_path / "elsewhere", "not a log", days=400)
    (logs / "mine.1").symlink_to(elsewhere)
    archive_logs(logs, NOW, only_looks=False)
    assert elsewhere.read_text() == "not a log"
    assert (logs / "mine.1").is_symlink()


def test_what_steps_printed_goes_after_a_month(tmp_path):
    """A run's whole folder; whatever else lies there stays."""
    for run, days in ((RUN, 31), (YOUNGER, 29), ("mine", 400)):
        written(tmp_path / run / "compute_logs" / "step.err", "printed", days=days)
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(tmp_path / run, (moment, moment))
    assert remove_prints(tmp_path, NOW, only_looks=True).facts == {"count": 1, "bytes": 7, "names": [RUN]}
    assert (tmp_path / RUN).exists()
    assert remove_prints(tmp_path, NOW, only_looks=False).count == 1
    assert {folder.name for folder in tmp_path.iterdir()} == {YOUNGER, "mine"}
    assert remove_prints(tmp_path / "nowhere", NOW, only_looks=False).count == 0


LEFT = (
    ".writable-77",
    ".strategies.toml-77",
    "heartbeat.draft",
    "benchmarks/a.draft",
    "dagster/.dagster-77.yaml",
    f"dagster/claims/.{RUN}",
    "logs/.daemon.log",
    "reports/performance/sma.draft",
    "reports/requests/.abc",
    "results/.abc.html",
)
STAYS = (".env", "strategies.toml", "reports/requests/abc.html", "results/abc.html", f"dagster/claims/{RUN}")


def test_what_killed_processes_left_goes_after_an_hour(tmp_path):
    """Whatever the rooms call what they have not finished; secrets, pages and claims are none of it."""
    for name in (*LEFT, *STAYS):
        written(tmp_path / name, "half", hours=2)
    fresh = written(tmp_path / "results" / ".fresh.html", "half", minutes=50)
    found = remove_drafts(tmp_path, tmp_path / "tmp", NOW, only_looks=True)
    assert found.count == len(LEFT)
    assert (tmp_path / LEFT[0]).exists()
    assert remove_drafts(tmp_path, tmp_path / "tmp", NOW, only_looks=False) == found
    assert names(tmp_path) == {*STAYS, str(fresh.relative_to(tmp_path))}


def test_sockets_that_nobody_listens_on_go(tmp_path):
    """A house that is up elsewhere on this machine keeps its own, however old they are."""
    for name in ("coinhts-up-living", "coinhts-up-dead", "others"):
        (tmp_path / name).mkdir()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(tmp_path / "coinhts-up-living" / "ui"))
        living.listen()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "coinhts-up-dead" / "ui"))
        for folder in tmp_path.iterdir():
            os.utime(folder, (0, 0))
        remove_drafts(tmp_path / "home", tmp_path, NOW, only_looks=False)
        assert {folder.name for folder in tmp_path.iterdir()} == {"coinhts-up-living", "others"}
