from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

from coinhts_core.alerts.alert import LEVELS, Alert
from coinhts_core.governance import change
from tests.core.alerts.conftest import NOON

MINUTE = timedelta(minutes=1)


def raised(office, at=NOON, *, key="key", level="error", title="title", body="", **how):
    return office.outbox.raise_alert(Alert(key, level, title, body), at, **how)


def listed(office):
    return [(of.letter.key, of.letter.level, of.letter.repeats) for of in office.outbox.latest()]


def test_the_same_again_is_counted_for_a_quarter_of_an_hour(office):
    """Then it is told again; another key is another thing."""
    opened = office()
    number = raised(opened)
    assert number
    assert [raised(opened, at=NOON + minutes * MINUTE) for minutes in (1, 14)] == [None, None]
    assert raised(opened, key="other", at=NOON + MINUTE) == number + 1
    assert raised(opened, at=NOON + 15 * MINUTE) == number + 2
    assert listed(opened) == [("key", "error", 0), ("other", "error", 0), ("key", "error", 2)]


def test_what_gets_worse_is_told_at_once(office):
    """What gets better is not."""
    opened = office()
    assert raised(opened, level="warning")
    assert raised(opened, level="critical", at=NOON + MINUTE)
    assert raised(opened, level="warning", at=NOON + 2 * MINUTE) is None
    assert listed(opened) == [("key", "critical", 1), ("key", "warning", 0)]


def test_however_often_something_is_raised_nobody_is_flooded(office):
    """Of a key and level at most one within the window, and every raise is counted somewhere."""
    opened, chance, at = office(), Random(20260201), NOON  # noqa: S311 - the same every time
    raises = 300
    for _ in range(raises):
        at += timedelta(seconds=chance.choice([0, 1, 60, 300, 900]))
        raised(opened, key=f"key {chance.randrange(3)}", level=chance.choice(LEVELS), at=at)
    letters = [of.letter for of in opened.outbox.latest(1_000)]
    assert sum(1 + letter.repeats for letter in letters) == raises
    for letter in letters:
        graver = LEVELS[LEVELS.index(letter.level) :]
        assert not any(
            other.key == letter.key
            and other.level in graver
            and timedelta() < letter.raised_at - other.raised_at < 15 * MINUTE
            for other in letters
        )


def test_raised_by_many_at_once_it_is_one_alert(office):
    """Sensors, runs and commands are processes of their own."""
    opened = office()
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: raised(opened), range(24)))
    assert sum(number is not None for number in numbers) == 1
    assert listed(opened) == [("key", "error", 23)]


def test_who_is_told_depends_on_the_level(office, ledger):
    """The file has everything, other places what is grave enough; a caller may choose otherwise."""
    opened = office(slack__webhook_url="http://127.0.0.1:1/x")
    change(ledger, "alert_level", "error", "mina", NOON - MINUTE)
    for level in LEVELS:
        raised(opened, key=level, level=level, title=level)
    raised(opened, key="chosen", level="critical", title="chosen", to=["file"])
    assert opened.states("slack") == {"error": "waiting", "critical": "waiting"}
    assert opened.states("file").keys() == {*LEVELS, "chosen"}


def test_the_quiet_while_is_a_setting(office, ledger):
    """Or the caller's, for what is told once a day."""
    change(ledger, "alert_quiet_minutes", "60", "mina", NOON)
    opened = office()
    assert raised(opened)
    assert raised(opened, at=NOON + 59 * MINUTE) is None
    assert raised(opened, at=NOON + 61 * MINUTE)
    assert raised(opened, at=NOON + 120 * MINUTE, quiet=timedelta(days=1)) is None


def test_no_secret_and_nothing_unprintable_is_kept(office, ledger):
    """Not even in the ledger."""
    opened = office(gemini__api_key="hush-hush-key", slack__webhook_url="https://hooks.slack.com/services/T/B/hushhush")
    for text in ("hush-hush-key", "https://hooks.slack.com/services/T/B/hushhush", "a\0b\r\nc\u202e"):
        raised(opened, key=text, title=text, body=f"{text}\n{text}")
    with ledger.transaction() as connection:
        kept = connection.execute("SELECT string_agg(key || title || body, ' ') FROM alerts").fetchone()[0]
    assert "hush" not in kept
    assert kept.replace("\n", "").isprintable()
