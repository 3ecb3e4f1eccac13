import threading

import pytest

from coinhts_core.backtests.executors import Threads


@pytest.mark.parametrize("count", [1, 2, None])
def test_answers_come_in_the_order_of_the_parts(count):
    """However many work, and whoever is ready first."""
    assert list(Threads(count).answers(lambda part: part * 2, range(20))) == list(range(0, 40, 2))


def test_two_work_at_a_time():
    """Each waits for the other: with one thread, neither would end."""
    both = threading.Barrier(2, timeout=20)
    assert sorted(Threads(2).answers(lambda _: both.wait(), [0, 1])) == [0, 1]


def test_one_part_needs_no_threads():
    """It is done where it was asked for."""
    (where,) = Threads(2).answers(lambda _: threading.current_thread(), [0])
    assert where is threading.current_thread()


def test_what_goes_wrong_is_told():
    """An error of a part is the caller's."""
    with pytest.raises(ZeroDivisionError):
        list(Threads(2).answers(lambda part: 1 / part, [1, 0, 2]))
