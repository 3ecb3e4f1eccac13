import polars as pl
import pytest

from coinhts_core.backtests import Account, sweep
from tests.core.backtests.candles import candles, walk

GRID = {"fast": range(1, 13), "slow": [20, 30]}


class Memory(dict):
    """A keeper that forgets nothing, and breaks down when it is full."""

    def __init__(self, room=99):
        self.room, self.found = room, 0

    def find(self, part):
        self.found += part in self
        return self.get(part)

    def keep(self, part, rows):
        if len(self) == self.room:
            raise MemoryError
        self[part] = rows


def test_a_sweep_that_was_stopped_goes_on():
    """What is kept is not led again, and the table is what it would have been."""
    frame, keeper = candles(walk(300)), Memory(room=2)
    with pytest.raises(MemoryError):
        sweep(frame, "sma_cross", GRID, keeper=keeper)
    kept, keeper.room = len(keeper), 99
    assert kept == 2
    assert sweep(frame, "sma_cross", GRID, keeper=keeper).equals(sweep(frame, "sma_cross", GRID))
    assert (keeper.found, len(keeper)) == (2, 3)


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda frame: frame[:-1], {}),
        (lambda frame: frame.with_columns(pl.col("volume") * 2), {}),
        (lambda frame: frame, {"account": Account(fee_rate=0.001)}),
        (lambda frame: frame, {"grid": {"fast": range(1, 13), "slow": [20, 31]}}),
        (lambda frame: frame, {"timeframe": "4h"}),
    ],
)
def test_another_question_finds_nothing(change, options):
    """Other candles, accounts, knobs or lengths of bars."""
    frame, keeper = candles(walk(300)), Memory()
    asked = {"grid": GRID, "account": Account(), "timeframe": None, **options}
    sweep(frame, "sma_cross", GRID, Account(), keeper=keeper)
    sweep(change(frame), "sma_cross", **asked, keeper=keeper)
    assert keeper.found == 0


def test_rows_keep_the_order_of_the_points():
    """Although those that share something are led together."""
    grid = {"rules": ["upbit", None], "fast": [3, 2], "stop_loss": [0.01, None], "slow": [9, 8]}
    turned = {name: grid[name] for name in reversed(grid)}
    frame = candles(walk(300))
    table, other = sweep(frame, "sma_cross", grid), sweep(frame, "sma_cross", turned)
    assert table.select(list(grid)).rows() == [
        (rules, fast, stop, slow)
        for rules in ("upbit", None)
        for fast in (3, 2)
        for stop in (0.01, None)
        for slow in (9, 8)
    ]
    assert table["final_equity_krw"].n_unique() > 8
    assert sorted(map(str, table.rows())) == sorted(map(str, other.select(table.columns).rows()))


def test_coins_of_one_part_are_kept_together():
    """And found again, as long as none of them has changed."""
    coins = {f"KRW-C{place}": candles(walk(100, place)) for place in range(9)}
    keeper, grid = Memory(), {"fast": [3], "slow": [8, 9]}
    table = sweep(coins, "sma_cross", grid, keeper=keeper)
    assert len(keeper) == 3
    assert sweep(coins, "sma_cross", grid, keeper=keeper).equals(table)
    assert keeper.found == 3
    sweep({**coins, "KRW-C8": candles(walk(100, 99))}, "sma_cross", grid, keeper=keeper)
    assert (keeper.found, len(keeper)) == (5, 4)
