import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_pipeline.front.guesses import Guesses, Pace

ONE, ALL = Pace(at_once=5, each_s=12.0), Pace(at_once=30, each_s=2.0)


@pytest.fixture
def guesses():
    return Guesses(ONE, ALL)


def test_a_few_at_once_then_one_at_a_time(guesses):
    """Five, and the sixth after twelve seconds; asking too early costs nothing."""
    assert [guesses.take("192.0.2.1", 100.0) for _ in range(6)] == [0.0] * 5 + [12.0]
    assert guesses.take("192.0.2.1", 111.0) == pytest.approx(1.0)
    assert guesses.take("192.0.2.1", 112.0) == 0.0
    assert guesses.take("192.0.2.2", 112.0) == 0.0


def test_the_right_guess_is_given_back(guesses):
    """Who knows the password may log in as often as he likes."""
    for _ in range(100):
        assert guesses.take("192.0.2.1", 100.0) == 0.0
        guesses.give_back("192.0.2.1")


def test_many_addresses_are_one_crowd(guesses):
    """A thousand machines guess no faster than one every two seconds, after the first thirty."""
    granted = [guesses.take(f"192.0.2.{number % 250}", 100.0) for number in range(250)].count(0.0)
    assert granted == ALL.at_once


def test_a_network_of_ipv6_is_one_house(guesses):
    """It has more addresses than anybody could count."""
    for number in range(5):
        assert guesses.take(f"2001:db8::{number:x}", 0.0) == 0.0
    assert guesses.take("2001:db8::ffff", 0.0) > 0
    assert guesses.take("2001:db8:0:1::1", 0.0) == 0.0
    assert guesses.take("not an address", 0.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"]), st.floats(0, 30)), max_size=80))
def test_no_order_of_guesses_buys_more(steps):
    """In any stretch of time at most so many, by address and over all; and the wait that was told is enough."""
    guesses, moment, granted = Guesses(ONE, ALL), 0.0, []
    for who, pause in steps:
        moment += pause
        wait = guesses.take(who, moment)
        if wait == 0.0:
            granted.append((who, moment))
        elif who == "192.0.2.3":
            moment += wait
            assert guesses.take(who, moment + 1e-3) == 0.0
            granted.append((who, moment + 1e-3))
            moment += 1e-3
    for pace, some in [(ONE, [at for who, at in granted if who == "192.0.2.1"]), (ALL, [at for _, at in granted])]:
        for first, begun in enumerate(some):
            for last in range(first, len(some)):
                assert last - first + 1 <= pace.at_once + (some[last] - begun) / pace.each_s + 1e-3


def test_nobody_is_remembered_for_ever(guesses):
    """A crowd that has gone costs no memory."""
    for number in range(1_000):
        guesses.take(f"192.0.2.{number % 250}", number * 100.0)
    assert len(guesses._paid_at) <= 2
