import os
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from coinhts_core.exchanges.upbit.limiter import Limiter, Waits, waits

_CALLER = """
import sys, time
from pathlib import Path
from coinhts_core.exchanges.upbit.calls import Calls, Pace

calls = Calls(sys.argv[1], Path(sys.argv[2]), Pace())
sys.stdin.readline()
until = time.monotonic() + float(sys.argv[3])
while time.monotonic() < until:
    calls.get("market", "/v1/market/all", {})
"""
_HOLDER = """
import sys, time
from pathlib import Path
from coinhts_core.exchanges.upbit.limiter import Limiter

with Limiter(Path(sys.argv[1]), "candle", 1).turn():
    print("holding", flush=True)
    time.sleep(60)
"""


def took(limiter, turns=1):
    began = time.monotonic()
    for _ in range(turns):
        with limiter.turn():
            pass
    return time.monotonic() - began


def processes_calling(stand_in, folder, count, seconds):
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", _CALLER, stand_in.url, str(folder), str(seconds)], stdin=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    time.sleep(1.5)  # each has imported what it needs
    for caller in callers:
        caller.stdin.write("\n")
        caller.stdin.flush()
    for caller in callers:
        caller.communicate(timeout=seconds + 60)
        assert caller.returncode == 0
    return sorted(call["at"] for call in stand_in.calls("market")), {call["status"] for call in stand_in.calls()}


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_four_processes_stay_together_under_the_limit_and_use_it(stand_in, tmp_path, seconds):
    """By the server's own log, no window of a second holds eleven calls, and 95 % of the allowed are made."""
    stand_in.set_up()  # ten calls a second are its own limit, too
    arrived, statuses = processes_calling(stand_in, tmp_path, 4, seconds)
    spans = [later - earlier for earlier, later in zip(arrived, arrived[10:], strict=False)]
    used = len(spans) / sum(spans)
    sys.stdout.write(f"shortest span of ten calls {min(spans):.4f} s, {used:.1%} of the permitted rate used\n")
    assert min(spans) >= 1.0
    assert statuses == {200}
    assert used >= 0.95


def test_ten_calls_are_made_at_once_and_the_eleventh_a_second_later(tmp_path):
    """Nothing is spread out that the venue takes together."""
    limiter = Limiter(tmp_path, "candle", 10)
    assert took(limiter, 10) < 0.5
    assert 0.5 < took(limiter) < 1.5


def test_what_was_waited_is_counted_for_all(tmp_path):
    """By each of many limiters, and by those of a process that was killed; the time of the calls is no part of it."""
    assert waits(tmp_path) == {}
    for limiter in (Limiter(tmp_path, "candle", 2), Limiter(tmp_path, "candle", 2)):
        for _ in range(2):
            with limiter.turn():
                time.sleep(0.01)
    Limiter(tmp_path, "ticker", 1).rest()
    found = waits(tmp_path)
    assert found["ticker"] == Waits(0, 0.0)
    assert found["candle"].calls == 4
    assert 0.8 < found["candle"].waited_s < 2.0


@pytest.mark.parametrize(
    "content", [struct.pack("<ddqd", 0.0, 0.0, -1, 0.0), struct.pack("<ddqd", 0, 0, 1, float("nan"))]
)
def test_a_damaged_count_begins_anew(tmp_path, content):
    """It is no reason to make no call."""
    (tmp_path / "candle-0").write_bytes(content)
    took(Limiter(tmp_path, "candle", 1))
    assert waits(tmp_path)["candle"].calls == 1


def test_groups_are_counted_apart(tmp_path):
    """Candles do not wait for tickers."""
    assert took(Limiter(tmp_path, "candle", 1)) + took(Limiter(tmp_path, "ticker", 1)) < 0.5


def test_threads_are_counted_together(tmp_path):
    """Two permits, four threads, six calls: two a second."""
    limiter, began = Limiter(tmp_path, "candle", 2), []

    def call(_):
        with limiter.turn() as moment:
            began.append(moment)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(6)))
    began.sort()
    assert all(later - earlier >= 1.0 for earlier, later in zip(began, began[2:], strict=False))
    assert began[-1] - began[0] < 3.0


def test_a_killed_holder_blocks_nobody(tmp_path):
    """The kernel frees its permit, which then rests a second, as its call may have been made."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "holding\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    assert 0.8 < took(Limiter(tmp_path, "candle", 1)) < 2.0


def test_a_call_counts_from_its_answer(tmp_path):
    """It may have arrived as late as that."""
    limiter = Limiter(tmp_path, "candle", 1)
    with limiter.turn() as began:
        time.sleep(0.3)
    with limiter.turn() as next_began:
        pass
    assert 1.3 <= next_began - began < 1.8


def test_the_way_back_of_an_answer_is_not_waited_for_twice(tmp_path):
    """Far from the venue, most of a steady round trip is known to lie behind the arrival or before it."""
    limiter = Limiter(tmp_path, "candle", 1)
    limiter._round_trips.extend([0.1] * 19)
    assert limiter._way_back() == 0.0
    with limiter.turn():
        time.sleep(0.1)
    assert 0.05 < limiter._way_back() < 0.06
    moments = []
    limiter = Limiter(tmp_path, "ticker", 1)
    limiter._round_trips.extend([0.3] * 20)
    for _ in range(2):
        with limiter.turn() as began:
            moments.append(began)
            time.sleep(0.3)
    assert all(1.0 <= later - earlier < 1.15 for earlier, later in pairwise(moments))


@pytest.mark.parametrize("content", [struct.pack("<dd", 1e12, 1e12), struct.pack("<dd", float("nan"), 0.0), b"half"])
def test_a_stamp_of_another_start_or_a_damaged_one_costs_a_second_at_most(tmp_path, content):
    """The machine's running time begins anew with each start."""
    (tmp_path / "candle-0").write_bytes(content)
    assert took(Limiter(tmp_path, "candle", 1)) < 1.5


def test_rest_is_for_everyone(tmp_path):
    """After a refusal nobody calls for a second."""
    Limiter(tmp_path, "candle", 3).rest()
    assert 0.8 < took(Limiter(tmp_path, "candle", 3)) < 1.5


def test_calls_of_others_are_seen_by_what_the_venue_has_left(tmp_path):
    """Nothing left, and not by our doing: rest. By our doing: the usual pace is right."""
    limiter = Limiter(tmp_path, "candle", 2)
    with limiter.turn() as began:
        pass
    limiter.heed(1, began)
    limiter.heed(None, began)
    assert took(limiter) < 0.5
    limiter = Limiter(tmp_path, "ticker", 2)
    with limiter.turn() as began:
        pass
    limiter.heed(0, began)
    assert 0.8 < took(limiter) < 1.5
    took(limiter, 2)
    with limiter.turn() as began:
        pass
    stamps = limiter._stamps()
    limiter.heed(0, began)
    assert limiter._stamps() == stamps
