import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.document import document_of
from coinhts_core.errors import RefusedError
from coinhts_core.results.facts import Table
from coinhts_core.results.frames import EQUITY, MOST_EQUITY_ROWS, document_from, frames_of, schema_of
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles
from tests.core.results.conftest import ONE, SEVERAL, ran, swept

ID = "a" * 64


def told(result):
    return json.loads(json.dumps(document_of(result), default=str, allow_nan=False))


def judged(result):
    """The frames as the lake takes them."""
    return {name: of.schema.judge(of.rows) for name, of in frames_of(result).items()}


@pytest.mark.parametrize("mode", ["account", "study"])
@pytest.mark.parametrize("coins", [ONE, SEVERAL])
def test_a_document_taken_apart_is_put_together_as_it_was(mode, coins):
    """Word by word and digit by digit, in its order, under the identity it is kept by."""
    result = ran(coins, mode=mode, account=Account(max_hold_bars=5))
    again = document_from(ID, judged(result))
    assert again == {**told(result), "id": ID}
    assert json.dumps(again) == json.dumps({**told(result), "id": ID})


@settings(max_examples=25)
@given(st.lists(st.sampled_from([1e-8, 0.5, 99.0, 100.0, 101.0, 5e8, 1e9]), max_size=40), st.sampled_from([0.0, 1e12]))
def test_whatever_a_run_says_survives_being_taken_apart(closes, volume):
    """No bars and jumps over seventeen orders of magnitude included."""
    result = run({"KRW-BTC": candles(closes, volume=volume)}, load("sma_cross", fast=1, slow=2), mode="study")
    assert document_from(ID, judged(result)) == {**told(result), "id": ID}


def test_the_equity_of_a_run_is_kept_bar_by_bar():
    """As the run tells it."""
    result = ran()
    assert judged(result)["equity"].equals(result.equity)


def test_of_very_many_bars_each_days_last_is_kept():
    """Nobody draws more points than a screen has, and the figures are kept as they are."""
    result = ran()
    many = pl.concat([result.equity] * (MOST_EQUITY_ROWS // result.equity.height + 1)).with_columns(
        opened_at=pl.lit(result.equity["opened_at"][0]) + pl.duration(minutes=pl.int_range(pl.len()))
    )
    kept = frames_of(Table("walkforward", pl.DataFrame({"window": [1]}), equity=many))["equity"].rows
    days = many.group_by(pl.col("opened_at").dt.date().alias("day")).agg(pl.all().last()).sort("day").drop("day")
    assert EQUITY.judge(kept).equals(EQUITY.judge(days))


def test_a_table_is_kept_with_whatever_columns_it_has():
    """Small integers, missing figures and words come back as what they were."""
    again = document_from(ID, judged(swept(best={"fast": 3})))
    assert (again["id"], again["kind"], again["best"]) == (ID, "sweep", {"fast": 3})
    assert again["rows"][1] == {"symbol": "KRW-BTC", "fast": 4, "sizing": "fixed", "total_return": None, "trades": 0}


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pl.Series([[1], [2]]), r"column odd of rows is List\(Int64\), which no result keeps"),
        (pl.Series([1.0, np.nan]), "column odd holds NaN"),
    ],
)
def test_a_column_that_cannot_be_kept_is_named(column, sentence):
    """Nothing is stored that would come back as something else."""
    with pytest.raises(RefusedError, match=sentence):
        judged(Table("sweep", pl.DataFrame({"odd": column})))


def test_rows_have_one_identity_by_either_schema():
    """What is kept by a schema with meanings is proved by the columns alone."""
    for name, of in frames_of(ran()).items():
        rows = of.schema.judge(of.rows)
        assert schema_of(name, rows).content_hash(rows) == of.schema.content_hash(rows)
