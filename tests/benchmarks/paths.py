"""What the bench, a command, a sweep and an asset make of candles, with the engine as it is, or broken.

    NUMBA_DISABLE_JIT=1 PYTHONPATH=tests/benchmarks python -m tests.benchmarks.paths FOLDER [broken]

What lives here: each path once, and the break. Nothing is compiled, so that every path meets the same functions. What
stays out: what must follow (`test_paths`).
"""

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np

from coinhts_core.backtests import engine

_PAIR = (4, 60)


def told_in_plain_numbers(loop, *, is_broken):
    """Lead an account as the engine does; broken, give back a little of what was paid."""

    def led(*asked):
        marks, ambiguous, fills = loop(*asked)
        marks = engine.Marks(*(np.asarray(value).item() for value in marks))
        return (
            marks._replace(cash=marks.cash * (1.0 + 1e-6 * is_broken)),
            int(ambiguous),
            fills * [1, 1, 1, 1, 1, 1 - 0.1 * is_broken],
        )

    return led


# before anybody imports it by name
engine.through = told_in_plain_numbers(engine.through, is_broken=sys.argv[2:] == ["broken"])

from in_ours import crossings  # noqa: E402 - only now

from coinhts_core.backtests import Account, sweep  # noqa: E402 - as above
from coinhts_core.strategies import find_strategy  # noqa: E402 - as above
from coinhts_pipeline.cli import cli  # noqa: E402 - as above
from tests.benchmarks.agreement import DisagreementError, same  # noqa: E402 - as above
from tests.core.conftest import Desk  # noqa: E402 - as above
from tests.peers import test_plain_engine as plain  # noqa: E402 - as above

_COSTS = {"cash": plain.CASH, "fee_rate": plain.FEE_RATE}


def by_the_bench():
    """Its contestant's own task, judged as against a peer, who is the engine in plain decimals."""
    part = {name: plain.CANDLES[name].to_physical().to_numpy() for name in plain.CANDLES.columns}
    calls, figures = crossings([part], [_PAIR], **_COSTS)
    led, equity = plain.led(plain.crossings(*_PAIR))
    places = [place for place, *_ in led.fills]
    closed = list(zip(places[::2], places[1::2], strict=False))
    expected = {
        "final": [float(equity[-1])],
        "trades": [len(closed)],
        "bars": [sum(3 * entered + left for entered, left in closed)],
    }
    try:
        same(ours=figures([call() for call in calls]), plain=expected)
    except DisagreementError as error:
        return str(error)
    return "they agree"


def by_a_sweep():
    """The first of two points."""
    fast, slow = _PAIR
    table = sweep(
        plain.CANDLES, find_strategy("sma_cross"), {"fast": [fast, 9], "slow": [slow]}, Account(rules=None, **_COSTS)
    )
    return table["total_return"][0]


def by_a_command(folder):
    """`coinhts backtest run` on a file."""
    candles = folder / "candles.parquet"
    plain.CANDLES.write_parquet(candles)
    said = StringIO()
    command = ["backtest", "run", "--candles", candles, "--symbol", "KRW-BTC", "--strategy", "sma_cross", "--json"]
    account = ["--cash", plain.CASH, "--fee-rate", plain.FEE_RATE, "--no-rules"]
    knobs = ["--set", f"fast={_PAIR[0]}", "--set", f"slow={_PAIR[1]}"]
    with redirect_stdout(said):
        cli.main([*map(str, [*command, *account, *knobs])], standalone_mode=False)
    return json.loads(said.getvalue())["symbols"][0]["metrics"]["total_return"]


def by_an_asset(folder):
    """The days that `backtests/sma_cross` stores."""
    desk = Desk(folder)
    desk.collect(desk.days)
    folded = desk.rehearsal().backtests(desk.days)
    return [rows.frame["equity_close_krw"][0] for rows in folded.values()]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    told = {
        "bench": by_the_bench(),
        "sweep": by_a_sweep(),
        "command": by_a_command(place),
        "asset": by_an_asset(place / "lake"),
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
