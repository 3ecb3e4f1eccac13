"""Columns as the UI shows them: what each holds, and which columns of other assets it is made of.

What lives here: Dagster's metadata out of what rooms declare of their columns. What to add: nothing per asset. What
stays out: the declarations (each room's schema).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import dagster as dg


class Declared(Protocol):
    """What a room says of a column: of a frame, or of a table of the ledger."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def nullable(self) -> bool: ...
    @property
    def meaning(self) -> str: ...
    @property
    def made_of(self) -> tuple[str, ...]: ...


def described(columns: Iterable[Declared], **upstream: Iterable[dg.AssetKey]) -> dict[str, Any]:
    """An asset's columns and where they come from; `upstream` names the assets that keep each schema it reads."""
    declared = list(columns)
    lineage = column_lineage(declared, upstream)
    return {
        "dagster/column_schema": column_schema(declared),
        **({"dagster/column_lineage": lineage} if lineage.deps_by_column else {}),
    }


def column_schema(columns: Iterable[Declared]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.kind,
                description=_told(column),
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )


def _told(column: Declared) -> str:
    """What it means, and what it is made of: in words, for this UI draws no lineage of columns."""
    sources: dict[str, list[str]] = {}
    for schema, _, name in (source.partition(".") for source in column.made_of):
        sources.setdefault(schema, []).append(name)
    made_of = ", ".join(f"{schema} ({', '.join(names)})" for schema, names in sources.items())
    return f"{column.meaning} ← {made_of}" if made_of else column.meaning


def column_lineage(columns: Iterable[Declared], upstream: Mapping[str, Iterable[dg.AssetKey]]) -> dg.TableColumnLineage:
    """`candles.close` becomes the column `close` of each asset that keeps candles."""
    made_of = {
        column.name: [
            dg.TableColumnDep(asset, name)
            for schema, _, name in (source.partition(".") for source in column.made_of)
            for asset in upstream[schema]
        ]
        for column in columns
        if column.made_of
    }
    return dg.TableColumnLineage({name: deps for name, deps in made_of.items() if deps})
