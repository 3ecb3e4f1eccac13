import os
import subprocess
import sys

import psycopg
import pytest

from coinhts_core.errors import HomeUnusableError, VenueMismatchError
from coinhts_core.ledger.venue import mark_venue
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import PROJECT, open_installation
from coinhts_pipeline.partitions import SYMBOLS

_OPENER = """
from coinhts_core.settings import read_settings
from coinhts_pipeline.installation import open_installation
with open_installation(read_settings()) as installation:
    print(len(installation.instance.get_dynamic_partitions("symbol")))
"""


def test_an_installation_has_its_schema_its_symbols_and_dagsters_storage(house):
    """Two databases on one server; the symbols are partitions in the order of registration."""
    assert house.instance.get_dynamic_partitions(SYMBOLS.name) == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    assert list(house.rooms.symbols) == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    with psycopg.connect(house.environ["COINHTS_POSTGRES_URL"]) as connection:
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"positions", "symbols", "coverage"} <= tables
    assert "event_logs" not in tables


def test_children_inherit_addresses_that_they_can_use(house):
    """What is set for Dagster is read back as settings, and opens the same installation again."""
    assert house.environ["COINHTS_DAGSTER_POSTGRES_URL"].startswith("postgresql+psycopg2://")
    assert os.environ["DAGSTER_HOME"] == f"{house.environ['COINHTS_HOME']}/dagster"
    with open_installation(read_settings()) as again:
        assert list(again.rooms.symbols) == list(house.rooms.symbols)
        assert again.instance.get_dynamic_partitions(SYMBOLS.name) == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]


def test_many_who_open_a_fresh_one_at_once_all_find_it_whole(postgres, tmp_path):
    """Databases, schema and Dagster's tables are laid out once, whoever comes first."""
    environ = {
        "PATH": os.environ["PATH"],
        "COINHTS_HOME": str(tmp_path / "home"),
        "COINHTS_POSTGRES_URL": postgres.url("opened_by_many"),
    }
    command = [sys.executable, "-c", _OPENER]
    openers = [
        subprocess.Popen(command, env=environ, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [opener.communicate(timeout=90) for opener in openers]
    assert [out for out, _ in told] == ["3\n"] * 3, told


def test_symbols_no_longer_named_stay_readable_and_turn_inactive(open_house, tmp_path):
    """Dagster keeps their partitions: deleting one would change the order of the others."""
    with open_house(tmp_path, symbols="KRW-BTC,KRW-ETH") as house:
        os.environ["COINHTS_SYMBOLS"] = "KRW-XRP,KRW-ETH"
        with open_installation(read_settings()) as again:
            active = {symbol: of.is_active for symbol, of in again.rooms.symbols.items()}
            assert active == {"KRW-BTC": False, "KRW-ETH": True, "KRW-XRP": True}
        assert house.instance.get_dynamic_partitions(SYMBOLS.name) == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]


@pytest.mark.parametrize("marked", ["ledger", "lake"])
def test_another_venues_data_are_never_mixed_in(open_house, tmp_path, marked):
    """The ledger and the lake each remember whose data they hold, and a fresh home is named."""
    with open_house(tmp_path) as house:
        settings = house.installation.settings
        if marked == "ledger":
            with house.rooms.ledger.transaction() as connection:
                connection.execute("DELETE FROM installation")
            mark_venue(house.rooms.ledger, "upbit", "elsewhere")
        else:
            (tmp_path / "lake" / "venue.json").unlink()
            house.rooms.lake.mark_venue("upbit", "elsewhere")
        with pytest.raises(VenueMismatchError, match=f"COINHTS_HOME.*{tmp_path}-sample"), open_installation(settings):
            pass


def test_an_unusable_home_is_refused_before_anything_begins(house, tmp_path):
    """A file is where a directory is needed."""
    (tmp_path / "file").touch()
    settings = read_settings().model_copy(update={"home": tmp_path / "file" / "home"})
    with pytest.raises(HomeUnusableError, match="Not a directory"), open_installation(settings):
        pass
    assert house.instance
