import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadRequestError, RefusedError
from coinhts_core.results.swept import best, figures_of, heatmap, ordered, rows_of, varied

SWEEP = {
    "id": "a" * 64,
    "kind": "sweep",
    "grid": {"fast": [1, 2], "slow": [8, 9], "stop_loss": [None, 0.1], "cash": [1]},
    "rows": [
        {"symbol": "KRW-BTC", "fast": fast, "slow": slow, "stop_loss": stop, "cash": 1, "sharpe": sharpe}
        for fast, slow, stop, sharpe in [
            (1, 8, None, 1.0), (1, 8, 0.1, 3.0), (1, 9, None, None),
            (2, 8, None, 9.0), (2, 9, None, 5.0), (2, 9, 0.1, 7.0),
        ]
    ],
}  # fmt: skip


def test_the_best_are_the_highest():
    """What has no figure is none of them."""
    assert [row["sharpe"] for row in best(SWEEP, "sharpe", 3)] == [9.0, 7.0, 5.0]
    assert len(best(SWEEP, "sharpe", 99)) == 5


def test_a_heatmap_shows_the_middle():
    """Of all that share two values; nothing where there is none."""
    drawn = heatmap(SWEEP, "sharpe", None, None)
    assert (drawn.across, drawn.columns, drawn.down, drawn.rows) == ("fast", [1, 2], "slow", [8, 9])
    assert drawn.cells == [[2.0, 9.0], [None, 6.0]]
    turned = heatmap(SWEEP, "sharpe", "slow", "fast")
    assert turned.cells == [[2.0, None], [9.0, 6.0]]
    assert turned.facts["x"] == {"name": "slow", "values": [8, 9]}
    assert heatmap(SWEEP, "sharpe", "stop_loss", None).down == "fast"


@pytest.mark.parametrize(
    ("ask", "field", "sentence"),
    [
        (
            lambda: heatmap(SWEEP, "sharpe", "cash", "fast"),
            "x",
            "'cash' is no knob that was varied; choose of fast, slow",
        ),
        (lambda: heatmap(SWEEP, "sharpe", None, "slo"), "y", "did you mean slow"),
        (lambda: heatmap(SWEEP, "sharpe", "fast", "fast"), "y", "it is fast, as x is"),
        (lambda: heatmap(SWEEP, "sharp", None, None), "by", "did you mean sharpe"),
        (lambda: best(SWEEP, "symbol", 1), "by", "is no figure of a sweep; it has sharpe"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(ask, field, sentence):
    """And what could be is named."""
    with pytest.raises(BadRequestError, match=sentence) as refusal:
        ask()
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        (SWEEP | {"kind": "walkforward"}, "result aaaaaaaaaaaa is no sweep; `coinhts backtest show aaaaaaaaaaaa`"),
        ({"id": "a" * 64, "strategy": "sma_cross", "symbols": []}, "is no sweep"),
        ({name: SWEEP[name] for name in ("id", "kind", "rows")}, "is no sweep"),
        (SWEEP | {"rows": []}, "has no rows"),
    ],
)
def test_what_is_no_sweep_is_refused_whatever_is_asked(of, sentence):
    """In one sentence that says where to look instead."""
    for look in (
        rows_of,
        figures_of,
        varied,
        lambda of: best(of, "sharpe", 1),
        lambda of: heatmap(of, "sharpe", None, None),
    ):
        with pytest.raises(RefusedError, match=sentence):
            look(of)


def test_one_knob_makes_no_map():
    """The refusal names it."""
    with pytest.raises(RefusedError, match="needs two knobs that were varied; here is fast"):
        heatmap(SWEEP | {"grid": {"fast": [1, 2], "cash": [1]}}, "sharpe", None, None)


@given(st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=40), st.integers(1, 40))
def test_no_row_is_lost_by_sorting(values, count):
    """The highest first, those without a figure behind them; the best are the first of these."""
    of = SWEEP | {
        "grid": {"fast": []},
        "rows": [{"symbol": "KRW-BTC", "fast": n, "sharpe": v} for n, v in enumerate(values)],
    }
    rows = ordered(of, "sharpe")
    assert sorted(row["fast"] for row in rows) == list(range(len(values)))
    known = [row["sharpe"] for row in rows if row["sharpe"] is not None]
    assert known == sorted((value for value in values if value is not None), reverse=True)
    assert [row["sharpe"] for row in rows][: len(known)] == known
    assert [row["sharpe"] for row in best(of, "sharpe", count)] == known[:count]


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_a_place_in_a_map_is_between_its_ends(values):
    """The highest is at 1, the lowest at 0; where all are the same, each is in the middle."""
    points = [(1, 8), (1, 9), (2, 8), (2, 9)]
    rows = [{"symbol": "KRW-BTC", "fast": f, "slow": s, "sharpe": v} for (f, s), v in zip(points, values, strict=True)]
    drawn = heatmap(SWEEP | {"rows": rows}, "sharpe", None, None)
    known = [value for value in values if value is not None]
    places = [drawn.place(value) for value in known]
    assert all(0.0 <= place <= 1.0 for place in places)
    if len(set(known)) > 1:
        assert (drawn.place(max(known)), drawn.place(min(known))) == (1.0, 0.0)
    else:
        assert set(places) <= {0.5}
