from coinhts_core.results.kept import read_wanted
from coinhts_pipeline.front.pages.looks import page
from coinhts_pipeline.front.pages.results import Listed, latest, pager, place_of, result_link, results_page
from tests.pipeline.front.pages.kept import BAD, RUN
from tests.pipeline.front.pages.tags import EVIL, Tags, is_kept


def listed(rows, has_more=False, grades=None, **asked):  # noqa: FBT002 - as it is named
    return Listed(asked, read_wanted(asked), rows, grades or {}, has_more)


def test_a_row_says_what_a_person_compares_by():
    """In the units of the tearsheet, at the end of its column; the time in both zones."""
    tags = is_kept(results_page(listed([RUN], grades={RUN.id: "little"})))
    for words in ("backtest, pinned", "KRW-BTC, KRW-ETH", "+12.34%", "-5.00%", "1.50", "1,234", "little"):
        assert words in tags.said("td")
    assert "2026-03-01 23:30 UTC" in tags.text
    assert "03-02 08:30 KST" in tags.text
    assert f"/reports/results/{RUN.id}" in [of["href"] for of in tags.of("a")]
    assert [of["class"] for of in tags.of("td") if of.get("class")] == ["number"] * 4


def test_nothing_that_is_kept_is_taken_for_markup():
    """Names of strategies, coins and whatever was asked for."""
    asked = {"strategy": EVIL, "sort": "return"}
    found = Listed(asked, read_wanted({"sort": "return"}), [BAD], {BAD.id: EVIL}, has_more=True)
    is_kept(results_page(found))
    is_kept(page("Title", latest([BAD]), result_link(BAD), here="results"))


def test_a_form_that_is_left_alone_asks_for_everything():
    """Its choices begin with what nobody chose, its fields are empty."""
    tags = is_kept(results_page(listed([RUN])))
    assert [of["value"] for of in tags.of("option") if "selected" in of] == ["", "newest"]
    assert {of["value"] for of in tags.of("input") if of.get("type") != "checkbox"} == {""}


def test_two_are_chosen_by_boxes_that_say_whose_they_are():
    """And sent to be compared."""
    tags = is_kept(results_page(listed([RUN])))
    (box,) = [of for of in tags.of("input") if of.get("type") == "checkbox"]
    assert (box["name"], box["value"], box["aria-label"]) == ("id", RUN.id, f"Compare {RUN.id[:12]}")
    assert [of["action"] for of in tags.of("form")] == ["/reports/results", "/reports/compare"]


def test_an_empty_list_says_why_and_what_to_do():
    """A command in an empty house, the whole list where only the filters exclude."""
    assert "coinhts backtest run" in is_kept(results_page(listed([]))).text
    tags = is_kept(results_page(listed([], kind="sweep")))
    assert "No result is like that" in tags.text
    assert "coinhts backtest run" in is_kept(page("Title", latest([]))).text


def test_a_way_on_keeps_what_was_asked_for():
    """Back to the first without an offset; none where there is nothing more."""
    asked = {"sort": "return", "offset": "50"}
    tags = Tags(pager(place_of("a"), asked, 50, 50, "rows", has_more=True))
    assert [(of["rel"], of["href"]) for of in tags.of("a")] == [
        ("prev", "/reports/results/a?sort=return"),
        ("next", "/reports/results/a?sort=return&offset=100"),
    ]
    assert pager("/", {}, 0, 50, "rows", has_more=False) == ""
