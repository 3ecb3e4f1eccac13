from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coinhts_core.errors import QueueFullError, RefusedRowError, RequestStateError, UnknownRequestError
from coinhts_core.hashes import digest
from coinhts_core.requests.desk import STATES, Claim, Desk, Filter, Verdict
from coinhts_core.requests.request import Request

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
DONE, AGAIN = Verdict("completed"), Verdict("again", "the exchange is away")
ASKED = Request(strategy="sma_cross")


def later(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def desk(ledger):
    return Desk(ledger)


@pytest.fixture
def put(desk):
    """Put requests, each a second after the other."""

    def several(*words):
        return [desk.submit(ASKED, digest(word), later(place)).id for place, word in enumerate(words)]

    return several


def test_the_same_again_is_the_same(desk, put):
    """Also while the first is at work, and when it is done."""
    (name,) = put("one")
    first = desk.find(name)
    assert (first.state, first.created_at, first.progress) == ("queued", NOON, 0)
    assert desk.submit(ASKED, name, later(9)) == first
    (claim,) = desk.claim(5, "w", later(10))
    assert desk.submit(ASKED, name, later(11)).state == "running"
    desk.settle(claim, DONE, later(12))
    assert desk.submit(ASKED, name, later(13)).state == "completed"
    assert len(desk.listed()) == 1


def test_racing_submits_of_few_questions_make_few_rows(desk):
    """Whoever comes second is told of the first."""
    names = [digest(number % 5) for number in range(100)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda name: desk.submit(ASKED, name, NOON), names))
    assert [of.id for of in found] == names
    assert desk.counts() == dict.fromkeys(STATES, 0) | {"queued": 5}


def test_racing_claims_share_nothing(desk, put):
    """Each request is one claimant's, the oldest first."""
    put(*map(str, range(40)))
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda worker: desk.claim(5, f"w{worker}", later(60)), range(12)))
    names = [claim.id for some in claims for claim in some]
    assert len(names) == len(set(names)) == 40


def test_the_oldest_is_claimed_first_and_says_what_was_asked(desk, put):
    """With an epoch of its own."""
    first, _ = put("one", "two")
    assert desk.claim(1, "w", later(60)) == [Claim(first, 1, ASKED.facts())]
    assert desk.claims("w") == [Claim(first, 1, ASKED.facts())]


@pytest.mark.parametrize("verdict", [DONE, Verdict("failed", "no candles"), AGAIN])
def test_what_is_cancelled_stays_cancelled(desk, put, verdict):
    """Whatever came of the work meanwhile, and whoever says so."""
    (name,) = put("one")
    (claim,) = desk.claim(1, "w", later(1))
    assert desk.cancel(name[:8], later(2)).state == "cancelled"
    assert desk.keep("w", later(3)) == set()
    assert desk.settle(claim, verdict, later(3)) is None
    desk.report(claim, 0.9, "on", later(3))
    assert (desk.find(name).state, desk.find(name).progress) == ("cancelled", 0)


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_the_ledger_itself_refuses_every_other_way(ledger, desk, before, after):
    """Hands that reach past the desk cannot complete what was cancelled, either."""
    ways = {
        ("queued", "running"), ("queued", "cancelled"), ("running", "completed"), ("running", "failed"),
        ("running", "cancelled"), ("running", "dead"), ("running", "queued"), ("failed", "queued"),
        ("cancelled", "queued"), ("dead", "queued"), *((state, state) for state in STATES),
    }  # fmt: skip
    desk.submit(ASKED, digest("x"), NOON)
    reach = {"queued": [], "running": ["running"], "cancelled": ["cancelled"]}.get(before, ["running", before])
    change = "UPDATE requests SET state = %s, worker = 'w', seen_at = now(), error = 'e'"
    for state in reach:
        with ledger.transaction() as connection:
            connection.execute(change, [state])
    if (before, after) in ways:
        with ledger.transaction() as connection:
            connection.execute(change, [after])
        return
    with pytest.raises(RefusedRowError, match=f"{before} never turns {after}"), ledger.transaction() as connection:
        connection.execute(change, [after])


def test_what_can_be_waited_for_is_tried_three_times_more_and_then_given_up(desk, put):
    """After one, two and four seconds; then somebody is to be told, once."""
    (name,) = put("one")
    moment = NOON
    for wait in (1, 2, 4):
        (claim,) = desk.claim(1, "w", moment)
        assert desk.settle(claim, AGAIN, moment) == "queued"
        assert desk.claim(1, "w", moment + timedelta(seconds=wait - 0.1)) == []
        moment += timedelta(seconds=wait)
    (claim,) = desk.claim(1, "w", moment)
    assert desk.settle(claim, AGAIN, moment) == "dead"
    assert [(of.id, of.error) for of in desk.untold("dead", moment)] == [(name, "the exchange is away")]
    desk.note_told(name, "dead")
    assert desk.untold("dead", moment) == []


def test_a_list_is_of_one_kind_and_goes_on_where_another_ended(desk, put):
    """The latest first."""
    names = put("one", "two", "three")
    swept = desk.submit(Request(strategy="sma_cross", kind="sweep"), digest("swept"), later(9)).id
    assert [of.id for of in desk.listed(Filter(kind="sweep"))] == [swept]
    assert [of.id for of in desk.listed(Filter(kind="backtest", limit=2))] == names[:0:-1]
    assert [of.id for of in desk.listed(Filter(kind="backtest", limit=2, offset=2))] == names[:1]


def test_a_refusal_is_not_tried_again(desk, put):
    """It would be refused again."""
    (name,) = put("one")
    (claim,) = desk.claim(1, "w", NOON)
    assert desk.settle(claim, Verdict("failed", "x" * 900), NOON) == "failed"
    assert (desk.find(name).error, desk.claim(1, "w", later(600))) == ("x" * 500, [])
    assert desk.retry(name, later(1)).state == "queued"
    assert (desk.find(name).error, desk.find(name).attempts) == (None, 0)


def test_orphans_wait_again_and_their_old_worker_settles_nothing(desk, put):
    """Silence of a minute, or a worker that is known to be gone."""
    one, two = put("one", "two")
    old, _ = desk.claim(2, "w", later(2))
    assert desk.requeue_orphans(later(50)) == []
    desk.keep_waiting(["w"], later(50))
    assert desk.requeue_orphans(later(100)) == []
    assert set(desk.requeue_orphans(later(111))) == {one, two}
    new, _ = desk.claim(2, "v", later(112))
    assert (new.id, new.epoch) == (old.id, 2)
    assert desk.settle(old, DONE, later(113)) is None
    assert desk.settle(new, DONE, later(114)) == "completed"
    assert desk.requeue_orphans(later(115), gone=["v"]) == [two]


def test_what_takes_its_process_down_each_time_is_given_up(desk, put):
    """Else it would be begun for ever."""
    (name,) = put("one")
    for place in range(10):
        assert len(desk.claim(1, f"w{place}", later(place))) == 1
        desk.requeue_orphans(later(place), gone=[f"w{place}"])
    assert desk.find(name).state == "dead"


def test_a_stopped_run_cancels_what_it_was_at(desk, put):
    """And nothing of others."""
    one, two = put("one", "two")
    desk.claim(1, "w", later(5))
    desk.claim(1, "v", later(5))
    assert desk.cancel_claims("w", later(6)) == [one]
    assert desk.find(two).state == "running"


def test_a_full_queue_takes_nothing_new(ledger):
    """What is known already is still told, and a retry waits for room, too."""
    desk = Desk(ledger, most_queued=2)
    first, second, third = (digest(word) for word in "abc")
    desk.submit(ASKED, first, NOON)
    desk.cancel(first, NOON)
    desk.submit(ASKED, second, NOON)
    desk.submit(ASKED, third, NOON)
    with pytest.raises(QueueFullError, match="2 requests wait already"):
        desk.submit(ASKED, digest("d"), NOON)
    assert desk.submit(ASKED, third, NOON).state == "queued"
    with pytest.raises(QueueFullError):
        desk.retry(first, NOON)


@pytest.mark.parametrize("name", ["", "abc", "g" * 64, "a" * 65, "0" * 64, "a\x00" * 6, "ABCDEF", "%"])
def test_what_nobody_asked_for_is_unknown(desk, name):
    """Whatever is looked for."""
    for deed in (desk.find, lambda of: desk.cancel(of, NOON), lambda of: desk.retry(of, NOON)):
        with pytest.raises(UnknownRequestError):
            deed(name)


def test_what_ended_is_not_cancelled_and_what_did_not_is_not_begun_again(desk, put):
    """The sentence says how it stands."""
    (name,) = put("one")
    with pytest.raises(RequestStateError, match="is queued and cannot be begun again"):
        desk.retry(name, NOON)
    (claim,) = desk.claim(1, "w", NOON)
    desk.settle(claim, DONE, NOON)
    with pytest.raises(RequestStateError, match="is completed and cannot be cancelled any more"):
        desk.cancel(name, NOON)
    with pytest.raises(RequestStateError, match="is completed and cannot be begun again"):
        desk.retry(name, NOON)


def test_lists_show_the_latest_of_what_is_wanted(desk, put):
    """By state, strategy and day."""
    one, two, three = put("one", "two", "three")
    desk.cancel(two, NOON)
    assert [of.id for of in desk.listed()] == [three, two, one]
    assert [of.id for of in desk.listed(Filter(state="queued", limit=1))] == [three]
    assert [of.id for of in desk.listed(Filter(since=later(1), until=later(2)))] == [two]
    assert desk.listed(Filter(strategy="other")) == desk.listed(Filter(min_return=0.1)) == []


def test_progress_is_seen_by_whoever_looks(desk, put):
    """With the step; a done one is whole."""
    (name,) = put("one")
    (claim,) = desk.claim(1, "w", NOON)
    desk.report(claim, 0.25, "reads KRW-BTC", later(1))
    assert (desk.find(name).progress, desk.find(name).step) == (0.25, "reads KRW-BTC")
    desk.settle(claim, DONE, later(2))
    assert desk.find(name).progress == 1


class Requests(RuleBasedStateMachine):
    """Workers, people and crashes in any order, against what may be true of each request."""

    ledger = None

    @initialize()
    def begin(self):
        with self.ledger.transaction() as connection:
            connection.execute("TRUNCATE requests")
        self.desk, self.moment, self.claims, self.over, self.completed = Desk(self.ledger), NOON, [], {}, []

    @rule(word=st.sampled_from("abc"))
    def submit(self, word):
        self.desk.submit(ASKED, digest(word), self.moment)

    @rule(worker=st.sampled_from("vw"), most=st.integers(1, 3))
    def claim(self, worker, most):
        self.claims += self.desk.claim(most, worker, self.moment)

    @rule(place=st.integers(0, 20), end=st.sampled_from(["completed", "failed", "again"]))
    def settle(self, place, end):
        if self.claims:
            claim = self.claims[place % len(self.claims)]
            state = self.desk.settle(claim, Verdict(end, "why"), self.moment)
            if state == "completed":
                self.completed.append(claim.id)

    @rule(word=st.sampled_from("abc"), deed=st.sampled_from(["cancel", "retry"]))
    def person(self, word, deed):
        try:
            getattr(self.desk, deed)(digest(word), self.moment)
        except (RequestStateError, UnknownRequestError):
            return

    @rule(seconds=st.integers(1, 90), worker=st.sampled_from("vw"))
    def crash(self, seconds, worker):
        self.moment += timedelta(seconds=seconds)
        self.desk.requeue_orphans(self.moment, gone=[worker] if seconds % 3 == 0 else [])

    @invariant()
    def what_is_completed_stays_so_and_was_completed_once(self):
        """Nobody computes it again, and nobody else ends it."""
        assert len(self.completed) == len(set(self.completed))
        assert all(self.desk.find(name).state == "completed" for name in self.completed)

    @invariant()
    def only_the_latest_claim_holds(self):
        """One worker a request."""
        held = [(of.id, of.epoch) for worker in "vw" for of in self.desk.claims(worker)]
        assert len(held) == len({name for name, _ in held})
        assert all(epoch == max(of.epoch for of in self.claims if of.id == name) for name, epoch in held)


def test_no_order_of_events_ends_a_request_twice(ledger):
    """Workers, cancellations, retries and crashes as they come."""
    Requests.ledger = ledger
    machine = Requests.TestCase
    machine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
    machine("runTest").runTest()
