import re
from dataclasses import replace

import polars as pl
import pytest

from coinhts_core.backtests.tearsheet.candle_chart import MOST_CANDLES, trades_on_candles
from coinhts_core.backtests.tearsheet.plots import HEIGHT, WIDTH
from coinhts_core.backtests.tearsheet.sheet import NO_CANDLES


@pytest.mark.parametrize(("days", "bars"), [(1, 1), (10, 1), (11, 2), (120, 12)])
def test_there_are_as_many_candles_as_a_phone_shows(make_sheet, tree, days, bars):
    """More are joined, and the page says how many."""
    figure = tree(trades_on_candles(make_sheet(days=days, trades=0)))
    courses = [path.get("d") for path in figure.iter("path") if path.get("class").startswith("candle")]
    drawn = sum(course.count("z") for course in courses)
    assert drawn == -(-days * 24 // bars) <= MOST_CANDLES
    assert (f"Each stands for {bars} bars of 1h." in figure.find("figcaption/small").text) is (bars > 1)


def test_joined_candles_span_what_they_stand_for(make_sheet, tree):
    """The highest and the lowest price of all are still drawn."""
    of = make_sheet(days=100, trades=0)
    spike = pl.when(pl.int_range(pl.len()) == 777).then(2e8).otherwise("high").alias("high")
    figure = tree(trades_on_candles(make_sheet(days=100, trades=0, candles=of.candles.with_columns(spike))))
    wicks = re.findall(r"M([\d.]+) ([\d.]+)V", "".join(path.get("d") for path in figure.iter("path")))
    at, top = min(wicks, key=lambda wick: float(wick[1]))
    assert float(top) == pytest.approx(HEIGHT * 0.04 / 1.08, abs=1.0)
    assert float(at) == pytest.approx(777 / 2_400 * WIDTH, abs=5)


def test_what_fell_has_a_colour_of_its_own(make_sheet, tree):
    """What closed where it opened did not fall."""
    closes = pl.Series([11.0, 9.0, 10.0, 8.0])
    of = make_sheet(days=1, trades=0)
    candles = of.candles.head(4).with_columns(open=10.0, high=12.0, low=7.0, close=closes)
    figure = tree(trades_on_candles(replace(of, candles=candles)))
    rose, fell = (figure.find(f".//path[@class='candle {kind}']").get("d") for kind in ("up", "fall"))
    assert [float(x) for x in re.findall(r"M([\d.]+) [\d.]+V", rose)] == [125.0, 625.0]
    assert [float(x) for x in re.findall(r"M([\d.]+) [\d.]+V", fell)] == [375.0, 875.0]


def test_entries_and_exits_stand_on_their_candles(make_sheet, tree):
    """At their prices: the second trade of two enters in the middle of the bars."""
    of = make_sheet(days=10, trades=2)
    figure = tree(trades_on_candles(of))
    entries, exits = (_dots(figure, kind) for kind in ("entry", "exit"))
    assert [x for x, _ in entries] == pytest.approx([0.5 / 240 * WIDTH, 120.5 / 240 * WIDTH], abs=0.1)
    assert [x for x, _ in exits] == pytest.approx([60.5 / 240 * WIDTH, 180.5 / 240 * WIDTH], abs=0.1)
    assert (entries[0][1] < entries[1][1]) is (of.trades["entry_price"][0] > of.trades["entry_price"][1])
    joined = figure.find(".//path[@class='holding']").get("d")
    assert joined.count("M") == joined.count("L") == 2
    assert [key.text for key in figure.findall("ul/li")] == ["up", "down", "entry", "exit"]


def test_what_is_not_drawn_is_counted(make_sheet, tree):
    """Two at one place, and what lies before the candles; an open trade has no exit."""
    of = make_sheet(days=20, trades=480)
    entries, exits = (_dots(tree(trades_on_candles(of)), kind) for kind in ("entry small", "exit small"))
    hidden = 2 * 480 - len(entries) - len(exits)
    assert hidden > 400
    assert f"{hidden} entries and exits are not drawn" in tree(trades_on_candles(of)).find("figcaption/small").text
    late = make_sheet(days=10, trades=2, candles=make_sheet(days=10).candles.tail(100))
    assert "3 entries and exits are not drawn" in tree(trades_on_candles(late)).find("figcaption/small").text
    one = make_sheet(days=10, trades=2)
    first = pl.int_range(pl.len()) == 0
    still_open = replace(one, trades=one.trades.with_columns(pl.when(first).then("closed_at").alias("closed_at")))
    figure = tree(trades_on_candles(still_open))
    assert len(_dots(figure, "exit")) == 1
    assert "not drawn" not in figure.find("figcaption/small").text


def test_without_candles_the_reason_stands(make_sheet, tree):
    """Several coins have no one price."""
    assert tree(trades_on_candles(make_sheet(candles=NO_CANDLES))).find("p").text


def _dots(figure, kind):
    course = figure.find(f".//path[@class='dot {kind}']").get("d")
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", course)]
