import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.frame import CANDLES, RULES, BadBar, judge_day, row_rules, sift
from coinhts_core.days import DayRange
from coinhts_core.errors import BadCandlesError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe

BTC, DAY = Market("KRW-BTC"), date(2026, 1, 2)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
LATER = MIDNIGHT + timedelta(days=2)
ONE_DAY = DayRange(DAY, DAY)
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


def sifted(candles, days=ONE_DAY, timeframe=Timeframe.M1, asked_at=LATER):
    return sift(candles, BTC, days, timeframe, asked_at=asked_at)


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
        ("amounts_are_below_a_quintillion", {"volume": 1e18}),
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
    assert tuple(verdicts.columns) == RULES


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("values_are_finite", {"close": None}),
        ("values_are_finite", {"opened_at": None}),
        ("values_are_finite", {"volume": float("nan")}),
        ("values_are_finite", {"high": float("inf")}),
        ("amounts_are_below_a_quintillion", {"turnover_krw": 1e30}),
        ("prices_are_positive", {"low": 0.0}),
        ("high_is_not_below_low", {"high": 9.5}),
        ("open_and_close_are_between_low_and_high", {"close": 9.5}),
        ("volumes_are_not_negative", {"volume": -0.1}),
        ("bars_open_on_the_grid", {"opened_at": MIDNIGHT + timedelta(seconds=61)}),
        ("bars_belong_to_the_day", {"opened_at": MIDNIGHT + timedelta(days=1)}),
        ("bars_belong_to_the_day", {"opened_at": MIDNIGHT - timedelta(minutes=1)}),
        ("bars_are_closed", {"opened_at": MIDNIGHT + timedelta(minutes=10)}),
    ],
)
def test_one_bad_bar_is_taken_out_and_named(rule, changed):
    """The others stay; what was told is kept as it was told, with text for what JSON lacks."""
    asked_at = MIDNIGHT + timedelta(minutes=10) if rule == "bars_are_closed" else LATER
    found = sifted(frame(**changed), asked_at=asked_at)
    assert found.good.equals(frame()[[0, 2]])
    (bad,) = found.bad
    told = frame(**changed).row(1, named=True)
    assert (bad.rule, bad.opened_at) == (rule, told["opened_at"])
    assert list(bad.bar) == CANDLES.names
    for name, value in told.items():
        if isinstance(value, float):
            assert bad.bar[name] == (value if abs(value) < 1e18 else str(value))
    assert json.loads(json.dumps(bad.bar, allow_nan=False)) == bad.bar


def test_order_does_not_matter_and_an_equal_bar_counts_once():
    """Nothing is bad about either; that the order was another is told."""
    found = sifted(pl.concat([frame()[::-1], frame()[:2]]))
    assert (found.good.equals(frame()), found.bad, found.was_in_order) == (True, (), False)
    assert sifted(frame()).was_in_order


def test_of_two_different_bars_of_a_moment_neither_is_believed():
    """Which one is true is not ours to guess."""
    found = sifted(pl.concat([frame(), frame(volume=0.7)]))
    assert found.good.equals(frame()[[0, 2]])
    assert [(bad.rule, bad.bar["volume"]) for bad in found.bad] == [("bars_are_unique", 0.5), ("bars_are_unique", 0.7)]


@pytest.mark.parametrize("number", [-(2**63), -(2**62), 2**62, 2**63 - 1, 1_767_312_000_000_000_000])
def test_a_moment_beyond_all_calendars_is_a_bad_bar_like_any_other(number):
    """Nanoseconds taken for microseconds stop nothing; the number is kept, and a strict judge says no."""
    far = frame().with_columns(opened_at=pl.Series([*frame()["opened_at"].to_physical()[:2], number]))
    far = far.with_columns(pl.col("opened_at").cast(pl.Datetime("us", "UTC")))
    found = sifted(far)
    assert found.good.equals(frame()[:2])
    assert [(bad.opened_at, bad.bar["opened_at"]) for bad in found.bad] == [(None, str(number))]
    with pytest.raises(BadCandlesError, match="does not hold for the bar of no moment"):
        judged(far)


@pytest.mark.parametrize("broken", [frame().drop("low"), frame().with_columns(close=pl.lit("dear"))])
def test_what_is_no_frame_of_candles_cannot_be_sifted(broken):
    """A column that is missing or of another kind concerns every row."""
    with pytest.raises(BadCandlesError, match="KRW-BTC on 2026-01-02 are refused"):
        sifted(broken)


@pytest.mark.parametrize(
    ("good", "bad", "is_bad_answer"),
    [(3, 0, False), (0, 0, False), (1, 2, False), (20, 3, True), (90, 10, False), (90, 11, True), (0, 1, True)],
)
def test_more_than_a_tenth_is_no_accident(good, bad, is_bad_answer):
    """One or two bars may be bad on a quiet day, too; a day of bad bars alone is none."""
    moments = [MIDNIGHT + timedelta(minutes=at) for at in range(good + bad)]
    prices = [1.0] * good + [-1.0] * bad
    columns = {"opened_at": moments, **dict.fromkeys(CANDLES.names[1:], prices)}
    found = sifted(pl.DataFrame(columns, schema=CANDLES.empty().schema))
    assert (found.good.height, len(found.bad), found.is_bad_answer) == (good, bad, is_bad_answer)


def test_years_of_day_bars_are_sifted_at_once():
    """Each bar belongs to one of the days, and only the bad one goes."""
    days = DayRange(date(2025, 1, 1), date(2026, 1, 1))
    bars = SAMPLE.days(BTC, days.first, days.last)
    spoiled = bars.with_columns(
        low=pl.when(pl.col("opened_at").dt.date() == date(2025, 6, 1)).then(0.0).otherwise("low")
    )
    found = sifted(spoiled, days, Timeframe.D1)
    assert found.good.height == bars.height - 1
    assert [(bad.rule, bad.opened_at) for bad in found.bad] == [
        ("prices_are_positive", datetime(2025, 6, 1, tzinfo=UTC))
    ]
    assert sifted(bars, DayRange(days.first, date(2025, 12, 31)), Timeframe.D1).bad[0].rule == "bars_belong_to_the_day"


def broken_rules(row):
    """A second opinion on a single row, in plain Python."""
    opened_at, opens, high, low, close, *volumes = row
    if any(value is None or not isfinite(value) for value in row[1:]) or opened_at is None:
        return {"values_are_finite"}
    prices = (opens, high, low, close)
    return {
        rule
        for rule, is_broken in {
            "amounts_are_below_a_quintillion": max(*prices, *volumes) >= 1e18,
            "prices_are_positive": min(prices) <= 0,
            "high_is_not_below_low": high < low,
            "open_and_close_are_between_low_and_high": not (low <= opens <= high and low <= close <= high),
            "volumes_are_not_negative": min(volumes) < 0,
            "bars_open_on_the_grid": (opened_at.second, opened_at.microsecond) != (0, 0),
            "bars_belong_to_the_day": not MIDNIGHT <= opened_at <= MIDNIGHT + timedelta(minutes=1_439),
            "bars_are_closed": opened_at + timedelta(minutes=1) > LATER,
        }.items()
        if is_broken
    }


def as_key(row):
    """Rows as sets can hold them: NaN equals itself, and there is one zero."""
    return tuple(repr(value + 0.0) if isinstance(value, float) else value for value in row)


def check_law(rows, found):
    """Kept are exactly the good rows, sorted; in quarantine are exactly the others, each with a rule it breaks."""
    once = {as_key(row): row for row in rows}
    told = Counter(row[0] for row in once.values())
    good = [row for row in once.values() if not broken_rules(row) and told[row[0]] == 1]
    assert found.good.rows() == sorted(good)
    assert len(found.bad) == len(once) - len(good)
    left = {key: row for key, row in once.items() if row not in good}
    for bad in found.bad:
        assert isinstance(bad, BadBar)
        amounts = (value if value is None else float(value) for value in list(bad.bar.values())[1:])
        row = left.pop(as_key((bad.opened_at, *amounts)))
        assert bad.rule in broken_rules(row) | ({"bars_are_unique"} if told[row[0]] > 1 else set())
    json.dumps([bad.bar for bad in found.bad], allow_nan=False)


NONSENSE = [None, float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 1e18, 0.0, -0.0, -1.0, 5e-324]
good_rows = st.builds(
    lambda at, low, spread, share, volume: (
        MIDNIGHT + timedelta(minutes=at), low + spread * share, low + spread, low, low + spread, volume, volume * low,
    ),
    st.integers(0, 25),
    st.floats(1e-4, 1e9),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.floats(0, 1e6),
)  # fmt: skip
moments = st.one_of(
    st.none(),
    st.sampled_from([MIDNIGHT - timedelta(minutes=1), MIDNIGHT + timedelta(days=1), LATER]),
    st.integers(0, 1_500_000).map(lambda at: MIDNIGHT + timedelta(milliseconds=at)),
)
spoilt_rows = st.one_of(
    st.builds(
        lambda row, place, value: (*row[:place], value, *row[place + 1 :]),
        good_rows,
        st.integers(1, 6),
        st.sampled_from(NONSENSE) | st.floats(),
    ),
    st.builds(lambda row, moment: (moment, *row[1:]), good_rows, moments),
)


def as_frame(rows):
    return pl.DataFrame(rows, schema=CANDLES.empty().schema, orient="row")


@given(st.lists(good_rows | spoilt_rows, max_size=40).flatmap(lambda rows: st.permutations(rows + rows[:5])))
def test_any_mixture_is_divided_without_rest(rows):
    """Good and bad bars in any order, some told twice."""
    check_law(rows, sifted(as_frame(rows)))


def test_two_thousand_hostile_bars_change_no_good_one():
    """A whole good day among them is there afterwards, bar by bar, and nothing that is not finite."""
    chance = Random(5)  # noqa: S311 - repeatable on purpose
    day = SAMPLE.minutes(BTC, DAY)
    rows = day.rows()
    for _ in range(2_000):
        row, place = list(chance.choice(rows[: day.height])), chance.randrange(7)
        row[place] = chance.choice(NONSENSE[:6]) if place else None
        row[0] = row[0] and row[0] + timedelta(seconds=chance.randrange(1, 60), microseconds=chance.randrange(10**6))
        rows.append(tuple(row))
    chance.shuffle(rows)
    found = sifted(as_frame(rows))
    assert found.good.equals(day)
    check_law(rows, found)
    assert found.is_bad_answer
