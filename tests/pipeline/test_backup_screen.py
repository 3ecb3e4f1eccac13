from datetime import UTC, datetime

from coinhts_core.backups.restore import Restored
from coinhts_core.backups.shelf import Kept
from coinhts_pipeline.backup_screen import bar, listed, megabytes, restored, taken
from tests.core.backups.test_manifest import MANIFEST

AT = MANIFEST.taken_at


def words(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_what_was_taken_is_told_with_what_it_lacks(capsys):
    """Rows, names, bytes, what of it was new; and every sentence of what could not be backed up."""
    taken(MANIFEST.model_copy(update={"lacks": ("the lake lacks [a] day",)}), "s3://bucket/backups")
    told = words(capsys)
    assert "backed up 20260102T030405Z to s3://bucket/backups: 3 rows of 1 databases, 2 names of the lake" in told
    assert "the lake lacks [a] day" in told


def test_backups_are_shown_with_their_age_and_verdict(capsys):
    """One that was never looked at says so."""
    looked_at = datetime(2026, 1, 3, tzinfo=UTC)
    listed(
        [
            Kept(MANIFEST.name, AT, MANIFEST, looked_at, None, None),
            Kept("20260101T000000Z", AT, None, None, None, looked_at),
        ]
    )
    told = words(capsys)
    for said in ("20260102T030405Z 2026-01-02", "(12:04 KST)", "0.0 MB verified", "(09:00 KST)", "damaged never"):
        assert said in told


def test_whoever_restored_learns_what_is_left_to_do(capsys):
    """Secrets to be set again, settings that were otherwise, files of one's own."""
    outcome = Restored(
        MANIFEST.name, AT, 3, 2, 28, ("strategies.toml",), ("the lake lacks a day",), {"COINHTS_WEB__PORT": "3100"},
        ("COINHTS_WEB__TOKEN",), 1.5,
    )  # fmt: skip
    restored(outcome)
    told = words(capsys)
    for said in (
        "restored 20260102T030405Z, taken 2026-01-02 03:04 UTC (12:04 KST): 3 rows, 2 names of the lake",
        "compared and equal",
        "the lake lacks a day",
        "files of your own: strategies.toml",
        "COINHTS_WEB__PORT 3100",
        "to be set again: COINHTS_WEB__TOKEN",
    ):
        assert said in told


def test_a_bar_is_only_for_a_terminal(capsys):
    """Elsewhere it is silent, whatever it is told, and whatever turns up on the way."""
    with bar("backing up") as progress:
        progress("one [of] them", 1, 2)
        progress("two", 2, 5)
    assert capsys.readouterr() == ("", "")


def test_sizes_are_told_in_megabytes():
    """With one decimal."""
    assert [megabytes(size) for size in (0, 1_450_000, 12_345_678_901)] == ["0.0 MB", "1.4 MB", "12,345.7 MB"]
