import dagster as dg
import pytest

from coinhts_core.frames import Column, Schema
from coinhts_pipeline.columns import column_lineage, column_schema, described

A, B = dg.AssetKey(["rates", "a"]), dg.AssetKey(["rates", "b"])
MADE = Schema(
    "made",
    1,
    (
        Column("opened_at", "time", meaning="when", made_of=("rates.at",)),
        Column("worth", "float", nullable=True, meaning="how much", made_of=("rates.rate", "days.count", "rates.fee")),
        Column("told", "text", meaning="by whom"),
    ),
)


def test_a_column_says_what_it_holds_and_whether_it_may_be_empty():
    """What a room declares is what the UI shows."""
    shown = [(of.name, of.type, of.description, of.constraints.nullable) for of in column_schema(MADE.columns).columns]
    assert shown == [
        ("opened_at", "time", "when ← rates (at)", False),
        ("worth", "float", "how much ← rates (rate, fee), days (count)", True),
        ("told", "text", "by whom", False),
    ]


def test_a_column_is_made_of_those_of_every_asset_that_keeps_the_schema():
    """Two assets keep rates; days are kept by nobody here; what is made of nothing has no way back."""
    lineage = column_lineage(MADE.columns, {"rates": [A, B], "days": []}).deps_by_column
    assert {name: set(deps) for name, deps in lineage.items()} == {
        "opened_at": {dg.TableColumnDep(A, "at"), dg.TableColumnDep(B, "at")},
        "worth": {dg.TableColumnDep(asset, name) for name in ("rate", "fee") for asset in (A, B)},
    }


def test_an_unknown_schema_is_no_silent_gap():
    """Who forgets to say where a schema is kept learns it when definitions load."""
    with pytest.raises(KeyError, match="days"):
        described(MADE.columns, rates=[A])


def test_a_source_has_columns_and_no_way_back():
    """Rows handed on are made of their own columns, under another asset's name."""
    source = Schema("rates", 1, (Column("at", "time"), Column("rate", "float")))
    assert list(described(source.columns)) == ["dagster/column_schema"]
    handed = described(source.handed_on.columns, rates=[A])["dagster/column_lineage"].deps_by_column
    assert {name: list(deps) for name, deps in handed.items()} == {
        name: [dg.TableColumnDep(A, name)] for name in ("at", "rate")
    }
