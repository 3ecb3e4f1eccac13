from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from coinhts_core.backtests.montecarlo import bootstrap
from coinhts_core.backtests.overfitting import Counted, badge_of, permutation_test
from coinhts_core.backtests.report import UNDEFINED, percent
from coinhts_core.backtests.tearsheet.markup import tag
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.backtests.tearsheet.sheet import NO_CANDLES
from coinhts_core.backtests.tearsheet.trust import trust


@pytest.fixture
def told(tree):
    """Give the badge, and each row as a name and what stands beside it."""

    def of(sheet):
        part = tree(tag("div", trust(sheet)))
        rows = {"".join(row.find("th").itertext()): "".join(row.find("td").itertext()) for row in part.iter("tr")}
        return next(found.text for found in part.iter("p")), rows

    return of


def test_the_badge_counts_what_was_tried(make_sheet, told):
    """Its sentence, and the figures that it is made of."""
    sheet = make_sheet(counted=Counted(1_240, 0.0005, 900))
    sentence, rows = told(sheet)
    badge = badge_of(sheet.figures.values, len(sheet.days), sheet.counted)
    assert sentence == badge.sentence
    assert rows["Combinations tried"] == "1,240"
    assert rows["Sharpe above luck (deflated)"] == f"{badge.deflated_sharpe:.2%}"
    assert told(make_sheet())[1]["Combinations tried"] == UNDEFINED


def test_paths_are_those_of_the_days_and_of_the_trades(make_sheet, told):
    """Stretches of days, trades one by one, each at 5, 50 and 95 per cent."""
    sheet = make_sheet()
    _, rows = told(sheet)
    days = bootstrap(sheet.equity[1:] / sheet.equity[:-1] - 1.0)
    trades = bootstrap(sheet.trades["return"].to_numpy(), block=1.0)
    values = list(rows.values())
    for paths in (days, trades):
        assert ", ".join(map(percent, paths.end)) in values
        assert ", ".join(map(percent, paths.worst_drawdown)) in values


def test_trades_are_put_at_other_moments(make_sheet, told):
    """At the opens of the bars they began and ended in; a trade that is still open is left out."""
    sheet = make_sheet()
    moments = sheet.candles["opened_at"]
    bars = [moments.search_sorted(sheet.trades[name]).to_numpy() for name in ("opened_at", "closed_at")]
    expected = permutation_test(sheet.candles["open"].to_numpy(), *bars)
    (row,) = [value for name, value in told(sheet)[1].items() if "other moments" in name]
    assert row == f"{expected.p:.2%}"
    still_open = sheet.trades.with_columns(
        closed_at=pl.when(pl.col("opened_at") < pl.col("opened_at").max()).then("closed_at")
    )
    assert still_open["closed_at"].null_count() == 1
    assert (
        f"{permutation_test(sheet.candles['open'].to_numpy(), *(of[:-1] for of in bars)).p:.2%}"
        in told(replace(sheet, trades=still_open))[1].values()
    )


def test_what_cannot_be_told_says_why(make_sheet, told):
    """Several coins, no trade, no day."""
    _, rows = told(make_sheet(candles=NO_CANDLES))
    assert any("no candles of a single coin" in value for value in rows.values())
    sentence, rows = told(make_sheet(days=0, trades=0))
    assert sentence.startswith("Trust: unknown.")
    assert any("2 returns are needed, there are 0" in value for value in rows.values())


def test_the_same_sheet_gives_the_same_section(make_sheet):
    """What is drawn by chance comes from a seed that stands beside it."""
    assert trust(make_sheet()) == trust(make_sheet())
    assert "seed 0" in trust(make_sheet())
    assert trust(make_sheet()) in tearsheet(make_sheet())


def test_ruin_has_no_paths(make_sheet, told):
    """Nothing has no return, and the reason stands there."""
    equity = np.linspace(1e7, 0.0, 121)
    equity[-3:] = 0.0
    assert any("fell to 0" in value for value in told(make_sheet(equity=equity))[1].values())
