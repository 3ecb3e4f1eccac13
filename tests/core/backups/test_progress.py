from concurrent.futures import ThreadPoolExecutor

from coinhts_core.backups.progress import Steps


def test_every_step_is_told_once_in_order():
    """However many take them at once; and where more turn up than were known, the total follows."""
    told = []
    steps = Steps(lambda *of: told.append(of), 50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(steps, map(str, range(60))))
    assert [done for _, done, _ in told] == list(range(1, 61))
    assert [total for *_, total in told] == [max(50, done) for done in range(1, 61)]
    assert sorted(int(step) for step, *_ in told) == list(range(60))


def test_nobody_has_to_listen():
    """Steps are then only counted."""
    Steps(None)("one")
