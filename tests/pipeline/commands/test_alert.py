import json

import pytest

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.clock import now


@pytest.fixture
def own(open_house):
    """Give an installation of its own."""
    with open_house() as house:
        yield house


def test_a_test_goes_everywhere_at_once(own, answer):
    """However often it is asked for."""
    for _ in range(2):
        code, out, err = answer("alert", "test", "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["deliveries"] == {"file": {"state": "sent", "attempts": 1, "reason": None}}
    lines = (own.installation.settings.home / "logs" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["this is a test"] * 2


def test_a_place_that_does_not_take_it_is_named(own, answer, monkeypatch):
    """Exit code 3: it is not our fault; and the address is no secret less."""
    monkeypatch.setenv("COINHTS_SLACK__WEBHOOK_URL", "http://127.0.0.1:1/services/hush-hush")
    code, out, err = answer("alert", "test")
    assert code == 3
    assert "slack did not take the alert" in err
    assert "hush" not in out + err
    assert out.split()[:3] == ["place", "reason", "file"]
    assert own


def test_alerts_are_listed_with_what_became_of_them(own, answer):
    """The latest first, with how often each was raised again, for people and machines."""
    assert answer("alert", "list")[1] == "nothing was ever told\n"
    outbox = Outbox.open(own.rooms.ledger, own.installation.settings)
    for title in ("one", "two", "two"):
        outbox.raise_alert(Alert(title, "warning", f"[{title}]"), now())
    listed = json.loads(answer("alert", "list", "--json")[1])
    assert [(of["title"], of["repeats"]) for of in listed] == [("[two]", 1), ("[one]", 0)]
    assert listed[0]["deliveries"]["file"]["state"] == "waiting"
    assert len(json.loads(answer("alert", "list", "--most", "1", "--json")[1])) == 1
    words = answer("alert", "list")[1]
    assert "[two]" in words
    assert "file waiting" in words
    assert "KST" in words
    assert answer("alert", "list", "--most", "0")[0] == 1
