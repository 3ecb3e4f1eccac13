import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import DamagedObjectError
from coinhts_pipeline.speed import BENCHMARKS, Bench, Figure, curves, history, table, worse

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FASTER = Figure("w1", "times as fast", 40.0, "x", 15.0, 30.0, clean=4, rounds=5)
SPENT = Figure("call", "a run", 0.5, "ms", 1.0, 0.2, more_is_better=False)
NOTHING = Figure("w2", "a sweep", None, note="ours and vectorbt end 1.0e-03 apart")


def bench(*figures, after=0, machine="a machine"):
    return Bench(MOMENT + timedelta(hours=after), machine, {"addition chain, ns": 0.445}, figures)


def runs(*values, more_is_better=True, machine="a machine"):
    figures = [Figure("w1", "what", value, more_is_better=more_is_better) for value in values]
    return [bench(figure, after=place, machine=machine) for place, figure in enumerate(figures)]


@pytest.mark.parametrize(
    ("actual", "goal", "ambition", "more_is_better", "state"),
    [
        (14.9, 15.0, 30.0, True, "below the goal"),
        (15.0, 15.0, 30.0, True, "goal reached"),
        (30.0, 15.0, 30.0, True, "ambition reached"),
        (1.1, 1.0, 0.2, False, "below the goal"),
        (1.0, 1.0, 0.2, False, "goal reached"),
        (0.2, 1.0, 0.2, False, "ambition reached"),
        (1.2, None, 1.0, False, "ambition ahead"),
        (1.0, None, 1.0, False, "ambition reached"),
        (0.9, 1.0, None, False, "ambition reached"),
        (3.0, None, None, True, "measured"),
        (None, 15.0, 30.0, True, "not measured"),
    ],
)
def test_a_figure_stands_somewhere_to_its_goals(actual, goal, ambition, more_is_better, state):
    """At least or at most, whichever is better; a goal that nobody set is reached."""
    assert Figure("row", "what", actual, "x", goal, ambition, more_is_better=more_is_better).state == state


def test_what_is_unmet_comes_first():
    """A reader sees what is to be done before what is done."""
    rows = [figure.row for figure in bench(FASTER, SPENT, NOTHING).worst_first()]
    assert rows == ["w2", "call", "w1"]


def test_figures_are_told_in_words():
    """With goal and ambition beside what was measured; what was not says why."""
    assert FASTER.in_words() == [
        "ambition reached", "w1", "times as fast", "≥ 15 x", "≥ 30 x", "40 x", "4 of 5",
    ]  # fmt: skip
    assert SPENT.in_words()[3:] == ["≤ 1 ms", "≤ 0.2 ms", "0.5 ms", ""]
    assert NOTHING.in_words()[5] == "ours and vectorbt end 1.0e-03 apart"


def test_what_was_measured_is_kept_run_by_run(tmp_path):
    """Each run in a file of its own, read back as it was, oldest first."""
    later, first = bench(SPENT, after=1), bench(FASTER, NOTHING)
    for of in (later, first):
        of.write(tmp_path / "benchmarks")
    assert history(tmp_path / "benchmarks") == [first, later]
    assert history(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": [1]}', '{"figures": [], "measured_at": "noon"}'])
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    """Somebody may have edited it."""
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(DamagedObjectError, match=r"mine\.json"):
        history(tmp_path)


def test_files_hold_nothing_that_json_does_not_know(tmp_path):
    """A figure that is no number cannot be kept."""
    with pytest.raises(ValueError, match="JSON"):
        bench(Figure("w1", "what", float("nan"))).write(tmp_path)
    file = bench(FASTER).write(tmp_path)
    assert json.loads(file.read_text())["figures"][0]["actual"] == 40.0


def test_the_history_is_a_table():
    """A row a figure and run, as the schema wants it; empty before the first run."""
    rows = table([bench(FASTER, NOTHING), bench(SPENT, after=1)])
    assert rows.columns == BENCHMARKS.names
    assert rows["state"].to_list() == ["ambition reached", "not measured", "goal reached"]
    assert rows["actual"].to_list() == [40.0, None, 0.5]
    assert table([]).height == 0


@pytest.mark.parametrize(
    ("values", "more_is_better", "is_worse"),
    [
        ((100.0, 81.0), True, False),
        ((100.0, 79.0), True, True),
        ((1.0, 1.24), False, False),
        ((1.0, 1.26), False, True),
        ((100.0, 100.0, 100.0, 10.0, 79.0), True, True),
        ((*[500.0] * 6, *[100.0] * 5, 99.0), True, False),
        ((100.0,), True, False),
        ((100.0, None), True, True),
        ((None, 100.0), True, False),
    ],
)
def test_what_lost_a_fifth_is_found(values, more_is_better, is_worse):
    """Against the median of the last five, so that neither one bad run nor one of long ago misleads."""
    assert bool(worse(runs(*values, more_is_better=more_is_better))) == is_worse


def test_machines_are_not_compared_with_one_another():
    """A slower machine is no slower code."""
    assert worse([*runs(100.0, machine="big"), bench(Figure("w1", "what", 10.0), after=9)]) == []
    assert worse([]) == []


def test_the_sentence_says_how_much_was_lost():
    """And of what."""
    assert worse(runs(100.0, 50.0)) == ["w1, what: 50 x where it was 100 x"]


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9), st.booleans())
def test_a_figure_that_does_not_change_is_never_worse(values, more_is_better):
    """And one that got better is not either."""
    best = max(values) if more_is_better else min(values)
    assert worse(runs(*values, best, more_is_better=more_is_better)) == []


def test_curves_show_figures_in_parts_of_their_goals():
    """Above 1 is better, whatever the unit; what was not measured leaves its point out."""
    benches = [bench(FASTER, SPENT, NOTHING), bench(SPENT, after=1)]
    assert curves(benches) == {"w1, times as fast": [pytest.approx(40 / 15)], "call, a run": [2.0, 2.0]}
