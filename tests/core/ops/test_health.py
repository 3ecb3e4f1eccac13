from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.ops.health import (
    Component,
    Copies,
    Health,
    Heard,
    Overall,
    Room,
    Status,
    Work,
    backups,
    candles,
    clock,
    disk,
    overall,
    scheduler,
    signals,
)

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
YESTERDAY = date(2026, 3, 9)
GIB = 2**30
HEALTHY, WARNING, UNHEALTHY = Status
STATUSES = st.dictionaries(st.sampled_from(["ledger", "scheduler", "lake", "disk"]), st.sampled_from(list(Status)))
SPANS = st.timedeltas(timedelta(), timedelta(days=9))
UP = Heard(was_ever_up=True, up_since=NOON - timedelta(days=9), beat_at=NOON, ticked_at=NOON)
KEPT = Copies(NOON - timedelta(days=9), NOON - timedelta(hours=8), NOON - timedelta(hours=8))


def judged_scheduler(heard, moment=NOON):
    return scheduler(heard, moment, "/home/logs")


def work(done, **facts):
    return Work(**{"of": "KRW-BTC", "first": date(2026, 1, 1), "last": None, "done": done} | facts)


def ago(**span):
    return NOON - timedelta(**span)


@pytest.mark.parametrize(
    ("statuses", "house"),
    [
        ({}, Overall.HEALTHY),
        ({"ledger": HEALTHY, "lake": HEALTHY}, Overall.HEALTHY),
        ({"ledger": HEALTHY, "lake": UNHEALTHY}, Overall.DEGRADED),
        ({"ledger": WARNING}, Overall.DEGRADED),
        ({"ledger": UNHEALTHY, "lake": HEALTHY}, Overall.UNHEALTHY),
        ({"scheduler": UNHEALTHY}, Overall.UNHEALTHY),
    ],
)
def test_ledger_and_scheduler_bring_the_house_down_and_all_others_degrade_it(statuses, house):
    """A warning of anything is enough for the latter."""
    assert overall(statuses) is house


@given(STATUSES, st.data())
def test_a_component_that_does_worse_never_makes_a_house_do_better(statuses, data):
    """Whatever the others do."""
    name = data.draw(st.sampled_from(["ledger", "scheduler", "lake", "disk"]))
    statuses.setdefault(name, HEALTHY)
    worse = data.draw(st.sampled_from([of for of in Status if of.gravity >= statuses[name].gravity]))
    order = list(Overall)
    assert order.index(overall(statuses | {name: worse})) >= order.index(overall(statuses))


def test_a_look_is_a_document_and_names_what_is_worst():
    """What is vital comes before what is not."""
    parts = [Component(name, UNHEALTHY, 1.5, "gone", "mend it") for name in ("lake", "ledger", "disk")]
    seen = Health(NOON, (*parts, Component("orders", HEALTHY, 0.0, "none")))
    assert (seen.worst.name, seen.worst.sentence) == ("ledger", "gone; mend it")
    assert seen.components[-1].sentence == "none"
    assert seen.facts["status"] == "unhealthy"
    assert seen.facts["looked_at"] == "2026-03-10T12:00:00+00:00"
    expected = {"name": "lake", "status": "unhealthy", "latency_ms": 1.5, "reason": "gone", "to_do": "mend it"}
    assert seen.facts["components"][0] == expected


@pytest.mark.parametrize(
    ("free", "names", "status"),
    [
        (5 * GIB, None, HEALTHY),
        (5 * GIB - 1, None, WARNING),
        (GIB - 1, None, UNHEALTHY),
        (9 * GIB, 9_999, WARNING),
        (9 * GIB, 10_000, HEALTHY),
        (0, 0, UNHEALTHY),
    ],
)
def test_a_disk_that_fills_up_is_told_while_there_is_room(free, names, status):
    """By the fullest one; by names of files, too."""
    judged = disk([Room("/home", 99 * GIB), Room("/lake", free, names)])
    assert judged.status is status
    assert bool(judged.to_do) is (status is not HEALTHY)


@given(st.integers(0, 9 * GIB), st.integers(0, 9 * GIB), st.integers(0, 20_000), st.integers(0, 20_000))
def test_less_room_is_never_better(free, less, names, fewer):
    """Nor are fewer names."""
    more, tighter = Room("/", max(free, less), max(names, fewer)), Room("/", min(free, less), min(names, fewer))
    assert disk([tighter]).status.gravity >= disk([more]).status.gravity
    assert disk([more, tighter]).status.gravity >= disk([more]).status.gravity


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, HEALTHY), (5, HEALTHY), (5.1, WARNING), (300, WARNING), (301, UNHEALTHY)]
)
def test_clocks_may_differ_by_seconds(seconds, status):
    """By minutes, days end at the wrong time; the one that differs most is named."""
    judged = clock({"PostgreSQL": timedelta(), "upbit": timedelta(seconds=seconds)})
    assert judged.status is status
    if status is HEALTHY:
        assert judged.reason == "this machine's is PostgreSQL's and upbit's"
    else:
        assert judged.reason.startswith("this machine's clock and upbit's differ by ")


def test_nobody_to_compare_with_is_a_warning():
    """Nothing was proved."""
    assert clock({}).status is WARNING


@given(SPANS, SPANS)
def test_clocks_farther_apart_are_never_better(one, other):
    """Whoever else agrees."""
    near, far = sorted([one, other])
    assert clock({"a": far}).status.gravity >= clock({"a": near}).status.gravity
    assert clock({"a": near, "b": far}).status.gravity >= clock({"a": near}).status.gravity


@pytest.mark.parametrize(
    ("done", "moment", "status"),
    [
        (YESTERDAY, NOON, HEALTHY),
        (date(2026, 3, 8), datetime(2026, 3, 10, 1, 10, tzinfo=UTC), HEALTHY),
        (date(2026, 3, 8), datetime(2026, 3, 10, 1, 11, tzinfo=UTC), WARNING),
        (date(2026, 3, 8), datetime(2026, 3, 11, 1, 10, tzinfo=UTC), WARNING),
        (date(2026, 3, 8), datetime(2026, 3, 11, 1, 11, tzinfo=UTC), UNHEALTHY),
        (None, NOON, WARNING),
    ],
)
def test_a_days_work_is_late_an_hour_after_its_time_and_missed_a_day_later(done, moment, status):
    """The day before yesterday is done, so yesterday was due at 00:10 of today; what never began is not broken."""
    for judge in (candles, signals):
        judged = judge([work(YESTERDAY + timedelta(days=9), of="KRW-ETH"), work(done)], moment)
        assert judged.status is status
        assert ("KRW-BTC" in judged.reason) is (status is not HEALTHY)


def test_what_is_late_is_named_with_how_many():
    """Five by name, however many there are."""
    works = [work(date(2026, 3, 1), of=f"KRW-{number}") for number in range(7)]
    judged = candles(works, NOON)
    assert judged.reason == "7 of 7 not collected for 7 days: KRW-0, KRW-1, KRW-2, KRW-3, KRW-4 and 2 more"
    assert "not decided for 9 h: KRW-BTC" in signals([work(date(2026, 3, 8))], NOON.replace(hour=9, minute=30)).reason


@pytest.mark.parametrize(
    "facts",
    [{"last": date(2026, 3, 1), "done": date(2026, 3, 1)}, {"first": date(2026, 3, 10), "done": None}],
)
def test_a_day_that_nobody_wants_is_not_missing(facts):
    """After a delisting, and before a start."""
    assert candles([work(**facts)], NOON).status is HEALTHY


def test_nothing_to_do_is_well():
    """And says so."""
    assert (candles([], NOON).status, candles([], NOON).reason) == (HEALTHY, "no coin is followed")


@given(st.dates(date(2026, 1, 1), date(2026, 3, 12)), st.integers(0, 9), SPANS)
def test_work_that_is_farther_behind_is_never_better(done, earlier, later):
    """Nor is the same work later."""
    worse = done - timedelta(days=earlier)
    assert candles([work(worse)], NOON).status.gravity >= candles([work(done)], NOON).status.gravity
    assert candles([work(done)], NOON + later).status.gravity >= candles([work(done)], NOON).status.gravity


@pytest.mark.parametrize(
    ("heard", "status", "words"),
    [
        (UP, HEALTHY, "heard of 0 s ago"),
        (Heard(was_ever_up=False, up_since=None, beat_at=None, ticked_at=None), WARNING, "never started here"),
        (Heard(was_ever_up=True, up_since=None, beat_at=NOON, ticked_at=NOON), UNHEALTHY, "is not on"),
        (replace(UP, beat_at=ago(minutes=4)), UNHEALTHY, "the daemon is silent for 4 min"),
        (replace(UP, beat_at=None), UNHEALTHY, "the daemon is silent for 9 days"),
        (replace(UP, ticked_at=ago(minutes=6)), UNHEALTHY, "the code location does not answer"),
        (replace(UP, up_since=ago(minutes=2), beat_at=None, ticked_at=None), HEALTHY, "heard of 120 s ago"),
        (replace(UP, complaining=("SENSOR",)), WARNING, "in trouble: SENSOR"),
        (replace(UP, failed=("b", "a")), WARNING, "in trouble: a, b"),
    ],
)
def test_a_scheduler_is_on_beats_looks_and_complains_of_nothing(heard, status, words):
    """It has some minutes to begin; each trouble says where to look."""
    judged = judged_scheduler(heard)
    assert judged.status is status
    assert words in judged.reason
    assert bool(judged.to_do) is (status is not HEALTHY)


@given(st.tuples(SPANS, SPANS), st.tuples(SPANS, SPANS), st.booleans(), st.booleans())
def test_a_scheduler_heard_of_less_is_never_better(last, since, complains, fails):
    """Nor one that complains, or is not on at all."""
    (beat, tick), (silence, idle) = last, since
    heard = replace(UP, beat_at=NOON - beat, ticked_at=NOON - tick)
    worse = replace(
        UP,
        beat_at=NOON - beat - silence,
        ticked_at=NOON - tick - idle,
        complaining=("SENSOR",) * complains,
        failed=("on_alert",) * fails,
    )
    assert judged_scheduler(worse).status.gravity >= judged_scheduler(heard).status.gravity
    assert judged_scheduler(replace(heard, up_since=None)).status is UNHEALTHY


@pytest.mark.parametrize(
    ("copies", "status", "words"),
    [
        (KEPT, HEALTHY, "is of 8 h ago"),
        (Copies(None, None, None), WARNING, "none was ever taken"),
        (Copies(ago(hours=1), None, None), HEALTHY, "none was verified yet"),
        (Copies(ago(hours=27), None, None), WARNING, "none was verified yet"),
        (replace(KEPT, verified_at=ago(hours=27)), WARNING, "is of 27 h ago"),
        (replace(KEPT, verified_at=ago(hours=37)), UNHEALTHY, "is of 37 h ago"),
        (replace(KEPT, drilled_at=ago(hours=37)), UNHEALTHY, "none was restored to try it for 37 h"),
        (replace(KEPT, drilled_at=None), UNHEALTHY, "none was restored to try it yet"),
        (replace(KEPT, damaged=("20260301T040000Z",)), WARNING, "damaged: 20260301T040000Z"),
        (replace(KEPT, damaged=("20260310T040000Z",), is_newest_damaged=True), UNHEALTHY, "damaged: 20260310T040000Z"),
    ],
)
def test_backups_are_young_verified_and_tried(copies, status, words):
    """Within 26 hours, else 36; one of them restored within 36; a first one has time for both."""
    judged = backups(copies, NOON)
    assert (judged.status, words in judged.reason) == (status, True), judged
    assert bool(judged.to_do) is (status is not HEALTHY)


@given(st.tuples(SPANS, SPANS), st.tuples(SPANS, SPANS), st.booleans(), st.booleans())
def test_backups_that_are_older_or_damaged_are_never_better(last, since, damaged, newest):
    """Nor the same ones later."""
    (verified, drilled), (older, longer) = last, since
    copies = Copies(NOON - timedelta(days=30), NOON - verified, NOON - drilled)
    worse = Copies(
        NOON - timedelta(days=30),
        NOON - verified - older,
        NOON - drilled - longer,
        ("20260301T040000Z",) * damaged,
        is_newest_damaged=damaged and newest,
    )
    assert backups(worse, NOON).status.gravity >= backups(copies, NOON).status.gravity
    assert backups(copies, NOON + older).status.gravity >= backups(copies, NOON).status.gravity
