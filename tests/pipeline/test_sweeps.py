import json

import polars as pl
import pytest

from coinhts_core.backtests.account import Account
from coinhts_core.candles.files import Said
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Market
from coinhts_core.strategies import load
from coinhts_pipeline.sweeps import Asked, Parts, document_of, read_axis, sweep_file
from tests.core.backtests.candles import candles, walk


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=4:10:2", [4, 6, 8, 10]),
        ("fast=4:9:2", [4, 6, 8]),
        ("fast=3:5", [3, 4, 5]),
        ("fast=9:3:-3", [9, 6, 3]),
        ("fast=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("fast=5,10,20", [5, 10, 20]),
        ("fast=0.01,none", [0.01, None]),
        ("fast=1h,4h", ["1h", "4h"]),
    ],
)
def test_values_are_read_as_people_write_them(text, values):
    """Both ends of a range are included, steps of decimals do not drift, and none is none."""
    assert read_axis(text) == ("fast", values)


@pytest.mark.parametrize(
    "text", ["fast", "fast=", "fast=4:x", "fast=4:9:0", "fast=9:4:1", "fast=0:9:0.00001", "fast=1:2:3:4"]
)
def test_what_is_no_range_is_refused(text):
    """In one sentence that shows how to write it."""
    with pytest.raises(RefusedError, match=r"^refused: fast.* (is not like fast=4|makes .* can be tried)"):
        read_axis(text)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "KRW-BTC.csv"
    candles(walk(300) * 100_000).write_csv(path)
    return path


def asked(**axes):
    return Asked(load("sma_cross", slow=20), Account(), axes)


def test_parts_wait_until_the_sweep_is_whole(file, tmp_path):
    """A part that is there is not led again, a damaged one is; at the end nothing is left."""
    said, parts = Said(Market("KRW-BTC"), None, None), Parts(tmp_path / "parts")
    rows = sweep_file(file, said, asked(fast=[2, 3, 5]), parts, None)
    (kept,) = (tmp_path / "parts").glob("*.parquet")
    marked = pl.read_parquet(kept).with_columns(trades=pl.lit(77))
    marked.write_parquet(kept)
    assert (
        sweep_file(file, said, asked(fast=[2, 3, 5]), Parts(tmp_path / "parts"), None)["trades"].to_list() == [77] * 3
    )
    kept.write_bytes(b"torn")
    again = Parts(tmp_path / "parts")
    assert sweep_file(file, said, asked(fast=[2, 3, 5]), again, None).equals(rows)
    assert again.identity == parts.identity
    again.forget()
    assert not list((tmp_path / "parts").iterdir())


def test_a_document_says_what_was_tried(file, tmp_path):
    """Strict JSON: the values, what else was told, and a row a combination and coin."""
    what, parts = asked(fast=[2, 3]), Parts(tmp_path)
    rows = sweep_file(file, Said(Market("KRW-BTC"), None, None), what, parts, None)
    told = json.loads(json.dumps(document_of(rows, what, parts), allow_nan=False, default=str))
    assert (told["kind"], told["strategy"], told["symbols"]) == ("sweep", "sma_cross", ["KRW-BTC"])
    assert (told["grid"], told["params"]["slow"], told["combinations"]) == ({"fast": [2, 3]}, 20, 2)
    assert "fast" not in told["params"]
    assert [(row["symbol"], row["fast"], row["slow"]) for row in told["rows"]] == [
        ("KRW-BTC", 2, 20),
        ("KRW-BTC", 3, 20),
    ]
    assert what.combinations == 2
