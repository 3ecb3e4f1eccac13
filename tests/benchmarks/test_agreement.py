import pytest

from tests.benchmarks.agreement import DisagreementError, same, same_breakouts

OURS = {"final": [1e12, 9e11], "trades": [7, 8], "bars": [70, 80]}


def test_equal_outcomes_agree():
    """Also where a peer does not tell everything, and where its last digits differ."""
    same(ours=OURS, peer=OURS, other={"final": [1e12 * (1 + 9e-10), 9e11], "trades": [7, 8]})


@pytest.mark.parametrize(
    ("theirs", "sentence"),
    [
        ({"final": [1e12, 9e11 * (1 + 2e-9)]}, "ours and peer end 2.0e-09 apart"),
        ({"trades": [7, 9]}, "trades of point 1: 8, peer 9"),
        ({"bars": [71, 80]}, "bars of point 0: 70, peer 71"),
        ({"final": [float("nan"), 9e11]}, "ours and peer end nan apart"),
    ],
)
def test_a_difference_is_named(theirs, sentence):
    """Whoever reads the table learns which point, and how far apart."""
    with pytest.raises(DisagreementError, match=sentence):
        same(ours=OURS, peer={**OURS, **theirs})


def test_breakouts_may_differ_in_a_few_prices_but_in_no_trade():
    """A level instead of an open, in the bar at whose open the time is up."""
    same_breakouts(ours=OURS, peer={**OURS, "final": [1.01e12, 9e11]})
    with pytest.raises(DisagreementError):
        same_breakouts(ours=OURS, peer={**OURS, "final": [1.03e12, 9e11]})
    with pytest.raises(DisagreementError):
        same_breakouts(ours=OURS, peer={**OURS, "bars": [71, 80]})
