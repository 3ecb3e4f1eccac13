import json

import pytest
from jsonschema import Draft202012Validator

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.document import document_of
from coinhts_core.results.described import DOCUMENT
from coinhts_core.results.frames import document_from, frames_of
from coinhts_core.strategies import load, strategy_names
from tests.core.backtests.candles import candles
from tests.core.backtests.test_document import ODD
from tests.core.results.conftest import ONE, SEVERAL, ran, swept

VALIDATOR = Draft202012Validator(DOCUMENT)


def faults(document):
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in VALIDATOR.iter_errors(document)]


def told(result, **options):
    return json.loads(json.dumps(document_of(result, **options), default=str, allow_nan=False))


def test_the_schema_is_one():
    """By its own meta-schema, and in JSON."""
    Draft202012Validator.check_schema(DOCUMENT)
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT


@pytest.mark.parametrize("mode", ["account", "study"])
@pytest.mark.parametrize("coins", [ONE, SEVERAL])
@pytest.mark.parametrize("is_full", [True, False])
def test_every_document_of_a_run_is_described(coins, mode, is_full):
    """One coin and several, either mode, with and without the equity."""
    account = Account(stop_loss=0.01, take_profit=0.01, max_hold_bars=9)
    assert faults(told(ran(coins, mode=mode, account=account), is_full=is_full)) == []


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("kind", ["none", "constant", "ties"])
def test_documents_of_every_strategy_over_odd_candles_are_described(name, kind):
    """Undefined figures are null, and no bar is no moment."""
    strategy = load(name)
    frame = ODD[kind](strategy.timeframe.minutes if strategy.looks_at else 60)
    for mode in ("account", "study"):
        assert faults(told(run(frame, strategy, mode=mode))) == []


def test_a_document_of_a_table_is_described():
    """A row a combination, and whatever else is told."""
    frames = {name: of.schema.judge(of.rows) for name, of in frames_of(swept(best={"fast": 3})).items()}
    assert faults(document_from("a" * 64, frames)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"},
        {"mode": "live"},
        {"symbols": []},
        {"warnings": [1]},
        {"account": {"cash": -1}},
        {"another": 1},
        {"params": None},
    ],
)
def test_what_is_no_document_is_noticed(change):
    """So that the description means something."""
    assert faults({**told(ran()), **change})


def test_a_moment_without_its_zone_is_noticed():
    """Nobody has to guess whether it is UTC."""
    document = told(run(candles([100.0] * 5), load("sma_cross", fast=1, slow=2)))
    document["symbols"][0]["first"] = "2026-01-01 00:00:00"
    assert faults(document)
