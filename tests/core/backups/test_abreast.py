import time
from threading import Barrier, Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backups.abreast import _ABREAST, abreast


@given(st.lists(st.integers(), max_size=40))
def test_what_comes_of_each_is_taken_in_in_their_order(pieces):
    """Whoever is done first; and once each."""
    taken = []
    abreast(lambda piece: (time.sleep(piece % 3 / 10_000), piece * 2)[1], pieces, taken.append)
    assert taken == [piece * 2 for piece in pieces]


def test_some_are_at_work_at_once_and_no_more():
    """All of them meet, which they could not one after another; what they hold in memory is bounded."""
    meeting, lock, at_work, most = Barrier(_ABREAST, timeout=20), Lock(), set(), []

    def work(piece):
        with lock:
            at_work.add(piece)
            most.append(len(at_work))
        meeting.wait()
        time.sleep(0.005)
        with lock:
            at_work.remove(piece)

    abreast(work, range(_ABREAST * 3))
    assert max(most) == _ABREAST


@pytest.mark.parametrize("fails_in", ["work", "taking in"])
def test_when_one_fails_those_not_yet_begun_are_left_undone(fails_in):
    """And those that were begun are waited for: nobody works on behind one's back."""
    begun, done, is_over = [], [], Event()

    def fail(_):
        raise ZeroDivisionError

    def work(piece):
        begun.append(piece)
        if piece == 0:
            return fail(piece) if fails_in == "work" else piece
        is_over.wait(0.05)
        done.append(piece)
        return piece

    with pytest.raises(ZeroDivisionError):
        abreast(work, range(500), fail)
    assert len(begun) < 100
    assert sorted(begun) == [0, *sorted(done)]
