import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate
from secrets import token_urlsafe

import pytest

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.delivery import Round, deliver, escalate, send_past_the_ledger, wait_after
from coinhts_core.governance import change
from coinhts_core.masking import Mask, mask_logs
from tests.core.alerts.conftest import NOON

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def to_slack(office, slack):
    """Open an office whose alerts go to the file and to Slack's stand-in."""
    return office(slack__webhook_url=slack.url)


def raised(office, title, at=NOON, level="error"):
    return office.outbox.raise_alert(Alert(title, level, title), at)


def titles(slack):
    return [posted["attachments"][0]["title"].partition(": ")[2] for posted in slack.taken]


def test_waits_double_up_to_an_hour_and_then_it_is_given_up():
    """After more than two hours, so that a closed place can open again."""
    waits = [wait_after(attempts) for attempts in range(1, 15)]
    assert waits[:4] == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert waits[11:] == [2_048 * SECOND, 3_600 * SECOND, None]
    assert list(accumulate(waits[:-1]))[-1] > 2 * 60 * MINUTE


def test_an_alert_is_sent_to_each_place_once(to_slack, slack):
    """The gravest first; a second round has nothing to do."""
    for title, level in (("first", "info"), ("second", "critical"), ("third", "error")):
        raised(to_slack, title, level=level)
    assert deliver(to_slack.outbox, NOON) == Round(sent=6)
    assert deliver(to_slack.outbox, NOON + MINUTE) == Round()
    assert titles(slack) == [line["title"] for line in to_slack.file] == ["second", "third", "first"]
    assert set(to_slack.states("slack").values()) == {"sent"}


def test_a_place_that_is_closed_for_an_hour_loses_nothing(to_slack, slack):
    """Each alert arrives once, and the file had them at once."""
    slack.status, wanted = 503, []
    for tick in range(121):
        at = NOON + tick * timedelta(seconds=30)
        if tick % 6 == 0:
            wanted.append(f"alert of tick {tick}")
            raised(to_slack, wanted[-1], at)
        deliver(to_slack.outbox, at)
    assert [line["title"] for line in to_slack.file] == wanted
    assert slack.taken == []
    assert 20 < slack.asked <= 121
    slack.status = 200
    for tick in range(121, 400):
        deliver(to_slack.outbox, NOON + tick * timedelta(seconds=30))
    assert sorted(titles(slack)) == sorted(wanted)
    assert to_slack.states("slack") == dict.fromkeys(wanted, "sent")


def test_a_place_that_stays_closed_is_given_up_saying_why(to_slack, slack, caplog):
    """The alert is not lost: it is listed, and the file has it; the log says each time what is next."""
    slack.status = 404
    raised(to_slack, "lost")
    at = NOON
    while to_slack.states("slack")["lost"] == "waiting":
        deliver(to_slack.outbox, at)
        at += MINUTE
    assert timedelta(hours=2) < at - NOON < timedelta(hours=3)
    (delivery,) = [of.deliveries["slack"] for of in to_slack.outbox.latest()]
    assert (delivery.state, delivery.attempts) == ("dead", 14)
    assert "it answered 404" in delivery.reason
    assert [of.msg for of in caplog.records if of.name == "coinhts.alerts"] == ["sent again later"] * 13 + ["given up"]
    assert len(to_slack.file) == 1


def test_a_refused_alert_does_not_keep_the_others(to_slack, slack, monkeypatch):
    """Only a place that does not answer at all is left alone until the next round."""
    refused = []

    def answers(self):
        refused.append(len(refused))
        self.server.status = 400 if len(refused) == 1 else 200
        return post(self)

    post = slack.RequestHandlerClass.do_POST
    monkeypatch.setattr(slack.RequestHandlerClass, "do_POST", answers)
    for title in ("one", "two", "three"):
        raised(to_slack, title)
    assert deliver(to_slack.outbox, NOON) == Round(sent=5, failed=1)
    assert titles(slack) == ["two", "three"]
    assert deliver(to_slack.outbox, NOON + SECOND) == Round(sent=1)


def test_no_place_is_flooded(to_slack, slack, ledger):
    """So many a minute; the others wait, and the gravest do not wait for them."""
    change(ledger, "alerts_a_minute", "3", "mina", NOON)
    for number in range(7):
        raised(to_slack, f"alert {number}", level="warning")
    assert deliver(to_slack.outbox, NOON) == Round(sent=10)
    raised(to_slack, "grave", level="critical")
    assert deliver(to_slack.outbox, NOON + 30 * SECOND) == Round(sent=1)
    assert deliver(to_slack.outbox, NOON + 61 * SECOND) == Round(sent=3)
    assert titles(slack)[3] == "grave"
    deliver(to_slack.outbox, NOON + 122 * SECOND)
    deliver(to_slack.outbox, NOON + 183 * SECOND)
    assert len(titles(slack)) == 8


def test_two_who_deliver_send_nothing_twice(to_slack, slack, ledger):
    """A daemon and a command, say."""
    change(ledger, "alerts_a_minute", "60", "mina", NOON)
    for number in range(30):
        raised(to_slack, f"alert {number}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: deliver(to_slack.outbox, NOON), range(8)))
    deliver(to_slack.outbox, NOON)
    assert sorted(titles(slack)) == sorted(f"alert {number}" for number in range(30))
    assert len(to_slack.file) == 30


def test_one_who_died_while_sending_left_it_to_others(to_slack, slack, monkeypatch):
    """Its claim runs out, and then it is sent."""
    raised(to_slack, "left behind")
    sink = type(to_slack.outbox.sinks["slack"])
    with monkeypatch.context() as dying:
        dying.setattr(sink, "send", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver(to_slack.outbox, NOON)
    assert deliver(to_slack.outbox, NOON + 4 * MINUTE) == Round()
    assert deliver(to_slack.outbox, NOON + 5 * MINUTE) == Round(sent=1)
    assert titles(slack) == ["left behind"]


def test_errors_that_do_not_arrive_are_told_elsewhere(office, slack, mail, mailed):
    """By mail and in the file, when Slack took none for half an hour; once in six hours."""
    opened = office(slack__webhook_url=slack.url, **mailed)
    slack.status = 500
    raised(opened, "trouble")
    raised(opened, "chatter", level="info")
    deliver(opened.outbox, NOON)
    assert escalate(opened.outbox, NOON + 29 * MINUTE) == []
    (number,) = escalate(opened.outbox, NOON + 31 * MINUTE)
    assert escalate(opened.outbox, NOON + 60 * MINUTE) == []
    deliver(opened.outbox, NOON + 31 * MINUTE)
    assert [taken["Subject"] for taken in mail.taken][-1] == "[coinhts critical] 1 error does not reach slack"
    assert "it answered 500" in mail.taken[-1].get_content()
    assert opened.file[-1]["number"] == number
    slack.status = 200
    for minutes in range(32, 200):
        deliver(opened.outbox, NOON + minutes * MINUTE)
    assert titles(slack) == ["trouble", "chatter"]
    assert escalate(opened.outbox, NOON + timedelta(hours=7)) == []


@pytest.fixture
def _logs_as_before():
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("_logs_as_before")
def test_thirty_planted_secrets_leave_in_no_form(office, slack, mail, mailed, caplog):
    """Neither to Slack, nor by mail, nor into the file, the ledger or the log; also when sending fails."""
    planted = [token_urlsafe(20) for _ in range(30)]
    mask = Mask([*planted, slack.url, "xCANARYx", "mail-password"])
    opened = office(slack__webhook_url=slack.url, **mailed)
    outbox = replace(opened.outbox, mask=mask)
    mask_logs(mask)
    with caplog.at_level(logging.DEBUG):
        for number, secret in enumerate(planted):
            said = Alert(f"{number} {secret}", "error", f"no {secret}", f"{secret}\nGET /?key={secret}")
            outbox.raise_alert(said, NOON)
            slack.status = (200, 500, 404)[number % 3]
            deliver(outbox, NOON + number * MINUTE)
        slack.status = 200
        for minutes in range(40, 400, 40):
            deliver(outbox, NOON + minutes * MINUTE)
    assert len(slack.taken) == len(mail.taken) == len(opened.file) == 30
    lines = [f"{of.getMessage()} {getattr(of, 'facts', '')}" for of in caplog.records]
    sent = [str(slack.taken), *(taken.as_string() for taken in mail.taken), str(opened.file), caplog.text, *lines]
    kept = [str(of) for of in outbox.latest(100)]
    assert "it answered 404" in str(lines)
    for secret in [*planted, "CANARY", "mail-password"]:
        assert not any(secret in text for text in (*sent, *kept))


def test_without_a_ledger_an_alert_is_sent_once(to_slack, slack, caplog):
    """To whoever takes it, masked; the log says what became of it."""
    said = Alert("key", "critical", "no hush-hush\r\nhere")
    assert send_past_the_ledger(to_slack.outbox.sinks, Mask(["hush-hush"]), said, NOON) == Round(sent=2)
    slack.status = 500
    assert send_past_the_ledger(to_slack.outbox.sinks, Mask([]), said, NOON) == Round(sent=1, failed=1)
    assert titles(slack) == ["no *** here"]
    assert [of.msg for of in caplog.records] == ["the ledger is passed by", "the ledger is passed by", "nobody took it"]
