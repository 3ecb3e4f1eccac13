import pytest

from coinhts_core.errors import RefusedError
from coinhts_core.laws import breaches
from coinhts_core.strategies import load
from coinhts_pipeline.new_strategy import write_strategy


def test_a_new_strategy_works_and_keeps_the_laws(tmp_path):
    """It is found under its name, enabled, and decides something."""
    file = write_strategy(tmp_path / "strategies", "three_rising")
    strategy = load("three_rising", tmp_path / "strategies", streak=2)
    assert type(strategy).__name__ == "ThreeRising"
    assert type(strategy).enabled
    assert file.read_text().startswith('"""Three rising."""')
    assert breaches(strategy) == []


@pytest.mark.parametrize("name", ["sma_cross", "three_rising", "Three", "a b", "../x", "", "x" * 60])
def test_a_name_that_is_taken_or_none_is_refused(tmp_path, name):
    """Nothing is written, least of all over a file that is there."""
    write_strategy(tmp_path, "three_rising")
    (tmp_path / "three_rising.py").write_text((tmp_path / "three_rising.py").read_text() + "# changed\n")
    with pytest.raises(RefusedError):
        write_strategy(tmp_path, name)
    assert [file.name for file in tmp_path.iterdir()] == ["three_rising.py"]
    assert (tmp_path / "three_rising.py").read_text().endswith("# changed\n")
