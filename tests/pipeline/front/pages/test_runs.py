from coinhts_core.backtests.overfitting import badge_of
from coinhts_pipeline.front.pages.runs import run_page
from tests.pipeline.front.pages.kept import BAD, RUN
from tests.pipeline.front.pages.tags import EVIL, is_kept


def test_a_run_is_told_by_its_figures():
    """What was asked, but not what was left open; a dash where there is no figure."""
    tags = is_kept(run_page(RUN, badge_of(RUN.metrics, RUN.days), ["mind this"]))
    assert "cash" in tags.said("dt")
    assert "10,000,000" in tags.said("dd")
    assert "stop_loss" not in tags.said("dt")
    assert [words for words in tags.said("td") if words in {"+12.34%", "1.50", "1,234", "\N{EN DASH}"}] == [
        "+12.34%",
        "1.50",
        "\N{EN DASH}",
        "1,234",
    ]
    assert "mind this" in tags.said("li")
    assert "Trust: unknown" in tags.text
    assert "coinhts backtest run" in tags.said("code")


def test_nothing_that_a_run_says_is_taken_for_markup():
    """Knobs and warnings as well."""
    is_kept(run_page(BAD, badge_of({}, 1), [EVIL]))
    assert "There are none." in is_kept(run_page(BAD, badge_of({}, 1), [])).text
