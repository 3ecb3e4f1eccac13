import os

from coinhts_core.ledger.locks import alone, if_free, is_last, together


def test_a_lock_held_alone_is_free_for_nobody_else(tmp_path):
    """While one holds it the others are told so at once, and afterwards it is free."""
    with alone(tmp_path / "lock"), if_free(tmp_path / "lock") as lock:
        assert lock is None
    with if_free(tmp_path / "lock") as lock:
        assert lock is not None


def test_only_the_last_of_many_is_the_last(tmp_path):
    """Of those who hold a lock together only the one who gives it up last is told so."""
    with together(tmp_path / "lock") as first, together(tmp_path / "lock") as second:
        assert not is_last(first)
        assert is_last(second)


def test_a_lock_taken_when_free_stays_with_the_process_that_inherits_it(tmp_path):
    """Closing one's own descriptor leaves the lock with whoever was handed another."""
    with if_free(tmp_path / "lock") as lock:
        inherited = os.dup(lock)
    with if_free(tmp_path / "lock") as lock:
        assert lock is None
    os.close(inherited)
    with if_free(tmp_path / "lock") as lock:
        assert lock is not None


def test_leaving_frees_the_lock_even_if_a_forked_child_has_its_descriptor(tmp_path):
    """A child that outlives us does not keep others waiting."""
    with together(tmp_path / "lock") as lock:
        of_the_child = os.dup(lock)
    with if_free(tmp_path / "lock") as lock:
        assert lock is not None
    os.close(of_the_child)
