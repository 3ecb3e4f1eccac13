import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from pydantic import SecretStr

from coinhts_core.backups.manifest import Drilled, LakeFacts, Manifest, Part, Verified, name_of
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.errors import LakeUnusableError
from coinhts_core.exchanges.upbit.limiter import Limiter
from coinhts_core.exchanges.upbit.meeting_place import meeting_place
from coinhts_core.ops.job_metrics import Measured, keep
from coinhts_pipeline.front.gauges import Aside, Gauges, databases, lake_size
from coinhts_pipeline.front.metrics import written
from tests.pipeline.front.test_metrics import read

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
_NOTHING = "0" * 64
_NAME = re.compile(r"(?:coinhts|up)(?:_[a-z_]+)?")
_SELECTOR = re.compile(r"(coinhts_[a-z_]+)(?:\{([^}]*)\})?")


@pytest.fixture
def own(ledger, settings):
    """Give a house's gauges, its settings, and the ledger's own address as Dagster's."""
    usual = settings()
    usual.home.mkdir(exist_ok=True)
    named = usual.model_copy(update={"dagster_postgres_url": SecretStr(ledger.url)})
    return Gauges(ledger, named), named, ledger


def told(gauges, moment=NOON, name="coinhts_lake_bytes"):
    """Read what is told once all that is asked beside has answered."""
    until = time.monotonic() + 20
    while True:
        numbers = read(written(gauges.families(moment)))
        if any(of == name for of, _ in numbers) or time.monotonic() > until:
            return numbers
        time.sleep(0.01)


def by(numbers, name, label):
    return {dict(labels)[label]: number for (of, labels), number in numbers.items() if of == f"coinhts_{name}"}


def ran(ledger, job, took_s, error_class=None, *, ended_at=NOON, row_count=None):
    began_at = ended_at - timedelta(seconds=took_s)
    row = Measured(str(uuid4()), job, "", 1, began_at, ended_at, error_class, row_count, 1, 1)
    keep(ledger, [row], lambda _: None)


def backed_up(settings, moment, *, verified_at=None, drilled_at=None):
    shelf, name = BackupShelf.open(settings), name_of(moment)
    part = Part(name="ledger.dump", size=1_000, sha256=_NOTHING)
    manifest = Manifest(
        name=name,
        taken_at=moment,
        coinhts="0.1.0",
        programs="18",
        venue="sample",
        schema_revision=None,
        databases={},
        parts=(part,),
        lake=LakeFacts(names=0, size=24, new_objects=0, new_bytes=0),
        parent=None,
        parent_digest=None,
    )
    shelf.store.create(f"{name}/manifest.json", manifest.to_text())
    if verified_at:
        facts = {"manifest_digest": manifest.digest, "objects": 1, "size": 1_024}
        shelf.note(Verified(name=name, verified_at=verified_at, **facts))
    if drilled_at:
        facts = {"manifest_digest": manifest.digest, "seconds": 1.0, "proved": ("rows",)}
        shelf.note(Drilled(name=name, drilled_at=drilled_at, **facts))


def test_what_waits_and_what_people_keep_is_counted(own):
    """Every state has its number, also when it is none."""
    gauges, _, ledger = own
    with ledger.transaction() as connection:
        connection.execute("""
            INSERT INTO requests (identity, kind, strategy, asked, created_at, changed_at, not_before)
            VALUES (repeat('a', 64), 'backtest', 'sma_cross', '{}', now(), now(), now())
        """)
        connection.execute("""
            INSERT INTO symbols (symbol, first_day, anchor, is_active) VALUES
                ('KRW-BTC', '2026-01-01', '2026-01-01', true), ('KRW-OLD', '2026-01-01', '2026-01-01', false)
        """)
        connection.execute(
            "INSERT INTO alerts (key, level, title, body, raised_at) VALUES "
            "('a', 'error', 'a', '', %(noon)s), ('b', 'error', 'b', '', %(before)s)",
            {"noon": NOON, "before": NOON - timedelta(days=2)},
        )
    numbers = told(gauges)
    states = {"queued": 1, "running": 0, "completed": 0, "failed": 0, "cancelled": 0, "dead": 0}
    assert by(numbers, "requests", "state") == states
    assert by(numbers, "symbols", "state") == {"active": 1, "inactive": 1}
    assert by(numbers, "alerts_raised", "level") == {"info": 0, "warning": 0, "error": 1, "critical": 0}
    assert by(numbers, "holdings", "state") == {"open": 0, "closed": 0, "cancelled": 0, "deleted": 0}


def test_jobs_are_told_of_the_last_day(own):
    """How they ended, how long they took, how many rows they made; and when they last did well, for longer."""
    gauges, _, ledger = own
    for took_s, error_class in ((1.0, None), (3.0, None), (2.0, "ProcessGone")):
        ran(ledger, "back_up", took_s, error_class, row_count=60)
    ran(ledger, "drill_backup", 5.0, ended_at=NOON - timedelta(days=2))
    numbers = told(gauges)
    assert by(numbers, "job_runs", "outcome") == {"succeeded": 2, "failed": 1}
    assert by(numbers, "job_success_ratio", "job") == {"back_up": pytest.approx(2 / 3)}
    assert by(numbers, "job_duration_seconds", "quantile") == pytest.approx({"0.5": 2.0, "0.95": 2.9, "0.99": 2.98})
    assert by(numbers, "job_rows_per_second", "job") == {"back_up": 30.0}
    assert by(numbers, "job_success_age_seconds", "job") == {"back_up": 0.0, "drill_backup": 172_800.0}


def test_backups_are_told_by_their_age_and_what_is_known_of_them(own):
    """An older one that was proved is told as older; a damaged one is nobody's newest."""
    gauges, settings, _ = own
    hours = {name: timedelta(hours=count) for name, count in (("damaged", 1), ("newest", 2), ("proved", 26))}
    backed_up(settings, NOON - hours["proved"], verified_at=NOON, drilled_at=NOON - timedelta(hours=3))
    backed_up(settings, NOON - hours["newest"])
    BackupShelf.open(settings).store.create(f"{name_of(NOON - hours['damaged'])}/manifest.json", b"{}")
    numbers = told(gauges, name="coinhts_backup_age_seconds")
    assert by(numbers, "backups", "verdict") == {"verified": 1, "unverified": 1, "damaged": 1}
    assert numbers["coinhts_backup_age_seconds", ()] == 2 * 3_600
    assert numbers["coinhts_backup_verified_age_seconds", ()] == 26 * 3_600
    assert numbers["coinhts_backup_drilled_age_seconds", ()] == 3 * 3_600
    assert numbers["coinhts_backup_bytes", ()] == 1_024


def test_sizes_are_those_of_the_disk_and_the_server(own):
    """What takes too long to be counted is not told."""
    gauges, settings, _ = own
    (settings.home / "lake" / "markets").mkdir(parents=True)
    (settings.home / "lake" / "markets" / "object").write_bytes(b"x" * 100)
    numbers = told(gauges)
    assert (numbers["coinhts_lake_bytes", ()], numbers["coinhts_lake_objects", ()]) == (100, 1)
    assert 0 < numbers["coinhts_disk_free_bytes", ()] < numbers["coinhts_disk_bytes", ()]
    assert numbers["coinhts_memory_available_bytes", ()] > 0
    assert by(numbers, "database_bytes", "database").keys() == {"dagster"}
    assert lake_size(settings, longest_s=-1.0) is None


def test_whose_database_is_whose_is_told_by_its_server(settings):
    """One of the same name elsewhere is another."""
    ours = "postgresql://u@host/coinhts?host=/run"
    same, other = "postgresql+psycopg2://u@host/coinhts_dagster?host=/run", "postgresql://u@elsewhere/coinhts_dagster"
    named = {url: settings().model_copy(update={"dagster_postgres_url": SecretStr(url)}) for url in (same, other)}
    assert databases(ours, named[same]) == {"coinhts": "ledger", "coinhts_dagster": "dagster"}
    assert databases(ours, named[other]) == databases(ours, settings()) == {"coinhts": "ledger"}


def test_calls_are_those_of_all_processes(own):
    """They are read where calls are counted, unless others may enter there; another exchange counts none."""
    gauges, settings, ledger = own
    address = f"http://127.0.0.1:1/{uuid4()}"
    upbit = settings.upbit.model_copy(update={"base_url": address})
    asks = Gauges(ledger, settings.model_copy(update={"exchange": "upbit", "upbit": upbit}))
    folder = meeting_place(address)
    try:
        with Limiter(folder, "candle", 1).turn():
            numbers = told(asks)
        folder.chmod(0o755)
        assert by(told(asks), "exchange_calls_total", "group") == {}
    finally:
        (folder / "candle-0").unlink()
        folder.rmdir()
    assert by(numbers, "exchange_calls_total", "group") == {"candle": 1}
    assert 0 <= by(numbers, "exchange_wait_seconds_total", "group")["candle"] < 1
    assert by(told(gauges), "exchange_calls_total", "group") == {}


def test_nobody_waits_for_what_takes_long():
    """One look at a time, however many ask; who reads has the last one's, or nothing."""
    gate, looks = threading.Event(), []

    def slow():
        looks.append(1)
        gate.wait(10)
        return len(looks)

    aside = Aside(slow, stays_s=0.0)
    assert [aside.latest() for _ in range(3)] == [None] * 3
    gate.set()
    _until(lambda: aside.latest() is not None)
    assert aside.latest() in {1, 2, 3}


def test_what_cannot_be_had_is_none_and_asked_for_again():
    """Also when it was there before."""
    answers = iter([1, LakeUnusableError(place="s3://x", reason="gone"), 3])

    def asked():
        answer = next(answers, 3)
        if isinstance(answer, Exception):
            raise answer
        return answer

    aside, seen = Aside(asked, stays_s=0.05), []
    _until(lambda: seen.append(aside.latest()) or seen[-1] == 3)
    turns = [of for place, of in enumerate(seen) if place == 0 or of != seen[place - 1]]
    assert turns[-3:] == [1, None, 3]


def test_everything_drawn_or_judged_is_told(own, serve):
    """Each name in the dashboard and the rules is one of /metrics, with labels it has; and each row has its panels."""
    gauges, settings, ledger = own
    ran(ledger, "rehearse_days", 5.0, ended_at=NOON, row_count=1)
    backed_up(settings, NOON, verified_at=NOON, drilled_at=NOON)
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO symbols VALUES ('KRW-BTC', '2026-01-01', '2026-01-01', true)")
        connection.execute("""
            INSERT INTO coverage (symbol, timeframe, day, answer, row_count, content_hash, asked_at)
            VALUES ('KRW-BTC', '1m', '2026-01-01', 'complete', 1, 'x', now())
        """)
    port = serve(ledger)
    port.read("/health")
    text = port.read("/metrics").body.decode()
    known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    seen = {**read(text), **told(gauges, name="coinhts_backup_age_seconds")}
    labels = {name: {label for label, _ in of} for name, of in seen}
    dashboard = json.loads((ROOT / "docker/grafana/dashboard.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((ROOT / "docker/prometheus/rules.yml").read_text(encoding="utf-8"))
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    judged = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(drawn) > 30
    assert len(judged) > 15
    for expression in [*drawn, *judged]:
        assert _NAME.search(expression), expression
        for name, selector in _SELECTOR.findall(expression):
            assert name in known, expression
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            assert named <= labels.get(name, named), expression
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == ["System", "Performance", "Trading", "Cost"]


def test_every_rule_says_what_to_do():
    """How grave, what was seen, and what a person does about it."""
    rules = yaml.safe_load((ROOT / "docker/prometheus/rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
            assert rule["annotations"].keys() == {"summary", "do"}, rule["alert"]
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names)


def test_what_was_seen_stays_for_some_seconds(serve, ledger):
    """Who asks again at once is told the same, and the ledger is not asked."""
    port = serve(ledger)
    first = read(port.read("/metrics").body.decode())
    with ledger.transaction() as connection:
        connection.execute("INSERT INTO symbols VALUES ('KRW-BTC', '2026-01-01', '2026-01-01', true)")
    again = read(port.read("/metrics").body.decode())
    assert by(first, "symbols", "state") == by(again, "symbols", "state") == {"active": 0, "inactive": 0}


def _until(is_so):
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)
