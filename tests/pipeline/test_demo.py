from datetime import timedelta

from coinhts_core.clock import now
from coinhts_core.days import last_complete_day
from coinhts_core.lineup import read_lineup
from coinhts_pipeline.backfill import Runner
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.demo import demo_plan, run_demo


def outcome_of(house):
    days, active, planned = demo_plan(house.installation)
    return run_demo(Runner(house.installation, defs()), days, active, planned, lambda _: None)


def test_the_demo_does_everything_once_and_then_nothing(open_house):
    """Lists, day bars, the month, the figures; again, all is current and the outcome is the same."""
    yesterday = last_complete_day(now())
    start = str(yesterday - timedelta(days=3))
    with open_house(symbols="KRW-BTC,KRW-ETH", start_date=start, runs_all=True) as house:
        first = outcome_of(house)
        assert (first.runs, first.partitions, first.days.last) == (4, 8, yesterday)
        everyone = {(name, symbol) for name in read_lineup() for symbol in ("KRW-BTC", "KRW-ETH")}
        assert {(row["strategy"], row["symbol"]) for row in first.figures} == everyone
        assert first.curves.keys() == {" ".join(of) for of in everyone}
        assert 8 * 1_300 < first.candles <= 8 * 1_440
        again = outcome_of(house)
        assert (again.runs, again.partitions) == (0, 0)
        assert (again.figures, again.curves, again.candles) == (first.figures, first.curves, first.candles)


def test_the_demo_is_about_thirty_days_from_the_start(house):
    """However long ago that is."""
    days, active, planned = demo_plan(house.installation)
    assert (str(days), len(active)) == ("2026-01-01..2026-01-30", 3)
    assert (planned.partitions, len(planned.blocks)) == (90, 1)
