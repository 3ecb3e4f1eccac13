import json
from datetime import timedelta
from uuid import uuid4

import pytest

from coinhts_core.backtests.report import UNDEFINED
from coinhts_core.clock import now
from coinhts_core.ops.job_metrics import Measured, keep


@pytest.fixture
def own(house):
    """Give the module's installation with nothing measured."""
    with house.rooms.ledger.transaction() as connection:
        connection.execute("TRUNCATE job_metrics")
    return house


def ran(house, job, took_s, error_class=None, **facts):
    ended_at = now() - facts.get("ago", timedelta(minutes=1))
    step, rows = facts.get("step", ""), facts.get("rows")
    began_at = ended_at - timedelta(seconds=took_s)
    row = Measured(str(uuid4()), job, step, 1, began_at, ended_at, error_class, rows, 1, 1)
    keep(house.rooms.ledger, [row], lambda _: None)


def test_before_anything_ran_it_says_so(own, answer):
    """For people in a sentence, for machines an empty list."""
    assert answer("metrics")[1].startswith("no run has ended since ")
    assert json.loads(answer("metrics", "--json")[1])["jobs"] == []
    assert own


def test_jobs_are_a_table_with_their_course(own, answer):
    """One row a job: how often, how well, how long, how much; and how it went day by day."""
    for days, took_s in ((3, 2.0), (2, 4.0), (1, 8.0)):
        ran(own, "back_up", took_s, ago=timedelta(days=days), rows=100)
    ran(own, "refresh_markets", 0.25, "ExchangeUnavailableError")
    code, out, err = answer("metrics")
    assert (code, err) == (0, "")
    _, back_up, markets = (line.split() for line in out.splitlines())
    assert back_up[0] == "back_up"
    assert back_up[1] == "".join(sorted(back_up[1]))
    assert back_up[2:] == ["3", "100.0%", "4.0", "s", "7.6", "s", "7.9", "s", "21"]
    assert markets == ["refresh_markets", "1", "0.0%", "250", "ms", "250", "ms", "250", "ms", UNDEFINED]


def test_machines_are_told_the_same(own, answer):
    """One job, since a day, step by step."""
    ran(own, "back_up", 2.0, step="take")
    ran(own, "back_up", 3.0)
    ran(own, "back_up", 9.0, ago=timedelta(days=3))
    ran(own, "refresh_markets", 1.0)
    yesterday = str((now() - timedelta(days=1)).date())
    told = json.loads(answer("metrics", "--json", "--job", "back_up", "--since", yesterday)[1])
    assert told["since"].startswith(yesterday)
    (of,) = told["jobs"]
    assert (of["job"], of["step"], of["count"], of["success_rate"], of["p50_s"]) == ("back_up", "", 1, 1.0, 3.0)
    (of,) = json.loads(answer("metrics", "--json", "--job", "back_up", "--steps")[1])["jobs"]
    assert (of["step"], of["p50_s"]) == ("take", 2.0)
    assert "take" in answer("metrics", "--steps")[1]


def test_what_ended_is_measured_first(own, answer):
    """Nobody has to wait for a sensor."""
    own.run(job="publish_benchmarks")
    assert {of["job"] for of in json.loads(answer("metrics", "--json")[1])["jobs"]} >= {"publish_benchmarks"}


@pytest.mark.parametrize("since", ["soon", "2099-01-01", "2026-02-30"])
def test_a_day_that_is_none_is_refused(own, answer, since):
    """With a sentence, and nothing else."""
    code, out, err = answer("metrics", "--since", since)
    assert (code, out) == (1, "")
    assert since in err
    assert own
