from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.results.retention import Answer, judged

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def answer(number, question="q", days_ago=0, *, is_pinned=False):
    return Answer(f"{number:064x}", question, "sma_cross", NOW - timedelta(days=days_ago), is_pinned)


ANSWERS = st.lists(
    st.builds(answer, st.integers(0, 10**6), st.sampled_from("abc"), st.integers(0, 90), is_pinned=st.booleans()),
    max_size=20,
    unique_by=lambda of: of.id,
)


def test_an_older_answer_goes_a_month_after_the_next_one():
    """The newest stays however old it is; each verdict says why, and names what stands in its place."""
    oldest, old, newest = answer(1, days_ago=400), answer(2, days_ago=31), answer(3, days_ago=29)
    verdicts = judged([newest, oldest, old], NOW, MONTH)
    assert [(of.answer, of.goes) for of in verdicts] == [(oldest, True), (old, False), (newest, False)]
    assert old.id[:12] in verdicts[0].why
    assert "not 30 days ago" in verdicts[1].why
    assert verdicts[2].why == "nothing newer answers its question"
    assert verdicts[0].facts["goes"] is True


def test_what_is_pinned_stays():
    """Whatever came after it."""
    pinned, newest = answer(1, days_ago=400, is_pinned=True), answer(2, days_ago=390)
    assert [of.goes for of in judged([pinned, newest], NOW, timedelta())] == [False, False]


@given(ANSWERS, st.integers(0, 60))
def test_the_newest_of_a_question_and_whatever_is_pinned_never_go(answers, days):
    """Every answer has its verdict, in whatever order they come."""
    verdicts = judged(answers, NOW, timedelta(days=days))
    assert sorted(of.answer.id for of in verdicts) == sorted(of.id for of in answers)
    assert judged(answers[::-1], NOW, timedelta(days=days)) == verdicts
    newest = {of.question: of.id for of in sorted(answers, key=lambda of: (of.kept_at, of.id))}
    gone = [of.answer for of in verdicts if of.goes]
    assert not {of.id for of in gone} & set(newest.values())
    assert not any(of.is_pinned for of in gone)


@given(ANSWERS, st.integers(0, 30))
def test_more_patience_keeps_more(answers, days):
    """What stays after so many days stays after more."""
    less, more = (judged(answers, NOW, timedelta(days=of)) for of in (days, days + 7))
    assert {of.answer.id for of in more if of.goes} <= {of.answer.id for of in less if of.goes}
