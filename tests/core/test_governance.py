import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import OutOfBoundsError, UnknownGovernorError
from coinhts_core.governance import Governance, Government, bounds_of, change, changes, governance_of, governors
from coinhts_core.ledger.connection import Ledger

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
BOUNDED = [name for name in Governance.model_fields if " from " in bounds_of(name)]
# The defaults and bounds of the trader this one takes over from.
INHERITED = {
    "position_size_min_pct": (25, "from 1 to 50"),
    "position_size_max_pct": (50, "from 5 to 100"),
    "stop_loss_pct": (5, "from 3 to 10"),
    "daily_loss_limit_pct": (5, "from 3 to 10"),
    "signal_interval_minutes": (30, "from 5 to 120"),
    "volatility_threshold_pct": (3, "from 1 to 10"),
}
_OTHER_PROCESS = """
import sys
from datetime import UTC, datetime
from coinhts_core.governance import change
from coinhts_core.ledger.connection import Ledger

with Ledger.open(sys.argv[1]) as ledger:
    change(ledger, "stop_loss_pct", "7", "another", datetime(2026, 2, 1, tzinfo=UTC))
"""


class Watch:
    """A watch that only moves when told to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_defaults_and_bounds_are_those_traders_know():
    """And every setting has a meaning."""
    for name, (default, bounds) in INHERITED.items():
        assert getattr(Governance(), name) == default
        assert bounds_of(name).endswith(bounds)
    assert all(field.description for field in Governance.model_fields.values())


def test_a_change_is_seen_and_kept_with_who_and_when(ledger):
    """Each in the history; what is so already changes nothing; back to the default is a change, too."""
    first = change(ledger, "stop_loss_pct", " 7.50 ", "mina", NOON)
    assert (first.value_before, first.value_after, first.changed_by, first.changed_at) == (None, "7.5", "mina", NOON)
    assert change(ledger, "stop_loss_pct", "7.5", "mina", NOON) is None
    assert Government(ledger).now().stop_loss_pct == 7.5
    change(ledger, "trading_enabled", "No", "jun", NOON)
    assert Government(ledger).now().trading_enabled is False
    back = change(ledger, "stop_loss_pct", "default", "jun", NOON)
    assert (back.value_before, back.value_after) == ("7.5", None)
    assert [(of.name, of.value_after) for of in changes(ledger)] == [
        ("stop_loss_pct", None),
        ("trading_enabled", "false"),
        ("stop_loss_pct", "7.5"),
    ]
    assert [of.changed_by for of in changes(ledger, "trading_enabled")] == ["jun"]
    assert {of.name: of.value for of in governors(ledger) if of.is_set} == {"trading_enabled": False}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("stop_loss_pct", "2.99", "stop_loss_pct cannot be '2.99': it takes a number from 3 to 10"),
        ("stop_loss_pct", "nan", "it takes a number from 3 to 10"),
        ("stop_loss_pct", "inf", "it takes a number from 3 to 10"),
        ("signal_interval_minutes", "7.5", "it takes a whole number from 5 to 120"),
        ("signal_interval_minutes", "", "it takes a whole number from 5 to 120"),
        ("trading_enabled", "maybe", "it takes true or false"),
        ("alert_level", "loud", "it takes one of info, warning, error, critical"),
        ("ai_model", "../x", "it takes a name of small letters"),
        ("position_size_min_pct", "50.5", "it takes a number from 1 to 50"),
        ("position_size_max_pct", "20", "from 5 to 100, and at least position_size_min_pct, which is 25"),
        ("drawdown_warning_pct", "9", "and at most drawdown_error_pct, which is 8"),
        ("drawdown_critical_pct", "7", "and at least drawdown_error_pct, which is 8"),
    ],
)
def test_what_is_out_of_bounds_is_refused_naming_the_bounds(ledger, name, value, told):
    """And nothing is stored."""
    with pytest.raises(OutOfBoundsError) as refusal:
        change(ledger, name, value, "mina", NOON)
    assert told in str(refusal.value)
    assert refusal.value.name == name
    assert changes(ledger) == []


def test_an_unknown_setting_is_refused_with_the_nearest(ledger):
    """By whoever asks."""
    with pytest.raises(UnknownGovernorError, match="did you mean stop_loss_pct"):
        change(ledger, "stop_los_pct", "5", "mina", NOON)
    with pytest.raises(UnknownGovernorError):
        changes(ledger, "nonsense")
    with pytest.raises(UnknownGovernorError):
        governance_of({"nonsense": "1"})


@given(st.sampled_from(BOUNDED), st.floats(allow_nan=True, allow_infinity=True) | st.integers(-200, 2_000))
def test_nothing_stored_governs_beyond_its_bounds(name, value):
    """Whatever stands in the table, it is inside or refused."""
    facts = Governance.model_json_schema()["properties"][name]
    try:
        found = getattr(governance_of({name: str(value)}), name)
    except OutOfBoundsError:
        return
    assert facts["minimum"] <= found <= facts["maximum"]


def test_reading_costs_a_question_at_most_twice_a_second(ledger):
    """Between, what is known holds; a change is noticed at the next look, and a hand in the tables after an hour."""
    watch = Watch()
    reading = Government(ledger, watch)
    assert reading.now().stop_loss_pct == 5
    change(ledger, "stop_loss_pct", "6", "mina", NOON)
    watch.seconds = 0.4
    assert reading.now().stop_loss_pct == 5
    watch.seconds = 0.9
    assert reading.now().stop_loss_pct == 6
    with ledger.transaction() as connection:
        connection.execute("UPDATE settings SET value = '8'")
    watch.seconds = 3_600.0
    assert reading.now().stop_loss_pct == 6
    watch.seconds = 3_601.0
    assert reading.now().stop_loss_pct == 8


@pytest.mark.parametrize("is_heard", [True, False])
def test_another_process_change_is_seen_within_a_second(ledger, is_heard):
    """Nobody restarts anything, whether changes are heard or asked for."""
    reading = Government(ledger)
    assert reading.now().stop_loss_pct == 5
    if is_heard:
        _listening(reading)
    subprocess.run([sys.executable, "-c", _OTHER_PROCESS, ledger.url], check=True, timeout=60, env=dict(os.environ))
    _sees(reading, 7)


def test_an_hour_of_normal_work_asks_the_ledger_a_few_times(ledger):
    """Looked at every second, with a change each ten minutes that is seen within one: 95 of 100 looks are answered."""
    watch = Watch()
    reading = Government(ledger, watch)
    for second in range(3_600):
        watch.seconds = float(second)
        if second % 600 == 300:
            change(ledger, "stop_loss_pct", str(4 + second // 600), "mina", NOON)
            _sees(reading, 4 + second // 600)
        if second == 10:
            _listening(reading)
        reading.now()
    memory = reading.memory
    assert memory.hits + memory.misses > 3_600
    assert memory.hits / (memory.hits + memory.misses) >= 0.95
    assert memory.misses >= 8  # the first look, the one that began to listen, and a change each


def test_a_change_is_seen_when_the_bell_is_lost(ledger):
    """It is asked for again until the bell is heard once more; then nothing is asked."""
    reading = Government(ledger)
    _listening(reading)
    with ledger.transaction() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'", [])
    change(ledger, "stop_loss_pct", "6", "mina", NOON)
    _sees(reading, 6)
    _listening(reading)
    asked = reading.memory.misses
    for _ in range(100):
        reading.now()
    assert reading.memory.misses == asked


def test_what_one_part_of_a_process_read_the_others_know(ledger):
    """However often the ledger is opened; another ledger is another story."""
    Government.shared(ledger).now()
    with Ledger.open(ledger.url) as again:
        elsewhere = Government.shared(again)
        asked = elsewhere.memory.misses
        assert elsewhere.now() == Governance()
        assert (elsewhere.memory.misses, elsewhere.memory.hits) == (asked, 1)
    assert Government(ledger).memory is not elsewhere.memory


def test_the_settings_are_told_as_they_are_stored(ledger):
    """Through the cache as without it."""
    change(ledger, "stop_loss_pct", "6", "mina", NOON)
    assert Government(ledger).governors() == governors(ledger)
    (told,) = (of.facts for of in governors(ledger) if of.name == "stop_loss_pct")
    assert told == {
        "name": "stop_loss_pct",
        "value": 6.0,
        "source": "ledger",
        "default": 5,
        "takes": "a number from 3 to 10",
        "meaning": "a position that lost more is sold",
    }


def test_changes_at_once_come_one_after_the_other(ledger):
    """Else one committed late under an early number would not be noticed, and two could break a rule between them."""
    with ThreadPoolExecutor(1) as pool:
        with ledger.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('settings', 0))")
            late = pool.submit(change, ledger, "drawdown_error_pct", "6", "mina", NOON)
            time.sleep(0.2)
            assert not late.done()
            connection.execute("INSERT INTO settings (name, value) VALUES ('drawdown_warning_pct', '7')")
        with pytest.raises(OutOfBoundsError, match="at least drawdown_warning_pct, which is 7"):
            late.result(10)


def _sees(reading, percent):
    noticed_by = time.monotonic() + 1.0
    while reading.now().stop_loss_pct != percent:
        assert time.monotonic() < noticed_by
        time.sleep(0.02)


def _listening(reading):
    """Look until the bell is heard, and what was asked for last is what it rang for."""
    deadline = time.monotonic() + 5
    while (rung := reading.memory.bell.rung()) is None or reading.memory.known.rung != rung:
        assert time.monotonic() < deadline
        reading.now()
        time.sleep(0.02)
