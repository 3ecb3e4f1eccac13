import json
from datetime import UTC, datetime

import pytest

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.governance import change, governors
from coinhts_pipeline.front.api import DESCRIBED, document

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
PROGRAM = {"authorization": "Bearer tok"}


def test_the_description_is_of_what_there_is(locked_port):
    """Each path that is described answers whoever may ask; it is OpenAPI 3.1, and behind the login."""
    told = locked_port.read("/api/openapi.json", authorization="Bearer tok").document
    assert told == document()
    assert (told["openapi"], told["info"]["title"]) == ("3.1.0", "coinhts")
    assert told["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in DESCRIBED.items():
        for method in methods:
            heads = {"content_type": "application/json"} if method == "post" else {}
            answer = locked_port.ask(
                method.upper(), path.replace("{path}", ""), None, authorization="Bearer tok", **heads
            )
            assert answer.status == 200, path
            assert answer.headers["content-type"].startswith(next(iter(methods[method]["responses"]["200"]["content"])))


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/backtests/1/nothing", "/api/graphql"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_there_is_not_is_said_in_json(open_port, method, path):
    """Nothing below /api is the UI's page; a refusal has one form."""
    answer = open_port.ask(method, path, None, origin=open_port.origin, content_type="application/json")
    assert answer.status in {404, 405, 406}
    assert set(answer.document["error"]) == {"code", "message", "field"}


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/alerts", "/api/settings", "/metrics"])
def test_what_is_read_is_not_written(locked_port, path):
    """A known path says which methods it does not know."""
    answer = locked_port.ask("POST", path, b"{}", content_type="application/json", **PROGRAM)
    assert (answer.status, answer.document["error"]["code"]) == (405, "bad_method")


def test_alerts_are_told_as_the_command_tells_them(locked_port, ledger, settings):
    """The latest first, as many as asked for, letters as people wrote them."""
    outbox = Outbox.open(ledger, settings())
    for word in ("하나", "둘", "셋"):
        outbox.raise_alert(Alert(word, "error", word), NOON)
    assert locked_port.read("/api/alerts").status == 401
    answer = locked_port.read("/api/alerts?limit=2", **PROGRAM)
    assert [of["title"] for of in answer.document] == ["셋", "둘"]
    assert answer.document == json.loads(json.dumps([of.facts for of in outbox.latest(2)], default=str))
    assert answer.document[0]["deliveries"]["file"]["state"] == "waiting"
    assert len(locked_port.read("/api/alerts", **PROGRAM).document) == 3


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "", "ten", "%D9%A3", "9" * 40, "%00"])
def test_a_limit_beyond_its_bounds_is_refused_naming_them(locked_port, limit):
    """And which field it was."""
    answer = locked_port.read(f"/api/alerts?limit={limit}", **PROGRAM)
    assert (answer.status, answer.document["error"]["field"]) == (400, "limit")
    assert "a whole number from 1 to 1000" in answer.document["error"]["message"]


def test_settings_are_told_as_the_command_tells_them(locked_port, ledger):
    """A change is there at the next look, or soon after."""
    change(ledger, "stop_loss_pct", "6", "mina", NOON)
    told = locked_port.read("/api/settings", **PROGRAM).document
    assert told == [of.facts for of in governors(ledger)]
    assert next(of for of in told if of["name"] == "stop_loss_pct")["source"] == "ledger"


def test_a_setting_that_is_out_of_bounds_is_named(locked_port, ledger):
    """Bounds move, and hands reach into tables: the sentence says which."""
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO settings (name, value) VALUES ('stop_loss_pct', '99')")
    answer = locked_port.read("/api/settings", **PROGRAM)
    assert (answer.status, answer.document["error"]["code"]) == (409, "refused")
    assert "stop_loss_pct cannot be '99'" in answer.document["error"]["message"]


@pytest.mark.parametrize("path", ["/api/alerts", "/api/settings"])
def test_without_a_ledger_nothing_is_read_in_it(open_port, path):
    """It says so, and when to ask again."""
    answer = open_port.read(path)
    assert (answer.status, answer.document["error"]["code"], answer.headers["retry-after"]) == (503, "busy", "5")
