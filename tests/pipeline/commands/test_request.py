import json
import threading
import time

import pytest

from coinhts_core.clock import now
from coinhts_core.requests.desk import Desk, Verdict
from tests.pipeline.asking import DAYS

SUBMIT = ("backtest", "submit", "--strategy", "sma_cross", "--symbols", "KRW-BTC")
SPAN = ("--timerange", f"{DAYS[1]}..{DAYS[-1]}")


@pytest.fixture
def desk(asked):
    """Give the desk of a house in which nobody has asked for anything."""
    return Desk(asked.rooms.ledger)


@pytest.fixture
def submitted(desk, answer):
    """Submit one request, and give it as it stands."""
    code, out, err = answer(*SUBMIT, *SPAN, "--set", "fast=2", "--set", "slow=5", "--json")
    assert (code, desk.counts()["queued"]) == (0, 1), err
    return json.loads(out)


def test_a_request_says_what_was_asked(submitted):
    """With all that was left open."""
    assert submitted["state"] == "queued"
    assert submitted["asked"]["params"] == {"fast": 2, "slow": 5}
    assert submitted["asked"]["start_date"] == str(DAYS[1])
    assert submitted["asked"]["account"]["cash"] == 1e7


def test_the_same_again_is_the_same_and_options_make_another(submitted, answer):
    """Whatever is asked in whatever order."""
    again = answer(*SUBMIT, *SPAN, "--params", '{"slow": 5, "fast": 2}', "--json")[1]
    assert json.loads(again)["id"] == submitted["id"]
    other = answer(*SUBMIT, *SPAN, "--set", "fast=2", "--set", "slow=5", "--cash", "5000000", "--no-rules", "--json")[1]
    assert json.loads(other)["asked"]["account"]["rules"] is None
    assert json.loads(other)["id"] != submitted["id"]


def test_a_sweep_is_asked_with_its_values(desk, answer):
    """Numbers as numbers."""
    code, out, _ = answer(*SUBMIT, *SPAN, "--kind", "sweep", "--grid", "fast=2,3", "--grid", "slow=5,6", "--json")
    assert code == 0
    assert json.loads(out)["asked"]["grid"] == {"fast": [2, 3], "slow": [5, 6]}
    assert desk.listed()[0].kind == "sweep"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--kind", "sweep"), "the request's grid is refused"),
        (("--grid", "fast"), "fast is not like"),
        (("--timeframe", "7m"), "the request's timeframe is refused"),
        (("--set", "fats=1"), "the request's params.fats is refused"),
        (("--stop-loss", "7"), "the request's account.stop_loss is refused"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(desk, answer, options, sentence):
    """And nothing is queued."""
    code, _, err = answer(*SUBMIT, *SPAN, *options)
    assert (code, sentence in err) == (1, True), err
    assert desk.listed() == []


def test_a_search_is_asked_for_in_the_words_of_its_command(submitted, answer):
    """Ranges of values, and how combinations are found."""
    del submitted
    grid = ["--grid", "fast=2:4", "--set", "slow=7"]
    _, swept, _ = answer(*SUBMIT, "--kind", "sweep", *grid, "--samples", "2", "--seed", "7", "--json")
    asked = json.loads(swept)["asked"]
    assert (asked["grid"], asked["samples"], asked["seed"]) == ({"fast": [2, 3, 4]}, 2, 7)
    options = ["--folds", "1", "--ratio", "2", "--anchored", "--by", "calmar"]
    _, walked, _ = answer(*SUBMIT, "--kind", "walkforward", *grid, *options, "--json")
    asked = json.loads(walked)["asked"]
    assert (asked["folds"], asked["ratio"], asked["anchored"], asked["by"]) == (1, 2.0, True, "calmar")


def test_status_cancel_and_retry_by_the_first_letters(submitted, answer, desk):
    """In words and in JSON; too late is an error."""
    name = submitted["id"][:8]
    assert json.loads(answer("backtest", "status", name, "--json")[1])["id"] == submitted["id"]
    assert "cancelled" in answer("backtest", "cancel", name)[1]
    code, _, err = answer("backtest", "cancel", name)
    assert (code, "is cancelled and cannot be cancelled any more" in err) == (1, True)
    assert json.loads(answer("backtest", "retry", name, "--json")[1])["state"] == "queued"
    assert desk.counts()["queued"] == 1
    assert answer("backtest", "status", "ffffff")[0] == 1


def test_lists_tell_the_latest(submitted, answer, desk):
    """How far each is; where nothing was asked, how to."""
    (claim,) = desk.claim(1, "w", now())
    desk.report(claim, 0.4, "reads KRW-BTC", now())
    out = answer("backtest", "status")[1]
    assert submitted["id"][:12] in out
    assert "40%" in out
    assert "1 running" in out
    assert json.loads(answer("backtest", "status", "--json", "--state", "running")[1])[0]["step"] == "reads KRW-BTC"
    assert "nothing was asked for" in answer("backtest", "status", "--state", "dead")[1]


@pytest.mark.parametrize(("verdict", "code"), [(Verdict("completed"), 0), (Verdict("failed", "no candles"), 2)])
def test_who_waits_learns_how_it_ended(submitted, answer, desk, verdict, code):
    """By the exit code, too."""

    def work():
        (claim,) = desk.claim(1, "w", now())
        for tenth in range(1, 5):
            desk.report(claim, tenth / 5, "computes", now())
            time.sleep(0.2)
        desk.settle(claim, verdict, now())

    worker = threading.Thread(target=work)
    worker.start()
    found, out, _ = answer(*SUBMIT, *SPAN, "--set", "fast=2", "--set", "slow=5", "--wait", "--json")
    worker.join()
    assert (found, json.loads(out)["state"]) == (code, verdict.end)
    assert json.loads(answer("backtest", "status", submitted["id"], "--wait", "--json")[1])["error"] == verdict.reason
