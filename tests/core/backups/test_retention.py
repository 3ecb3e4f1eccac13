from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backups.manifest import LakeFacts, Manifest, name_of
from coinhts_core.backups.retention import FLOOR, SHIPPED, Policy, judged
from coinhts_core.backups.shelf import Kept

NOW = datetime(2026, 6, 15, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def backup(hours_ago=1.0, verdict="good"):
    at = NOW - timedelta(hours=hours_ago)
    said = {"verified_at": None, "drilled_at": None, "damaged_at": None}
    if verdict:
        said["verified_at" if verdict == "good" else "damaged_at"] = at + HOUR / 2
    return Kept(name_of(at), at, manifest_of(at), **said)


@cache
def manifest_of(at):
    lake = LakeFacts(names=0, size=0, new_objects=0, new_bytes=0)
    told = {"coinhts": "0", "programs": "18", "venue": None, "schema_revision": None, "parent": None}
    return Manifest(name=name_of(at), taken_at=at, databases={}, parts=(), lake=lake, parent_digest=None, **told)


def daily(days, verdict="good"):
    return [backup(1 + 24 * of, verdict) for of in range(days)]


def goes(report):
    return [of.name for of in report.obsolete]


BACKUPS = st.lists(
    st.builds(
        backup,
        st.floats(0, 24 * 500).map(lambda of: of // 0.5 * 0.5),
        st.sampled_from(["good", "good", "good", "bad", None]),
    ),
    max_size=80,
    unique_by=lambda of: of.name,
)
POLICIES = st.builds(Policy, *(st.integers(0, most) for most in (72, 40, 10, 14)))


def test_two_years_of_days_come_down_to_what_the_policy_names():
    """In as many runs as a fifth at a time takes: thirty days, eight weeks, twelve months, each of them named."""
    standing = daily(730)
    while gone := goes(judged(standing, NOW)):
        standing = [of for of in standing if of.name not in gone]
    verdicts = judged(standing, NOW).verdicts
    assert {of.state for of in verdicts} == {"kept"}
    assert sum(NOW - of.taken_at < 30 * DAY for of in standing) == 30
    assert len(standing) == 30 + 2 + 10  # two Sundays before those days, and ten ends of months
    assert (NOW - standing[-1].taken_at).days > 300
    assert [of.why for of in verdicts[::-10]] == [
        "the newest",
        "the best of its day",
        "the best of its day",
        "the best of its week",
        "the best of its month",
    ]


def test_every_one_of_the_last_two_days_stays_and_then_one_a_day():
    """Of a day's many the newest that was proved good, and a fifth of all at once goes, the oldest first."""
    hourly = [backup(1 + of) for of in range(24 * 4)]
    report = judged(hourly, NOW)
    assert len(report.obsolete) == len(hourly) // 5
    oldest = [of.name for of in hourly[::-1] if NOW - of.taken_at > 49 * HOUR]
    assert goes(report) == [of for of in oldest if not of.startswith(("20260611T23", "20260612T23"))][:19]
    kept = {of.backup.name for of in report.verdicts if of.state == "kept"}
    assert kept >= {of.name for of in hourly if NOW - of.taken_at < 48 * HOUR}
    assert {of.why for of in report.verdicts if of.state == "refused"} == {
        "only a fifth of all goes at once, the oldest first"
    }


def test_the_best_of_a_day_is_the_newest_that_was_proved_good():
    """One that was not looked at stands for its day only where none was proved; a bad one never."""
    early, late = backup(24 * 5 + 3), backup(24 * 5 + 2, None)
    bad = backup(24 * 7, "bad")
    alone = backup(24 * 9, None)
    said = {of.backup.name: (of.state, of.why) for of in judged([*daily(4), early, late, bad, alone], NOW).verdicts}
    assert said[early.name] == ("kept", "the best of its day")
    assert said[alone.name] == ("kept", "the best of its day")
    assert said[bad.name][0] == "obsolete"
    assert said[late.name] == ("refused", "only a fifth of all goes at once, the oldest first")


@pytest.mark.parametrize(
    ("backups", "policy", "written_at", "reason"),
    [
        (daily(60), Policy(0, 0, 0, 0), None, "the policy is empty: it would keep nothing"),
        ([*daily(2), *daily(60, None)[2:]], SHIPPED, None, "only 2 of them were proved good, and 3 must be"),
        (
            [*daily(60, None)[:2], *daily(60)[2:]],
            SHIPPED,
            None,
            "the newest that was proved good, 20260613T040000Z, is older than 26 hours",
        ),
        (
            [backup(0.5, "bad"), *daily(60)],
            SHIPPED,
            None,
            "20260615T043000Z is damaged, and none taken since was proved good",
        ),
        (
            [backup(-25), *daily(60)],
            SHIPPED,
            None,
            "the clock jumped by more than a day: 20260616T060000Z was not written when it says",
        ),
        (
            [backup(0.5), *daily(60)],
            SHIPPED,
            NOW - 30 * DAY,
            "the clock jumped by more than a day: 20260615T043000Z was not written when it says",
        ),
    ],
)
def test_none_goes_while_something_else_is_wrong(backups, policy, written_at, reason):
    """Whatever the rules would let go, each says why it stays this time."""
    report = judged(backups, NOW, policy, written_at)
    assert reason in report.refusals
    assert not report.obsolete
    assert {of.state for of in report.verdicts} == {"kept", "refused"}


def test_a_bad_one_does_not_hold_up_what_came_after_it():
    """Once a newer one was proved good, the old ones go again."""
    assert judged([*daily(60), backup(1.5, "bad")], NOW).obsolete


def test_three_that_were_proved_good_stay_whatever_the_rules_say():
    """Though many newer ones, which nobody looked at, would let them go first."""
    proved, unproved = [backup(20 + of) for of in range(3)], [backup(1 + of / 2, None) for of in range(30)]
    verdicts = {of.backup.name: of for of in judged([*proved, *unproved], NOW, Policy(0, 1, 0, 0)).verdicts}
    assert [verdicts[of.name].why for of in proved] == [f"one of the {FLOOR} newest that were proved good"] * 3
    assert sum(of.goes for of in verdicts.values()) == 33 // 5


@given(BACKUPS, POLICIES)
def test_the_newest_the_floor_and_four_fifths_always_stay(backups, policy):
    """Whatever there is and whatever is wanted; and each has its verdict, in whatever order they come."""
    report = judged(backups, NOW, policy)
    assert judged(backups[::-1], NOW, policy) == report
    assert sorted(of.backup.name for of in report.verdicts) == sorted(of.name for of in backups)
    in_order = sorted(backups, key=lambda of: of.taken_at)
    proved = [of for of in in_order if of.verdict == "verified"]
    gone = set(goes(report))
    assert len(gone) <= len(in_order) / 5
    assert not gone & {of.name for of in [*in_order[-1:], *proved[-FLOOR:]]}
    assert not gone or len([of for of in proved if of.name not in gone]) >= FLOOR
    assert not gone & {of.name for of in in_order if NOW - of.taken_at < timedelta(hours=policy.hours)}
    assert not (report.refusals and report.obsolete)


@given(BACKUPS, POLICIES)
def test_removing_again_and_again_ends_with_what_the_rules_keep(backups, policy):
    """What a first report keeps a later one keeps, too: no order of removal drops a backup that a rule named."""
    report = judged(backups, NOW, policy)
    kept = {of.backup.name for of in report.verdicts if of.state == "kept"}
    standing = backups
    for _ in backups:
        gone = set(goes(judged(standing, NOW, policy)))
        if not gone:
            break
        assert not gone & kept
        standing = [of for of in standing if of.name not in gone]
    assert not judged(standing, NOW, policy).obsolete
    assert {of.name for of in standing} >= kept


@given(BACKUPS, POLICIES, st.integers(1, 5))
def test_a_longer_policy_keeps_more(backups, policy, more):
    """Whatever a rule keeps it keeps when it reaches further."""
    longer = Policy(policy.hours + more, policy.days + more, policy.weeks + more, policy.months + more)
    kept, still = (
        {of.backup.name for of in judged(backups, NOW, by).verdicts if of.state == "kept"} for by in (policy, longer)
    )
    assert kept <= still
