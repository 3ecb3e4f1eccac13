"""Points: the combinations of knobs that a sweep tries.

What lives here: every combination of a grid, or some of them by chance. What stays out: leading an account at each
(`sweeps`).

A name is one of the strategy's knobs or an option of the account. Combinations that the strategy refuses because its
knobs do not go together, such as a fast average that is slower than the slow one, are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.errors import BadParameterError, RefusedError
from coinhts_core.strategies import Strategy, name_of, refusal
from coinhts_core.wording import nearest, worded

_MOST = 2**53  # combinations

Grid = Mapping[str, Any]


class Point(NamedTuple):
    """One combination: its place among all, the values, and the strategy and account that they make."""

    place: int
    values: tuple[Any, ...]
    strategy: Strategy
    account: Account


def points_of(
    kind: type[Strategy], grid: Grid, account: Account, samples: int | None = None, seed: int = 0
) -> list[Point]:
    """In the order of the grid, its last name turning fastest; of all, or of as many as are asked for, by chance."""
    axes = {name: _values(kind, name, values) for name, values in grid.items()}
    options = [name for name in axes if name not in kind.model_fields]
    accounts = cache(lambda *values: _account(account, dict(zip(options, values, strict=True))))
    points: list[Point] = []
    refused: BadParameterError | None = None
    for values in _combinations(list(axes.values()), samples, seed):
        told = dict(zip(axes, values, strict=True))
        led = accounts(*(told.pop(name) for name in options))
        try:
            points.append(Point(len(points), values, kind(**told), led))
        except ValidationError as error:
            refused = refusal(kind, error)
            if error.errors(include_url=False)[0]["loc"]:
                raise refused from None
    if refused and not points:
        raise refused
    return points


def _account(account: Account, options: Mapping[str, Any]) -> Account:
    if not options:
        return account
    try:
        return Account(**{**account.model_dump(), **options})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RefusedError(reason=f"{', '.join(options)}: {worded(first['msg'])}") from None


def _values(kind: type[Strategy], name: str, values: Any) -> list[Any]:
    known = {**kind.model_fields, **Account.model_fields}
    if name not in known:
        reason = f"it takes {', '.join(sorted(kind.model_fields))}{nearest(name, known)}"
        raise BadParameterError(strategy=name_of(kind), parameter=name, value=values, reason=reason)
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    if not listed:
        raise RefusedError(reason=f"there is no value for {name}; name at least one")
    return listed


def _combinations(axes: Sequence[list[Any]], samples: int | None, seed: int) -> Iterator[tuple[Any, ...]]:
    lengths = [len(axis) for axis in axes]
    total = prod(lengths)
    if total > _MOST:
        raise RefusedError(reason=f"{total:.1e} combinations are more than can be told apart; name fewer values")
    if samples is None or samples >= total:
        return product(*axes)
    places = np.sort(np.random.default_rng(seed).choice(total, samples, replace=False))
    chosen = np.unravel_index(places, lengths)
    return zip(*([axis[at] for at in of.tolist()] for axis, of in zip(axes, chosen, strict=True)), strict=True)
