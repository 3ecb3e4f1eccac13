from datetime import UTC, date, datetime

import pytest

from coinhts_core.days import DayRange
from coinhts_pipeline import screen
from coinhts_pipeline.demo import Outcome

FIGURES = {
    "strategy": "sma_cross",
    "symbol": "KRW-BTC",
    "total_return": -0.0421,
    "max_drawdown": -0.09,
    "trades": 3,
    "win_rate": 1 / 3,
    "buy_and_hold": 0.071,
}


def test_a_moment_is_told_in_utc_and_in_korea():
    """Wherever a person reads a time, KST stands beside UTC."""
    assert screen.moment(datetime(2026, 1, 31, 15, 10, tzinfo=UTC)) == "2026-01-31 15:10 UTC (00:10 KST)"


def test_a_complaint_is_one_line_on_stderr_however_long(capsys):
    """A pipe breaks no lines, and brackets in a message are no markup."""
    screen.complain(f"[bold]{'long ' * 100}")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: [bold]{'long ' * 100}\n"


def test_a_document_on_stdout_has_its_notes_beside_it(capsys):
    """What is for people goes to stderr."""
    screen.note("by the way")
    assert capsys.readouterr() == ("", "by the way\n")


def test_figures_are_fractions_shown_as_percent_and_unknown_ones_as_dashes(capsys):
    """Signs are kept; what is undefined is not shown as zero."""
    screen.figures([FIGURES, FIGURES | {"win_rate": None}])
    out = capsys.readouterr().out
    assert [word for word in ("-4.21%", "-9.00%", "33.33%", "\N{EN DASH}", "+7.10%") if word not in out] == []


def test_the_demo_ends_with_its_figures_a_curve_and_what_to_try_next(capsys):
    """A person sees what was done, what came of it and three commands."""
    outcome = Outcome(
        days=DayRange(date(2026, 1, 1), date(2026, 1, 30)),
        runs=4,
        partitions=90,
        figures=[FIGURES],
        curves={"sma_cross KRW-BTC": [10e6, 11e6, 10.5e6]},
        candles=129_600,
    )
    screen.demo(outcome)
    out = capsys.readouterr().out
    wanted = [
        "2026-01-01 to 2026-01-30: 129,600 minute candles",
        "90 symbol-days in 4 runs",
        "11,000,000",
        "10,000,000",
        "coinhts backfill",
        "coinhts strategy show sma_cross",
    ]
    assert [words for words in wanted if words not in out] == []


def test_a_demo_that_found_everything_done_says_so(capsys):
    """Nothing was recomputed, and nobody has to guess."""
    screen.demo(Outcome(DayRange(date(2026, 1, 1), date(2026, 1, 2)), 0, 0, [], {}, 0))
    assert "every day was current already" in capsys.readouterr().out


@pytest.mark.parametrize("total", [0, 3])
def test_progress_is_silent_where_nobody_watches(capsys, total):
    """Without a terminal there is no bar; steps are counted all the same."""
    with screen.progress("candles to positions", total) as advance:
        advance("candles/minute")
    assert capsys.readouterr() == ("", "")
