import numpy as np
import pytest


@pytest.mark.parametrize("name", ["equity", "optimistic", "benchmarks"])
def test_curves_cover_the_same_days(make_sheet, name):
    """The starting cash and a value a day; anything else would be drawn at the wrong place."""
    curve = np.ones(5)
    with pytest.raises(ValueError, match="has 5 values; the starting cash and 3 days are wanted"):
        make_sheet(days=3, trades=0, **{name: {"coin": curve} if name == "benchmarks" else curve})


def test_equal_bounds_are_one(make_sheet):
    """Only where bars in doubt made a difference are there two."""
    plain = make_sheet(days=3, trades=0)
    assert not plain.has_two_bounds
    assert not make_sheet(days=3, trades=0, optimistic=plain.equity.copy()).has_two_bounds
    assert make_sheet(days=3, trades=0, optimistic=plain.equity + 1.0).has_two_bounds
