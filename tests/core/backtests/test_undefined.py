import numpy as np
import pytest

from coinhts_core.backtests.undefined import Undefined, deviation, finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_no_number_holds_is_undefined(value):
    """Neither NaN nor an infinity is a figure."""
    assert isinstance(finite(value), Undefined)
    assert finite(np.float64(2.5)) == 2.5
    assert type(finite(np.float64(2.5))) is float


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "2 days are needed, there are 0"),
        ([1.0], "2 days are needed, there are 1"),
        ([3.0, 3.0], "the days do not differ"),
        ([0.1 + 0.2, 0.3], "the days do not differ"),
    ],
)
def test_a_deviation_needs_values_that_differ(values, reason):
    """By more than rounding."""
    assert deviation(np.array(values), "days") == reason


def test_a_difference_is_judged_by_what_it_is_a_difference_of():
    """Returns of 1e-16 are the rounding of ratios near 1, whatever their ratio to each other."""
    values = np.array([1e-16, 3e-16])
    assert deviation(values, "days") == pytest.approx(1.4142e-16, rel=1e-3)
    assert isinstance(deviation(values, "days", size=1.0), Undefined)
