from html.parser import HTMLParser

from coinhts_core.results.comparison import compared
from coinhts_core.results.comparison_page import page_of, parts_of, row_of, title_of
from tests.core.results.conftest import ran
from tests.core.results.test_comparison import changed, held


def test_a_page_shows_causes_figures_and_both_curves():
    """One file that loads nothing and runs nothing; the same comparison gives the same bytes."""
    found = compared(held(ran()), held(ran(fast=4)))
    page = page_of(found)
    assert page == page_of(found)
    assert page.startswith("<!DOCTYPE html>")
    assert "fast 3 → 4" in page
    assert page.count('class="line ') == 2
    assert page.count('class="key ') == 2
    assert "Total return" in page
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page
    HTMLParser().feed(page)


def test_hostile_words_stay_words():
    """Whatever a strategy or a knob is called."""
    other = changed(ran(), strategy="<script>alert(1)</script>")
    assert "<script>" not in page_of(compared(held(ran()), other))


def test_without_curves_or_causes_the_page_says_so():
    """No empty frame is drawn."""
    (kept, _) = held(ran())
    page = page_of(compared((kept, None), (kept, None)))
    assert "There is no equity to draw." in page
    assert "the candles and the code are the same" in page


def test_a_figure_stands_in_its_unit():
    """Before, after and the change."""
    found = {of.name: row_of(of) for of in compared(held(ran()), held(ran(fast=4))).figures}
    assert found["total_return"][0] == "Total return"
    assert all(word.endswith("%") for word in found["total_return"][1:])


def test_parts_stand_in_any_page():
    """The same that the file shows, under its own title."""
    found = compared(held(ran()), held(ran(fast=4)))
    assert parts_of(found) in page_of(found)
    assert title_of(found) == f"{found.first.id[:12]} against {found.second.id[:12]}"
    assert parts_of(found).count("<section>") == 3
