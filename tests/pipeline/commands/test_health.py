import json

import pytest

from coinhts_core.ops.health import Overall


@pytest.fixture
def ask(house, answer):
    """Run `coinhts health` in the house."""
    assert house
    return lambda *arguments: answer("health", *arguments)


def test_what_is_healthy_ends_with_0(ask):
    """A table for people, with how the house does below it."""
    code, out, err = ask("--only", "ledger", "--only", "disk")
    assert (code, err) == (0, "")
    assert all(word in out for word in ("component", "ledger", "it answers, at migration", "disk", "GiB free below"))
    assert "the house is healthy, 2" in out
    assert "KST" in out
    assert "lake" not in out


def test_what_is_not_healthy_ends_with_2_and_names_the_worst(ask):
    """A fresh house that is not up: its document is whole all the same."""
    code, out, err = ask("--json")
    told = json.loads(out)
    assert (code, told["status"], len(told["components"])) == (2, Overall.DEGRADED, 11)
    assert err.startswith("error: scheduler failed: `coinhts up` was never started here, so no schedule runs; start it")


def test_a_house_without_its_ledger_ends_with_3(ask, monkeypatch):
    """Whatever else is well; what to do is said."""
    monkeypatch.setenv("COINHTS_POSTGRES_URL", "postgresql://me:canary@127.0.0.1:1/x")
    code, out, err = ask("--only", "ledger", "--only", "orders")
    assert code == 3
    assert err.startswith("error: ledger is unhealthy: no PostgreSQL answers at 127.0.0.1:1/x ")
    assert "start it, or mend COINHTS_POSTGRES_URL" in err
    assert "the house is unhealthy" in out
    assert "canary" not in out + err


def test_a_component_nobody_knows_is_refused_with_the_nearest(ask):
    """Before anything is looked at."""
    code, out, err = ask("--only", "leger")
    assert (code, out) == (1, "")
    assert err.endswith("orders, backups, disk, clock; did you mean ledger?\n")
