from dataclasses import replace

import pytest

from coinhts_core.errors import BadRequestError
from coinhts_core.results.swept import heatmap
from coinhts_pipeline.front.pages.sweeps import AT_ONCE, Swept, heatmap_page, label, sweep_page
from tests.pipeline.front.pages.kept import BAD, RUN
from tests.pipeline.front.pages.tags import EVIL, is_kept

KEPT = replace(RUN, kind="sweep")


def _document(count=4, **others):
    rows = [
        {"symbol": "KRW-BTC", "fast": place % 2, "slow": place // 2, "sharpe": None if place == 1 else float(place)}
        for place in range(count)
    ]
    return {"id": KEPT.id, "kind": "sweep", "grid": {"fast": [0, 1], "slow": [0, 1]}, "rows": rows} | others


def test_combinations_are_shown_in_parts_the_best_first():
    """Numbered, with the way to the others and to the map."""
    document = _document(count=AT_ONCE + 2)
    tags = is_kept(sweep_page(Swept(KEPT, document, "sharpe", 0)))
    assert tags.said("th")[-AT_ONCE:] == [str(number) for number in range(1, AT_ONCE + 1)]
    assert tags.said("td")[3] == f"{AT_ONCE + 1:.2f}"
    assert [of["href"] for of in tags.of("a") if of.get("rel")] == [f"/reports/results/{KEPT.id}?by=sharpe&offset=50"]
    assert f"/reports/heatmap/{KEPT.id}?by=sharpe" in [of["href"] for of in tags.of("a")]
    last = is_kept(sweep_page(Swept(KEPT, document, "sharpe", AT_ONCE)))
    assert last.said("th")[-2:] == ["51", "52"]
    assert last.said("td")[-1] == "\N{EN DASH}"


def test_one_knob_has_no_way_to_a_map():
    """It says why."""
    tags = is_kept(sweep_page(Swept(KEPT, _document(grid={"fast": [0, 1]}), "sharpe", 0)))
    assert "no heat map" in tags.text
    assert not [of["href"] for of in tags.of("a") if "heatmap" in of["href"]]


def test_a_map_says_in_words_what_its_colours_say():
    """Each value, and which is the best; nothing where there is nothing."""
    document = _document()
    tags = is_kept(heatmap_page(KEPT, document, heatmap(document, "sharpe", None, None)))
    cells = [of["class"] for of in tags.of("td")[1:]]
    assert cells == ["number heat-0", "number", "number heat-4", "number heat-5 best"]
    assert tags.said("td")[1:] == ["0.00", "\N{EN DASH}", "2.00", "3.00"]
    assert tags.said("small") == ["best"]
    assert [of["scope"] for of in tags.of("th")] == ["col", "col", "row", "row"]


def test_where_all_are_the_same_each_is_the_best():
    """And none is darker."""
    document = _document()
    for row in document["rows"]:
        row["sharpe"] = 1.0
    tags = is_kept(heatmap_page(KEPT, document, heatmap(document, "sharpe", None, None)))
    assert [of["class"] for of in tags.of("td")[1:]] == ["number heat-3 best"] * 4


def test_nothing_that_was_swept_is_taken_for_markup():
    """Knobs, their values, figures, strategies and coins."""
    evil = EVIL.removesuffix("\ud800")  # which no table holds
    rows = [
        {"symbol": evil, evil: f"{evil}{a}", f"{evil}2": f"{evil}{b}", f"{evil}3": 1.0}
        for a in range(2)
        for b in range(2)
    ]
    document = {"id": BAD.id, "kind": "sweep", "grid": {evil: [], f"{evil}2": []}, "rows": rows}
    is_kept(sweep_page(Swept(BAD, document, f"{evil}3", 0)))
    is_kept(heatmap_page(BAD, document, heatmap(document, f"{evil}3", None, None)))


def test_a_figure_that_is_none_is_refused():
    """By the field it was asked in."""
    with pytest.raises(BadRequestError):
        sweep_page(Swept(KEPT, _document(), "slow", 0))
    assert label("sharpe") == "Sharpe"
    assert label("of a later version") == "of a later version"
