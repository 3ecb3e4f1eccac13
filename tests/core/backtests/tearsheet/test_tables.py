from dataclasses import replace
from datetime import date, timedelta
from math import prod

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.figures import FIGURES
from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.backtests.tearsheet import tables


@given(st.lists(st.floats(1.0, 1e9), min_size=2, max_size=120), st.integers(0, 364))
def test_months_compound_to_the_whole(worths, offset):
    """Nothing falls between them, whatever day they begin on."""
    days = [date(2025, 1, 1) + timedelta(days=offset + day) for day in range(len(worths) - 1)]
    months = tables.monthly(days, np.array(worths))
    assert list(months) == sorted({(day.year, day.month) for day in days})
    assert prod(1.0 + returned for returned in months.values()) == pytest.approx(worths[-1] / worths[0])


def test_months_stand_in_the_row_of_their_year(make_sheet, tree):
    """Those without a day are empty; a ruined account has no return."""
    days = [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    equity = np.array([100.0, 110.0, 98.0, 0.0, 0.0])
    of = make_sheet(days=4, trades=0)
    rows = tree(f"<div>{tables.monthly_returns(replace(of, days=days, equity=equity))}</div>").findall(".//tbody/tr")
    texts = [[cell.text for cell in row] for row in rows]
    assert texts[0] == ["2025", *[None] * 11, "+10.0%", "+10.0%"]
    assert texts[1] == ["2026", "-10.9%", "-100.0%", *[None] * 10, "-100.0%"]
    assert [rows[0][12].get("class"), rows[1][1].get("class")] == ["number gain-3", "number loss-3"]


def test_the_headline_says_why_a_figure_is_missing(make_sheet, tree):
    """And what the optimistic bound would be."""
    of = make_sheet(days=10, trades=0)
    cards = _cards(tree(tables.headline(of)))
    assert cards["Total return"] == "+8.96%"
    assert cards["Annual return"] == f"{UNDEFINED}90 days are needed to speak of a year, there are 10"
    assert cards["Win rate"] == f"{UNDEFINED}no trade was closed"
    two = _cards(tree(tables.headline(replace(of, optimistic=of.equity * np.linspace(1.0, 1.1, 11)))))
    assert two["Total return"] == "+8.96%up to +19.86% if bars in doubt went well"


def test_few_trades_wear_a_badge(make_sheet, tree):
    """Thirty wear none."""
    badge = tree(tables.too_few_trades(make_sheet(trades=5)))
    assert badge.text == "Too few trades: 5. Fewer than 30 tell more of luck than of the strategy."
    assert tables.too_few_trades(make_sheet(trades=30)) == ""


def test_every_figure_stands_with_its_meaning_or_reason(make_sheet, tree):
    """Once each, in tables with captions."""
    of = make_sheet(trades=5)
    whole = tree(tables.figures(of))
    told = {row[0].text: row[0].find("small").text for row in whole.iter("tr")}
    assert told.keys() == {figure.label for figure in FIGURES.values()}
    assert told["Exposure"] == "undefined: what was held at each bar was not recorded"
    assert told["Sharpe"] == FIGURES["sharpe"].meaning
    assert all(table.find("caption").text for table in whole.iter("table"))


def test_a_trade_is_a_row(make_sheet, tree):
    """Times in both zones; a trade that is still open says so."""
    of = make_sheet(days=10, trades=2)
    last = pl.int_range(pl.len()) == 1
    trades = of.trades.with_columns(
        pl.when(~last).then(pl.col(name)).alias(name) for name in ("closed_at", "exit_price", "profit_krw", "return")
    )
    rows = tree(tables.trades(replace(of, trades=trades))).findall(".//tbody/tr")
    assert [_text(cell) for cell in rows[0]][:2] == [
        "2026-01-01 00:00 UTC2026-01-01 09:00 KST",
        "2026-01-03 12:00 UTC2026-01-03 21:00 KST",
    ]
    assert [_text(cell) for cell in rows[1]][1:2] == ["still open"]
    assert [_text(cell) for cell in rows[1]][3:] == [UNDEFINED, "0.1", "10,000", UNDEFINED, UNDEFINED, "decision"]


def test_of_several_coins_each_trade_names_its_own(make_sheet, tree):
    """In the first column."""
    of = make_sheet(days=10, trades=2)
    table = tree(tables.trades(replace(of, trades=of.trades.with_columns(symbol=pl.Series(["KRW-A", "KRW-B"])))))
    assert [row[0].text for row in table.findall(".//tr")] == ["Symbol", "KRW-A", "KRW-B"]


def test_of_many_trades_the_middle_is_left_out(make_sheet, tree):
    """And the page says how many that are."""
    of = make_sheet(days=100, trades=1_000)
    rows = tree(tables.trades(of)).findall(".//tbody/tr")
    assert len(rows) == tables.MOST_TRADES + 1
    assert rows[50][0].text == "900 trades in between are left out"
    assert rows[50][0].get("colspan") == str(len(rows[0]))
    assert _text(rows[-1][0]).startswith(f"{of.trades['opened_at'][-1]:%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(
    ("profits", "share"), [([900.0, -100.0], "20.00%"), ([-500.0, 100.0], "nothing was earned before costs")]
)
def test_costs_are_a_share_of_what_was_earned_before_them(make_sheet, tree, profits, share):
    """Fees of 50 and 100, slippage of 50."""
    of = make_sheet(days=10, trades=2, slippage_krw=50.0)
    trades = of.trades.with_columns(profit_krw=pl.Series(profits), fees_krw=pl.Series([50.0, 100.0]))
    rows = {row[0].text: row[1].text for row in tree(tables.costs(replace(of, trades=trades))).iter("tr")}
    assert rows["Costs, as a share of the profit before them"] == share
    assert rows["Slippage"] == "50 KRW"


def test_facts_are_told_by_name(tree):
    """Numbers as everywhere, what is not set as a dash; without facts there is no table."""
    table = tree(tables.facts("Account", {"cash": 1e7, "fee_rate": None, "<b>": "<i>"}))
    assert [(row[0].text, row[1].text) for row in table.iter("tr")] == [
        ("cash", "10,000,000"),
        ("fee_rate", UNDEFINED),
        ("<b>", "<i>"),
    ]
    assert tables.facts("Account", {}) == ""


def _cards(whole):
    return {card.find("dt").text: _text(card.find("dd")) for card in whole}


def _text(element):
    return "".join(element.itertext())
