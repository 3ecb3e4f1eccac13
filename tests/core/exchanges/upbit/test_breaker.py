from datetime import timedelta

import pytest

from coinhts_core.clock import now
from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.upbit.breaker import Breaker, block_stated_in
from coinhts_core.exchanges.upbit.http import Reply


@pytest.fixture
def breaker(tmp_path):
    return Breaker("upbit", tmp_path / "upbit" / "blocked-until")


def open_until(breaker):
    with pytest.raises(ExchangeUnavailableError) as refusal:
        breaker.refuse_while_open()
    return str(refusal.value)


def test_a_new_breaker_is_closed(breaker):
    """Nobody was blocked yet, and there is not even a folder."""
    breaker.refuse_while_open()


def test_an_open_breaker_says_until_when_to_every_process(breaker, tmp_path):
    """It is a file: whoever looks at it is refused, after a restart, too."""
    until = now() + timedelta(seconds=90)
    breaker.open_for(timedelta(seconds=90))
    sentence = open_until(Breaker("upbit", tmp_path / "upbit" / "blocked-until"))
    assert f"until {until:%Y-%m-%d %H:%M:}" in sentence
    assert sentence.startswith("upbit did not answer (it blocked us; no call is made until ")
    assert [file.name for file in (tmp_path / "upbit").iterdir()] == ["blocked-until"]


def test_a_breaker_closes_by_itself(breaker):
    """When the stated time is over."""
    breaker.open_for(timedelta(0))
    breaker.refuse_while_open()


def test_a_shorter_block_does_not_shorten_a_longer_one(breaker):
    """Two calls on their way may bring two blocks."""
    breaker.open_for(timedelta(hours=2))
    sentence = open_until(breaker)
    breaker.open_for(timedelta(seconds=1))
    assert open_until(breaker) == sentence


def test_no_block_is_longer_than_a_day(breaker, tmp_path):
    """A number out of a hostile sentence does not close the house for ever."""
    breaker.open_for(timedelta(days=9_999))
    assert (tmp_path / "upbit" / "blocked-until").read_text() < (now() + timedelta(hours=25)).isoformat()


@pytest.mark.parametrize(
    "content", ["", "2026-", "soon", "2020-01-01", "9999-12-31T23:59:59", "2999-01-01T00:00:00+00:00"]
)
def test_a_damaged_file_blocks_nothing(breaker, tmp_path, content, caplog):
    """Nor does one of a clock that was ahead; the venue will say it again. What cannot be read is said."""
    breaker.open_for(timedelta(hours=1))
    assert timedelta(minutes=59) < breaker.open_until() - now() < timedelta(minutes=61)
    (tmp_path / "upbit" / "blocked-until").write_text(content)
    breaker.refuse_while_open()
    assert breaker.open_until() is None
    assert bool(caplog.records) == (content in {"", "2026-", "soon"})


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, b'{"error": {"message": "blocked for 37 seconds", "name": "x"}}', 37),
        ({}, b"blocked for 5s.", 5),
        ({}, b"try again in 2 minutes", 120),
        ({}, "요청이 차단되었습니다. 30초 후 다시 시도해주세요".encode(), 30),
        ({}, "10분 후".encode(), 600),
        ({"retry-after": "12"}, b"blocked for 99 seconds", 12),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"", 60),
        ({}, b"", 60),
        ({}, b"\xff\xfe 429 requests", 60),
        ({}, b"5 mangoes", 60),
    ],
)
def test_the_length_of_a_block_is_read_where_it_is_stated(headers, body, seconds):
    """In the header or in the sentence, in English or Korean; a minute where it is not."""
    assert block_stated_in(Reply(418, headers, body)) == timedelta(seconds=seconds)
