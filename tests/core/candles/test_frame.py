from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from coinhts_core.candles.frame import CANDLES, judge_day, row_rules
from coinhts_core.errors import BadCandlesError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

BTC, DAY = Market("KRW-BTC"), date(2026, 1, 2)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
LATER = MIDNIGHT + timedelta(days=2)
SAMPLE = open_exchange("sample")


def frame(**changed):
    """Three good minutes, with one column's middle value changed."""
    columns = {
        "opened_at": [MIDNIGHT + timedelta(minutes=at) for at in (0, 1, 3)],
        "open": [10.0, 11.0, 12.0],
        "high": [11.0, 12.0, 13.0],
        "low": [9.0, 10.0, 11.0],
        "close": [11.0, 11.0, 11.5],
        "volume": [1.0, 0.5, 2.0],
        "turnover_krw": [10.0, 5.5, 24.0],
    }
    for name, value in changed.items():
        columns[name][1] = value
    return pl.DataFrame(columns)


def judged(candles, timeframe=Timeframe.M1, asked_at=LATER):
    return judge_day(candles, BTC, DAY, timeframe, asked_at=asked_at)


def test_a_good_day_passes_as_the_schema_wants_it():
    """Extra columns fall away, columns come in order, a quiet day is good, too."""
    assert judged(frame().select(pl.all().reverse(), extra=1).reverse()).columns == CANDLES.names
    assert judged(CANDLES.empty()).equals(CANDLES.empty())


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("prices_are_positive", {"low": 0.0}),
        ("prices_are_positive", {"open": -1.0}),
        ("high_is_not_below_low", {"high": 9.5}),
        ("open_and_close_are_between_low_and_high", {"open": 12.5}),
        ("open_and_close_are_between_low_and_high", {"close": 9.5}),
        ("volumes_are_not_negative", {"volume": -0.1}),
        ("volumes_are_not_negative", {"turnover_krw": -0.1}),
        ("bars_are_in_order", {"opened_at": MIDNIGHT + timedelta(minutes=5)}),
        ("bars_are_unique", {"opened_at": MIDNIGHT}),
        ("bars_open_on_the_grid", {"opened_at": MIDNIGHT + timedelta(seconds=61)}),
    ],
)
def test_each_rule_is_named_when_it_is_broken(rule, changed):
    """The refusal says which sentence is not true, of which bar."""
    with pytest.raises(
        BadCandlesError, match=rf"KRW-BTC on 2026-01-02.*{rule} does not hold for the bar of 2026-01-02"
    ):
        judged(frame(**changed))


@pytest.mark.parametrize("shift", [timedelta(days=-1), timedelta(days=1), timedelta(minutes=1_437)])
def test_bars_of_another_day_are_refused(shift):
    """Yesterday's, tomorrow's, and a day that runs over its end."""
    with pytest.raises(BadCandlesError, match="bars_belong_to_the_day"):
        judged(frame().with_columns(pl.col("opened_at") + shift))


def test_an_unfinished_bar_is_refused():
    """The last bar closes at 00:04; asked a second earlier it was not finished."""
    closed_at = MIDNIGHT + timedelta(minutes=4)
    assert judged(frame(), asked_at=closed_at).height == 3
    with pytest.raises(BadCandlesError, match="bars_are_closed"):
        judged(frame(), asked_at=closed_at - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (frame().drop("turnover_krw"), "turnover_krw is missing"),
        (frame(volume=None), "volume has empty values"),
        (frame(open=float("nan")), "open holds NaN or an infinity"),
        (frame(high=float("inf")), "high holds NaN or an infinity"),
        (frame().with_columns(close=pl.lit("dear")), "close is String and cannot become float"),
    ],
)
def test_what_is_no_candle_at_all_is_refused(broken, reason):
    """Missing columns and values that are no numbers name the symbol and the day, too."""
    with pytest.raises(BadCandlesError, match=f"KRW-BTC on 2026-01-02 are refused: {reason}"):
        judged(broken)


def test_a_day_bar_is_judged_by_the_same_rules():
    """It opens at midnight and closes at the next."""
    bar = SAMPLE.days(BTC, DAY, DAY)
    assert judged(bar, Timeframe.D1).equals(bar)
    with pytest.raises(BadCandlesError, match="bars_open_on_the_grid"):
        judged(frame(), Timeframe.D1)


def test_rules_are_true_sentences_with_a_verdict_for_every_row():
    """Checks of stored candles count the rows that break each."""
    verdicts = frame(low=-1.0).select(**row_rules(DAY, Timeframe.M1, LATER))
    assert verdicts.select((~pl.all()).sum()).row(0, named=True) == {
        rule: int(rule == "prices_are_positive") for rule in verdicts.columns
    }
