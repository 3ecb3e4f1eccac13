"""Rows about engines: ours and its peers over the same candles, and what a run, a sweep and a study cost by themselves.

What lives here: a function a row, which gives its figures, and `ROWS`. What to add: a row. What stays out: how a race
is run (`rounds`), what is computed (`in_…`), and rows about the house around the engine (`house`).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from coinhts_pipeline.speed import Figure
from tests.benchmarks.agreement import same_breakouts
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.rounds import Asked, Candles, Timed, in_turn
from tests.peers.workloads import BREAKOUT, CASH, CROSSING, CROSSINGS, FEE_RATE, LEVELS

COSTS = {"cash": CASH, "fee_rate": FEE_RATE}
_ONE = {"points": [CROSSING], **COSTS}
_ALL = {"points": CROSSINGS, **COSTS}
_MILLION, _MANY, _COINS = 1_000_000, 100_000, 100
_CORES = 2
_FAST_ENGINE = {"engine": "auto"}  # vectorbt's own choice, which for a single run is its compiled one

_HOLDING = {name: BREAKOUT[name] for name in ("hold_period_bars", "vol_window")}
_BREAKOUT = (BREAKOUT["window"], BREAKOUT["vol_multiplier"], LEVELS["stop_loss"], LEVELS["take_profit"])
_BREAKOUTS = list(product((10, 20, 30, 40, 60), (1.5, 2.0, 2.5, 3.0), (0.005, 0.01), (0.005, 0.01, 0.015, 0.02, 0.03)))


def w1(row: str) -> Iterator[Figure]:
    """One crossing over a million minutes."""
    timed = in_turn(
        {
            "ours": Asked("ours", "crossings", _ONE),
            "raptorbt": Asked("raptorbt", "crossings", _ONE),
            "vectorbt": Asked("vectorbt", "crossings", {**_ONE, **_FAST_ENGINE}),
        },
        Candles(_MILLION),
    )
    yield _against("raptorbt", timed, row, "a million bars", goal=15, ambition=30)
    yield _against("vectorbt", timed, row, "a million bars", goal=60, ambition=150)
    yield from _beside(timed, row, "a million bars", scale=1e9 / _MILLION, unit="ns a bar")


def w1_call(row: str) -> Iterator[Figure]:
    """What a call costs, over a thousand bars."""
    timed = in_turn({"ours": Asked("ours", "crossings", _ONE)}, Candles(100_000, parts=100))
    yield _spent(timed["ours"], row, "a run of 1,000 bars", scale=1e3, unit="ms", goal=1.0, ambition=0.2)


def loops(row: str) -> Iterator[Figure]:
    """The compiled loops of that run alone, called from Python."""
    for count, parts, scale, unit, goal, ambition in (
        (_MILLION, 1, 1e9 / _MILLION, "ns a bar", None, 1.4),
        (100_000, 100, 1e6, "µs", 5.0, 2.0),
    ):
        timed = in_turn({"ours": Asked("ours", "loops", _ONE)}, Candles(count, parts), agree=lambda **_: None)
        what = f"the loops of W1, {count // parts:,} bars"
        yield _spent(timed["ours"], row, what, scale=scale, unit=unit, goal=goal, ambition=ambition)


def w2(row: str) -> Iterator[Figure]:
    """A thousand pairs of averages over 100,000 minutes, on two cores."""
    timed = in_turn(
        {
            "ours": Asked("ours", "crossings", _ALL, _CORES),
            "raptorbt": Asked("raptorbt", "crossings", _ALL, _CORES),
            "vectorbt": Asked("vectorbt", "crossings", _ALL, _CORES),
        },
        Candles(_MANY),
    )
    yield _against("raptorbt", timed, row, "a sweep of 1,000 points", goal=60, ambition=200)
    yield _against("vectorbt", timed, row, "a sweep of 1,000 points", goal=600, ambition=2_000)
    yield from _beside(timed, row, "a sweep of 1,000 points", scale=1e3, unit="ms")


def w2_memory(row: str) -> Iterator[Figure]:
    """What a sweep holds above its candles, in a process that had compiled everything before."""
    with Contestant.begin("ours") as contestant:
        for count in (1_000, _MANY):
            with Candles(count).fresh(0) as folder:
                contestant.ask(do="prepare", task="crossings", folder=str(folder), parts=1, **_ALL)
            answer = contestant.ask(do="call", again=1)
    yield Figure(row, "memory above the candles", answer["above_inputs_mb"], "MB", 150, 64, more_is_better=False)


def threads(row: str) -> Iterator[Figure]:
    """The same sweep on one core and on two."""
    timed = in_turn(
        {
            "ours": Asked("ours", "crossings", {**_ALL, "workers": 2}, _CORES),
            "alone": Asked("ours", "crossings", {**_ALL, "workers": 1}),
        },
        Candles(_MANY),
    )
    yield _ratio(timed, "alone", row, "two threads against one", goal=1.7, ambition=1.9)


def w3(row: str) -> Iterator[Figure]:
    """One crossing on a hundred coins."""
    knobs = {"point": CROSSING, **COSTS}
    timed = in_turn(
        {
            "ours": Asked("ours", "coins", knobs, _CORES),
            "raptorbt": Asked("raptorbt", "coins", knobs, _CORES),
            "vectorbt": Asked("vectorbt", "coins", knobs, _CORES),
        },
        Candles(_MANY * _COINS, parts=_COINS),
    )
    yield _against("raptorbt", timed, row, "100 coins x 100,000 bars", goal=15, ambition=100)
    yield _against("vectorbt", timed, row, "100 coins x 100,000 bars", goal=100, ambition=700)


def w4(row: str) -> Iterator[Figure]:
    """A breakout with a stop, a target and a time, over a million minutes."""
    knobs = {"points": [_BREAKOUT], **_HOLDING, **COSTS}
    timed = in_turn(
        {"ours": Asked("ours", "breakouts", knobs), "vectorbt": Asked("vectorbt", "breakouts", knobs)},
        Candles(_MILLION),
        agree=same_breakouts,
    )
    yield _against("vectorbt", timed, row, "a million bars with stops", goal=50, ambition=150)
    yield from _beside(timed, row, "a million bars with stops", scale=1e9 / _MILLION, unit="ns a bar")


def w4s(row: str) -> Iterator[Figure]:
    """Two hundred such breakouts over 100,000 minutes."""
    knobs = {"points": _BREAKOUTS, **_HOLDING, **COSTS}
    timed = in_turn(
        {"ours": Asked("ours", "breakouts", knobs, _CORES), "vectorbt": Asked("vectorbt", "breakouts", knobs, _CORES)},
        Candles(_MANY),
        agree=same_breakouts,
    )
    yield _against("vectorbt", timed, row, "a sweep of 200 points with stops", goal=300, ambition=2_000)


def own_rule(row: str) -> Iterator[Figure]:
    """A rule that a user wrote and numba compiles: one run, and a sweep."""
    for knobs, candles, cores, what, goal, ambition in (
        (_ONE, Candles(_MILLION), 1, "a million bars", 10, 20),
        (_ALL, Candles(_MANY), _CORES, "a sweep of 1,000 points", 30, 60),
    ):
        asked = {
            "ours": Asked("ours", "crossings", {**knobs, "strategy": "own_crossing"}, cores),
            "raptorbt": Asked("raptorbt", "crossings", knobs, cores),
        }
        yield _against("raptorbt", in_turn(asked, candles), row, what, goal=goal, ambition=ambition)


def zone(row: str) -> Iterator[Figure]:
    """The zone breakout as coin_hts studies it."""
    for count, goal, ambition in ((100, 0.2, 0.05), (300, 0.4, 0.1), (1_000, 1.0, 0.3)):
        yield _studied(row, "volume_zone_breakout", count, scale=1e3, unit="ms", goal=goal, ambition=ambition)


def sla(row: str) -> Iterator[Figure]:
    """What coin_hts promises of a study, each of its strategies."""
    for count, goal in ((100, 0.1), (300, 0.5), (1_000, 1.0)):
        figures = [
            _studied(row, name, count, scale=1.0, unit="s", goal=goal)
            for name in ("volume_long_candle", "volume_zone_breakout")
        ]
        yield max(figures, key=lambda figure: figure.actual or 0.0)


def _studied(row: str, name: str, count: int, **wanted: Any) -> Figure:
    parts = 100
    asked = {"ours": Asked("ours", "study", {"strategy": name})}
    timed = in_turn(asked, Candles(count * parts, parts), agree=lambda **_: None)
    return _spent(timed["ours"], row, f"{name}, {count:,} candles", **wanted)


def _against(peer: str, timed: Mapping[str, Timed], row: str, what: str, *, goal: float, ambition: float) -> Figure:
    return _ratio(timed, peer, row, f"{what}, times as fast as {peer}", goal=goal, ambition=ambition)


def _ratio(timed: Mapping[str, Timed], other: str, row: str, what: str, *, goal: float, ambition: float) -> Figure:
    ours, theirs = timed["ours"], timed[other]
    ratio, clean = ours.times_as_fast_as(theirs), min(ours.clean, theirs.clean)
    return Figure(row, what, ratio, "x", goal, ambition, clean=clean, rounds=ours.rounds)


def _beside(timed: Mapping[str, Timed], row: str, what: str, **wanted: Any) -> Iterator[Figure]:
    """What each spent: a ratio also changes when a peer does, as the room does that it asks the system for."""
    for name, of in timed.items():
        yield _spent(of, row, f"{what}, {name}", **wanted)


def _spent(
    timed: Timed,
    row: str,
    what: str,
    *,
    scale: float,
    unit: str,
    goal: float | None = None,
    ambition: float | None = None,
) -> Figure:
    return Figure(
        row,
        what,
        timed.seconds * scale,
        unit,
        goal,
        ambition,
        more_is_better=False,
        clean=timed.clean,
        rounds=timed.rounds,
    )


Row = Callable[[str], Iterator[Figure]]
ROWS: Mapping[str, Row] = {
    "w1": w1,
    "w1-call": w1_call,
    "loops": loops,
    "w2": w2,
    "w2-memory": w2_memory,
    "threads": threads,
    "w3": w3,
    "w4": w4,
    "w4s": w4s,
    "own-rule": own_rule,
    "zone": zone,
    "sla": sla,
}
