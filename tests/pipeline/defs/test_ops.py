from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from coinhts_pipeline.speed import Bench, Figure

_ASSET = "ops/benchmarks"


@pytest.fixture
def benchmarks(house):
    """Keep a run of the bench in the house, with one figure; and publish what is kept."""
    folder = house.rooms.settings.benchmarks_folder

    def measured(*values):
        for file in folder.glob("*.json"):
            file.unlink()
        for place, value in enumerate(values):
            moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=place)
            figure = Figure("w1", "times as fast as raptorbt", value, "x", 15.0, 30.0, clean=5, rounds=5)
            Bench(moment, "a machine", {}, (figure,)).write(folder)
        return house.run(job="publish_benchmarks")

    return measured


def shown(house):
    return house.events(_ASSET)[-1].metadata


def test_before_anything_was_measured_the_asset_says_so(house, benchmarks):
    """An empty table, and how to fill it."""
    result = benchmarks()
    assert result.success
    assert house.rooms.lake.read_whole(_ASSET).height == 0
    assert "make bench" in shown(house)["preview"].value
    assert house.checks(result)["nothing_lost_a_fifth"].passed


def test_the_history_is_stored_and_shown(house, benchmarks):
    """All runs in the lake; the newest as a table, goal beside figure, and a curve over time."""
    result = benchmarks(12.0, 33.0)
    assert result.success
    rows = house.rooms.lake.read_whole(_ASSET)
    assert rows.select("actual", "state").rows() == [(12.0, "below the goal"), (33.0, "ambition reached")]
    assert (
        "| ambition reached | w1 | times as fast as raptorbt | ≥ 15 x | ≥ 30 x | 33 x |"
        in shown(house)["preview"].value
    )
    assert shown(house)["history"].value.startswith("![figures in parts of their goals")
    assert house.checks(result)["nothing_lost_a_fifth"].passed


def test_a_figure_that_lost_a_fifth_is_a_warning(house, benchmarks):
    """It names the figure; the run itself is fine."""
    result = benchmarks(33.0, 33.0, 20.0)
    check = house.checks(result)["nothing_lost_a_fifth"]
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["figures"].value == ["w1, times as fast as raptorbt: 20 x where it was 33 x"]
