import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.ledger.connection import Ledger
from coinhts_pipeline.front.metrics import Family, route_class, written

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
_NUMBER = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (?P<number>\S+)')
_LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


def read(text):
    """Read the text format strictly: a name has its help and type before its numbers, and no number is told twice."""
    kinds, helps, numbers = {}, {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            told = {"HELP": helps, "TYPE": kinds}[what]
            assert name not in told
            told[name] = rest
            continue
        found = _NUMBER.fullmatch(line)
        assert found, line
        assert kinds[found["name"]] in {"counter", "gauge"}
        assert helps[found["name"]].endswith(".")
        key = found["name"], tuple(_LABEL.findall(found["labels"] or ""))
        assert key not in numbers
        numbers[key] = float(found["number"])
    assert text.endswith("\n")
    return numbers


@given(st.text(), st.floats(allow_nan=False))
def test_whatever_a_label_holds_the_format_is_kept(value, number):
    """Quotes, line ends and backslashes are told apart from ours, and come back as they were."""
    family = Family("coinhts_things", "gauge", "Things.", [({"what": value}, number)])
    text = written([family])
    body = text.partition("gauge\n")[2]
    told = re.fullmatch(r'coinhts_things\{what="((?:[^"\\\n]|\\[\\"n])*)"\} (\S+)\n', body)
    names = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    assert re.sub(r'\\[\\"n]', lambda of: names[of[0]], told[1]) == value
    assert float(told[2]) == number


def test_it_tells_the_pool_the_cache_alerts_candles_and_requests(locked_port, ledger, settings):
    """Behind the login, in the format's own type."""
    outbox = Outbox.open(ledger, settings())
    outbox.raise_alert(Alert("a", "error", "a"), NOON, to=["file", "slack"])
    with ledger.transaction() as connection:
        connection.execute("UPDATE deliveries SET state = 'dead' WHERE sink = 'slack'")
        connection.execute("""
            INSERT INTO symbols (symbol, first_day, anchor, is_active) VALUES
                ('KRW-BTC', '2026-01-01', '2026-01-01', true), ('KRW-NEW', '2026-01-01', '2026-01-01', true)
        """)
        connection.execute("""
            INSERT INTO coverage (symbol, timeframe, day, answer, row_count, content_hash, asked_at)
            SELECT 'KRW-BTC', '1m', day, 'complete', 1, 'x', day
            FROM (VALUES (date '2026-01-01'), (date '2026-01-02')) AS days (day)
        """)
    assert locked_port.read("/metrics").status == 401
    assert locked_port.read("/api/settings", authorization="Bearer tok").status == 200
    answer = locked_port.read("/metrics", authorization="Bearer tok")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = read(answer.body.decode())
    assert told["coinhts_ledger_up", ()] == 1
    assert told["coinhts_http_requests_total", (("route", "metrics"), ("status", "401"))] == 1
    assert told["coinhts_http_requests_total", (("route", "api"), ("status", "200"))] == 1
    assert told["coinhts_ledger_pool_waiting", ()] == 0
    assert told["coinhts_ledger_pool_connections_most", ()] == 16
    assert told["coinhts_ledger_pool_requests_total", ()] > 0
    assert told["coinhts_settings_misses_total", ()] > 0
    assert 0 <= told["coinhts_settings_hit_ratio", ()] <= 1
    states = {labels[0][1]: number for (name, labels), number in told.items() if name == "coinhts_alert_deliveries"}
    assert states == {"waiting": 1, "sent": 0, "given_up": 1}
    ages = {labels[0][1]: number for (name, labels), number in told.items() if name == "coinhts_candles_age_seconds"}
    assert list(ages) == ["KRW-BTC"]
    since = (datetime.now(UTC) - datetime(2026, 1, 3, tzinfo=UTC)).total_seconds()
    assert ages["KRW-BTC"] == pytest.approx(since, abs=60)


def test_without_an_answer_of_the_ledger_it_tells_what_it_counted_itself(serve, ledger):
    """And that the ledger is away."""
    with Ledger.open(ledger.url, most_connections=1) as busy, busy.transaction():
        told = read(serve(busy).read("/metrics").body.decode())
    assert told["coinhts_ledger_up", ()] == 0
    assert not [name for name, _ in told if name == "coinhts_alert_deliveries"]


def test_without_a_ledger_requests_are_counted_still(open_port):
    """Websockets, too."""
    open_port.query()
    with open_port.socket() as talk:
        talk.recv()
    told = read(open_port.read("/metrics").body.decode())
    assert told == {
        ("coinhts_http_requests_total", (("route", "graphql"), ("status", "200"))): 1,
        ("coinhts_http_requests_total", (("route", "websocket"), ("status", "101"))): 1,
    }


@given(st.text(max_size=30))
def test_no_visitor_can_make_up_a_class_of_routes(path):
    """Else somebody could fill a memory with names."""
    known = {"health", "login", "logout", "reports", "metrics", "api", "graphql", "ui"}
    assert route_class("/" + path) in known


def test_classes_are_told_by_the_first_word():
    """What is not ours is the UI's."""
    paths = ["/", "/health", "/api/alerts", "/reports/x/y.html", "/graphql", "/runs/1", "/apian"]
    assert Counter(map(route_class, paths)) == Counter(["ui", "health", "api", "reports", "graphql", "ui", "ui"])
