import subprocess
import sys
from datetime import date
from functools import partialmethod

import pytest

from coinhts_core.candles.frame import MINUTES
from coinhts_core.errors import BadMarketError, NotFollowedError, RefusedError, UnknownMarketError
from coinhts_core.lake.decoded import Decoded
from coinhts_core.markets import Market
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import PROJECT
from coinhts_pipeline.rooms import Rooms, open_rooms


def test_rooms_need_an_address(monkeypatch, tmp_path):
    """It is found by whoever opens the installation, never guessed."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="the ledger's address"), Rooms.open(read_settings()):
        pass


def test_rooms_close_the_exchange_they_opened(house):
    """And open none only to close it."""
    closed = []
    with Rooms.open(house.installation.settings) as rooms:
        pass
    assert "exchange" not in vars(rooms)
    with Rooms.open(house.installation.settings) as rooms:
        rooms.exchange.close = lambda: closed.append("closed")
    assert closed == ["closed"]


def test_rooms_keep_what_they_decoded_in_the_home(house, monkeypatch):
    """A file a coin's year; whoever reads it again maps it, and the house does not mind when it goes."""
    monkeypatch.setattr(Decoded, "__init__", partialmethod(Decoded.__init__, least=0))
    assert house.run("2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC").success
    asked = (MINUTES, Market("KRW-BTC"), date(2026, 1, 1), date(2026, 12, 31))
    with Rooms.open(house.installation.settings) as rooms:
        rows = rooms.lake.read(*asked)
        (kept,) = rooms.settings.cache_folder.iterdir()
        assert rooms.lake.read(*asked).equals(rows)
        kept.unlink()
        assert rooms.lake.read(*asked).equals(rows)


def test_rooms_know_the_universe(house):
    """Registered symbols in their order, and those that are followed."""
    assert [of.symbol for of in house.rooms.active] == list(house.rooms.symbols)
    assert house.rooms.exchange.name == "sample"
    assert "sma_cross" in house.rooms.lineup


def test_a_home_is_made_ready_without_dagster(postgres, tmp_path):
    """Schema, venue and universe are there for who only reads; loading Dagster would take longer than his work."""
    code = """
import sys
from coinhts_core.settings import read_settings
from coinhts_pipeline.rooms import open_rooms
with open_rooms(read_settings()) as rooms:
    print([str(of.symbol) for of in rooms.chosen("eth_krw,KRW-BTC")], "dagster" in sys.modules)
"""
    environ = {"COINHTS_HOME": str(tmp_path), "COINHTS_POSTGRES_URL": postgres.url("without_dagster")}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "['KRW-ETH', 'KRW-BTC'] False\n"


def test_a_half_restored_home_is_no_house_yet(monkeypatch, tmp_path):
    """Whatever began to work in it would be in the way of the other half."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    settings = read_settings()
    settings.restoring_note.touch()
    with pytest.raises(RefusedError, match="goes on where it stopped"), open_rooms(settings):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["restoring.json"]


def test_rooms_and_installation_agree_on_the_universe(house):
    """Whoever comes in by the smaller door sees the same house."""
    with open_rooms(read_settings()) as rooms:
        assert rooms.symbols == house.rooms.symbols


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("KRW-DOGG", UnknownMarketError),
        ("KRW-SOL", NotFollowedError),
        ("KRW-BTC,../../etc", BadMarketError),
        (",", BadMarketError),
    ],
)
def test_asked_symbols_are_followed_ones(house, asked, error):
    """Anything else is refused before a run begins; asking for nothing at all is no way to ask for everything."""
    with pytest.raises(error):
        house.rooms.chosen(asked)


def test_symbols_may_be_spelled_as_people_do_and_twice(house):
    """Each is taken once."""
    found = house.rooms.chosen("btc_krw,KRW-BTC, KRW-ETH")
    assert [registered.symbol for registered in found] == ["KRW-BTC", "KRW-ETH"]
