import json
import os
import tempfile

import pytest

from coinhts_core.errors import LakeUnusableError
from coinhts_core.lake.lake import Lake
from coinhts_pipeline.upkeep import CHORES


@pytest.fixture(autouse=True)
def _no_other_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def left_behind(house):
    """Leave what a killed process leaves."""
    draft = house.rooms.settings.home / "heartbeat.draft"
    draft.write_text("half")
    os.utime(draft, (0, 0))
    return draft


def test_a_rehearsal_reports_and_leaves_everything(house, answer):
    """What would go, chore by chore, with its bytes."""
    draft = left_behind(house)
    code, out, err = answer("maintain", "--dry-run", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert [of["chore"] for of in told["found"]] == [chore.name for chore in CHORES]
    assert told["found"][0] == {"chore": "drafts", "count": 1, "bytes": 4, "names": [str(draft)]}
    assert told["done"] == []
    assert draft.exists()
    code, out, _ = answer("maintain", "--dry-run")
    assert code == 0
    assert out.rstrip().endswith("nothing was put away: that was a rehearsal")


def test_the_report_comes_before_the_deed(house, answer):
    """And what was done is told as it was found."""
    draft = left_behind(house)
    code, out, _ = answer("maintain", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["done"][0] == told["found"][0]
    assert not draft.exists()
    code, out, _ = answer("maintain")
    assert code == 0
    assert "things of" in out


def test_a_chore_that_cannot_be_done_is_the_exit_code(house, answer, monkeypatch):
    """The others are done, and the document is whole."""

    def refused(*_, **__):
        raise LakeUnusableError(place="the lake", reason="it is away")

    monkeypatch.setattr(Lake, "sweep", refused)
    draft = left_behind(house)
    code, out, err = answer("maintain", "--json")
    assert code == 1
    assert "it is away" in err
    assert len(json.loads(out)["done"]) == len(CHORES)
    assert not draft.exists()
