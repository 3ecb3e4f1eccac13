import json

import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.candles.files import Said
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe
from coinhts_core.settings import read_settings
from coinhts_core.strategies import load
from coinhts_pipeline.backtests import account_of, keep, kept, page_of, run_on_file, run_on_lake
from tests.core.backtests.candles import candles, walk


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """Give the settings of a home of its own."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    return read_settings()


def test_a_result_is_kept_and_found_by_the_first_letters_of_its_id(at_home):
    """Document and page, the same as were shown."""
    result = run(candles(walk(300)), load("sma_cross", fast=3, slow=8))
    document = keep(at_home, result)
    assert kept(at_home, result.id[:12]) == document == kept(at_home, result.id)
    assert page_of(at_home, result.id[:6]).read_text().startswith("<!DOCTYPE html>")
    assert keep(at_home, result) == document
    assert len(list((at_home.home / "results").iterdir())) == 2


@pytest.mark.parametrize("name", ["abc", "../../etc/passwd", "0" * 64, "ABCDEF", ""])
def test_what_is_no_id_is_refused(at_home, name):
    """Nothing outside the folder is ever looked at."""
    keep(at_home, run(candles(walk(30)), load("sma_cross", fast=3, slow=8)))
    with pytest.raises(RefusedError):
        kept(at_home, name)


def test_a_file_is_run_over_whole(tmp_path):
    """Its bars as they are, or joined to longer ones."""
    file = tmp_path / "KRW-BTC.csv"
    frame = candles(walk(600), minutes=5)
    frame.write_csv(file)
    strategy = load("sma_cross", fast=3, slow=8)
    found = run_on_file(file, Said(), strategy, Account(), mode="account", timeframe=None)
    assert found.id == run({"KRW-BTC": frame}, strategy).id
    longer = run_on_file(file, Said(), strategy, Account(), mode="account", timeframe=Timeframe.H1)
    assert (longer.timeframe, len(longer.symbols[0].bars)) == ("1h", 50)
    with pytest.raises(RefusedError, match="there is no file"):
        run_on_file(tmp_path / "no.csv", Said(), strategy, Account(), mode="account", timeframe=None)


def test_stored_days_are_run_over_with_what_lies_before_them(house):
    """The cash is whole when the range begins, and windows are full by then."""
    assert house.run("2026-02-01|KRW-BTC", "2026-02-06|KRW-BTC", only=["candles/minute"]).success
    bitcoin = [of for of in house.rooms.active if of.symbol == "KRW-BTC"]
    days = DayRange.parse("20260204-20260206", bitcoin[0].anchor, bitcoin[0].anchor.replace(month=3))
    strategy = load("sma_cross")
    found = run_on_lake(house.rooms.lake, bitcoin, days, strategy, Account(), mode="account")
    assert (found.timeframe, found.symbols[0].fills.bars.opened_at.size) == ("1h", 72)
    assert len(found.symbols[0].bars) == 144
    with pytest.raises(RefusedError, match=r"no candles/day of KRW-BTC is stored from .*coinhts backfill"):
        run_on_lake(house.rooms.lake, bitcoin, days, load("weinstein_stage"), Account(), mode="account")
    assert house.run("KRW-BTC", job="collect_day_candles").success
    of_days = run_on_lake(house.rooms.lake, bitcoin, days, load("weinstein_stage"), Account(), mode="account")
    assert (of_days.timeframe, of_days.symbols[0].fills.bars.opened_at.size) == ("1d", 3)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"cash": -1}, "--cash: input should be greater than 0"),
        ({"stop_loss": 2}, "--stop-loss: input should be less than 1"),
        ({"sizing": "fraction"}, "sizing fraction needs fraction"),
    ],
)
def test_an_impossible_account_is_answered_by_its_option(facts, sentence):
    """As the person wrote it."""
    with pytest.raises(RefusedError) as refusal:
        account_of(facts)
    assert sentence in str(refusal.value)


def test_a_kept_document_is_strict_json(at_home):
    """Programs of any language read it."""
    result = run(candles(walk(10)), load("sma_cross", fast=3, slow=8))
    keep(at_home, result)
    text = (at_home.home / "results" / f"{result.id}.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["id"] == result.id
