from datetime import UTC, datetime, timedelta, timezone

import pytest

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.tearsheet import words


@pytest.mark.parametrize(
    ("name", "value", "printed"),
    [
        ("total_return", 0.1234, "+12.34%"),
        ("win_rate", 0.5, "50.00%"),
        ("sharpe", -1.234, "-1.23"),
        ("expectancy_krw", -12_345.6, "-12,346 KRW"),
        ("max_drawdown_days", 12.0, "12 days"),
        ("average_bars_held", 2.25, "2.2 bars"),
        ("trades", 10_000.0, "10,000"),
        ("of a later version", 1.5, "1.50"),
        ("sharpe", None, UNDEFINED),
    ],
)
def test_figures_are_printed_in_their_units(name, value, printed):
    """A gain has its sign, a share has none; what is undefined is a dash."""
    assert words.figure(name, value) == printed


def test_every_unit_can_be_printed():
    """A new figure cannot bring a unit that the page does not know."""
    assert all(words.figure(name, 1.0) for name in FIGURES)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (123_456_789.0, "123,456,789"),
        (999.5, "999.5"),
        (0.00001234, "0.00001234"),
        (0.1, "0.1"),
        (0.0, "0"),
        (None, UNDEFINED),
    ],
)
def test_prices_and_volumes_have_the_decimals_they_need(value, printed):
    """Never an exponent."""
    assert words.number(value) == printed


def test_no_won_is_not_negative():
    """Rounding leaves no sign behind."""
    assert words.krw(-0.2) == words.krw(0.2) == "0 KRW"
    assert words.krw(-10.0) == "-10 KRW"
    assert words.krw(None) == UNDEFINED


@pytest.mark.parametrize(
    ("value", "step", "printed"),
    [(12_500_000, 2_500_000, "12.5M"), (10_000_000, 2_500_000, "10.0M"), (0, 5e6, "0"), (1.5e9, 5e8, "1.5B"),
     (800, 50, "800"), (0.0015, 0.0005, "0.0015"), (-2e6, 1e6, "-2M")],
)  # fmt: skip
def test_axes_are_short(value, step, printed):
    """With as many decimals as tell one step from the next."""
    assert words.short(value, step) == printed


def test_moments_are_told_in_both_zones():
    """Whatever zone they come in."""
    at = datetime(2026, 1, 2, 15, 30, tzinfo=UTC)
    for zone in (UTC, timezone(timedelta(hours=-5))):
        assert words.in_utc(at.astimezone(zone)) == "2026-01-02 15:30 UTC"
        assert words.in_kst(at.astimezone(zone)) == "2026-01-03 00:30 KST"


@pytest.mark.parametrize(
    ("value", "printed"),
    [(None, "none"), (10_000_000.0, "10,000,000"), (0.05, "0.05"), (20, "20"), ("1h", "1h"), (True, "True")],
)
def test_knobs_are_printed_as_people_tell_them(value, printed):
    """None is none; a number is no power of ten."""
    assert words.knob(value) == printed
