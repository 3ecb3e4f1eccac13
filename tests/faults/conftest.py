"""What tests of faults may ask for: the stand-in, houses that ask it at a quick pace, and the command line."""

from dataclasses import replace

import pytest

from coinhts_core.exchanges import upbit
from coinhts_core.exchanges.upbit.calls import Pace
from coinhts_core.exchanges.upbit.http import Bounds
from tests.faults.stand_in.process import StandIn
from tests.pipeline.conftest import _storage_template, answer, open_house

__all__ = ["_storage_template", "answer", "open_house"]

QUICK = Pace(per_second=100, delays_s=(0.01, 0.01, 0.01))
IMPATIENT = replace(QUICK, bounds=Bounds(reply_s=0.5))


@pytest.fixture
def stand_in(tmp_path):
    """Give a stand-in without faults, whose limits no test meets by accident."""
    with StandIn.start(tmp_path) as stand_in:
        yield stand_in


@pytest.fixture
def open_upbit(open_house, stand_in, monkeypatch):
    """Open houses that ask the stand-in, quicker than Upbit may be asked."""
    monkeypatch.setattr(upbit, "Pace", lambda: QUICK)

    def opened(**settings):
        return open_house(exchange="upbit", upbit__base_url=stand_in.url, **settings)

    return opened


@pytest.fixture
def impatience(monkeypatch):
    """Give what makes callers of Upbit from now on wait no longer than a stand-in at work needs."""
    return lambda: monkeypatch.setattr(upbit, "Pace", lambda: IMPATIENT)


@pytest.fixture
def aloud(request, capsys):
    """Say what a longer proof has measured, past whoever captures what tests print."""

    def said(sentence):
        if request.node.get_closest_marker("slow"):
            with capsys.disabled():
                print(f"\n{sentence}")  # noqa: T201 - what `make prove` is read for

    return said
