"""What tests of Upbit may ask for: the stand-in, set up anew for each test, and clients that talk to it."""

from contextlib import ExitStack

import pytest

from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.calls import Calls, Pace
from coinhts_core.exchanges.upbit.http import Bounds
from tests.faults.stand_in.process import StandIn

QUICK = Pace(per_second=100, delays_s=(0.01, 0.01, 0.01), bounds=Bounds(reply_s=3.0))


@pytest.fixture(scope="session")
def _running(tmp_path_factory):
    with StandIn.start(tmp_path_factory.mktemp("stand-in")) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(_running):
    """Give a stand-in without faults, whose limits no test meets by accident."""
    _running.set_up(limits={"per_second": 1_000})
    return _running


@pytest.fixture
def calls_with(stand_in, tmp_path):
    """Make callers of the stand-in that share a folder, at a quick pace unless told otherwise."""
    with ExitStack() as stack:

        def make(pace=QUICK):
            calls = Calls(stand_in.url, tmp_path / "upbit", pace)
            stack.callback(calls.close)
            return calls

        yield make


@pytest.fixture
def upbit(stand_in, tmp_path):
    """Give the venue as the house holds it, at a quick pace."""
    exchange = UpbitExchange(stand_in.url, tmp_path / "upbit", QUICK)
    yield exchange
    exchange.close()
