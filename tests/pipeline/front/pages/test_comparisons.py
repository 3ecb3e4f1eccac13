from dataclasses import replace

from coinhts_core.results.comparison import compared
from coinhts_pipeline.front.pages.comparisons import comparison_page
from tests.core.results.conftest import ran
from tests.core.results.test_comparison import held
from tests.pipeline.front.pages.kept import BAD, RUN
from tests.pipeline.front.pages.tags import is_kept


def test_both_are_named_and_their_difference_is_shown():
    """With the way to each, its curve drawn through or in dashes, and the sentence that says why."""
    one, other = held(ran()), held(ran(fast=4))
    tags = is_kept(comparison_page(compared(one, other)))
    places = [of["href"] for of in tags.of("a")]
    assert {f"/reports/results/{kept.id}" for kept, _ in (one, other)} <= set(places)
    assert compared(one, other).verdict in tags.said("p")
    assert [of.get("class") for of in tags.of("path")] == ["grid", "line main", "line benchmark-1"]
    assert [of.get("role") for of in tags.of("svg")] == ["img"]
    assert any(".line.main" in style for style in tags.said("style"))


def test_nothing_that_is_compared_is_taken_for_markup():
    """What differs is told in words of whoever named it."""
    is_kept(comparison_page(compared((BAD, None), (replace(RUN, id="cd" * 32), None))))
