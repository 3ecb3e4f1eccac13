import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.alerts.alert import Letter
from coinhts_core.alerts.slack import SlackSink, escaped, message
from coinhts_core.errors import SinkRefusedError, SinkUnavailableError
from coinhts_core.masking import Mask
from tests.core.alerts.conftest import NOON

LETTER = Letter(3, "run rehearse_days", "error", "rehearse_days failed", "no <!channel> & no <https://x|y>", NOON)


def test_an_alert_arrives_as_slack_wants_it(slack):
    """Coloured by level, with what happened, and when."""
    SlackSink(slack.url, Mask([])).send(LETTER)
    (posted,) = slack.taken
    (attachment,) = posted["attachments"]
    assert attachment["color"] == "#d64545"
    assert attachment["title"] == "ERROR: rehearse_days failed"
    assert attachment["text"].splitlines() == [
        "no &lt;!channel&gt; &amp; no &lt;https://x|y&gt;",
        "2026-02-01 12:00:00 UTC (02-01 21:00 KST), alert 3",
    ]
    assert (posted["mrkdwn"], posted["link_names"], attachment["mrkdwn_in"]) == (False, 0, [])


@given(st.text())
def test_nothing_anybody_wrote_is_markup(text):
    """No tag, no mention; and unescaped it is what was written."""
    safe = escaped(text)
    assert not {"<", ">"} & set(safe)
    assert safe.count("&") == safe.count("&amp;") + safe.count("&lt;") + safe.count("&gt;")
    assert "@here" not in escaped(f"{text}@here")
    assert escaped(text.replace("@", "")).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == (
        text.replace("@", "")
    )
    json.dumps(message(Letter(1, "k", "info", text, text, NOON)))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, SinkUnavailableError),
        (500, SinkUnavailableError),
        (503, SinkUnavailableError),
        (404, SinkRefusedError),
        (403, SinkRefusedError),
        (302, SinkRefusedError),
    ],
)
def test_an_answer_says_whether_waiting_helps(slack, status, kind):
    """In words that do not hold the address."""
    slack.status = status
    with pytest.raises(kind, match=f"it answered {status}") as told:
        SlackSink(slack.url, Mask([slack.url])).send(LETTER)
    assert "CANARY" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/services/xCANARYx", SinkUnavailableError),
        ("http://xCANARYx.invalid/services", SinkUnavailableError),
        ("ftp://127.0.0.1/xCANARYx", SinkRefusedError),
        ("xCANARYx", SinkRefusedError),
    ],
)
def test_an_address_where_nobody_answers_is_not_told(url, kind):
    """It is as good as a password."""
    with pytest.raises(kind) as told:
        SlackSink(url, Mask([url, "xCANARYx"])).send(LETTER)
    assert "CANARY" not in str(told.value)
    assert told.value.__cause__ is None
