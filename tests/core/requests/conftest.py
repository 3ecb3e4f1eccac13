"""What tests of requests may ask for: a house that knows a coin, some days of it, and its strategies."""

from dataclasses import replace

import pytest

from coinhts_core.days import DayRange
from coinhts_core.requests.furnish import Known


@pytest.fixture
def known(booked_desk, tmp_path):
    """Give what is known of one coin with six days of candles."""
    booked_desk.collect(booked_desk.days[:6])
    days = DayRange(booked_desk.days[0], booked_desk.days[-1])
    symbols = {booked_desk.registered.symbol: booked_desk.registered}
    return Known(symbols, {}, tmp_path / "strategies", days, booked_desk.lake.heads)


@pytest.fixture
def with_lineup(known, booked_desk):
    """Give the same house, with sma_cross running as something else."""
    entry = replace(booked_desk.entry_of(fast=4, slow=9), name="quick")
    return replace(known, lineup={"quick": entry})
