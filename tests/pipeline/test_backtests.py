import json
from datetime import timedelta

import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.overfitting import badge_of
from coinhts_core.candles.files import Said
from coinhts_core.clock import now
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError, UnknownResultError
from coinhts_core.markets import Timeframe
from coinhts_core.results.kept import Wanted
from coinhts_core.results.retention import judged
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import read_settings
from coinhts_core.strategies import load
from coinhts_pipeline.backtests import (
    account_of,
    keep,
    keep_document,
    kept,
    listed,
    opened_shelf,
    page_of,
    remove,
    run_on_file,
    run_on_lake,
    shelve,
)
from tests.core.backtests.candles import candles, walk


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """Give the settings of a home of its own."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    return read_settings()


def test_a_result_of_a_file_is_kept_and_found_by_the_first_letters_of_its_id(at_home):
    """Document and page, the same as were shown, and no ledger is begun for it."""
    result = run(candles(walk(300)), load("sma_cross", fast=3, slow=8))
    document = keep(at_home, result)
    assert kept(at_home, result.id[:12]).document == document == kept(at_home, result.id).document
    assert page_of(at_home, result.id[:6]).read_text().startswith("<!DOCTYPE html>")
    assert keep(at_home, result) == document
    assert len(list((at_home.home / "results").iterdir())) == 2
    assert list(at_home.home.iterdir()) == [at_home.home / "results"]


@pytest.mark.parametrize("name", ["abc", "../../etc/passwd", "0" * 64, "ABCDEF", ""])
def test_what_is_no_id_is_refused(at_home, name):
    """Nothing outside the folder is ever looked at."""
    keep(at_home, run(candles(walk(30)), load("sma_cross", fast=3, slow=8)))
    for lookup in (kept, page_of):
        with pytest.raises(RefusedError):
            lookup(at_home, name)


def test_several_results_that_begin_alike_ask_for_more_letters(at_home):
    """None is guessed."""
    keep(at_home, run(candles(walk(30)), load("sma_cross", fast=3, slow=8)))
    for last in "01":
        for ending in ("json", "html"):
            (at_home.home / "results" / f"{'c' * 63}{last}.{ending}").write_text("{}")
    for lookup, sentence in ((kept, "several results begin with cccccc"), (page_of, "several pages begin with cccccc")):
        with pytest.raises(RefusedError, match=sentence):
            lookup(at_home, "cccccc")


def test_a_page_is_found_that_a_request_drew(at_home):
    """Where the front shows it; one that is in both places is one."""
    place = at_home.reports_folder / "requests" / f"{'d' * 64}.html"
    place.parent.mkdir(parents=True)
    place.write_text("drawn")
    assert page_of(at_home, "dddddd") == place
    result = run(candles(walk(30)), load("sma_cross", fast=3, slow=8))
    keep(at_home, result)
    (place.parent / f"{result.id}.html").write_text("drawn")
    assert page_of(at_home, result.id[:6]).parent == at_home.home / "results"


def test_what_goes_from_the_shelf_takes_its_page_along(house):
    """Nobody is shown a page of what is kept no more; the newer answer keeps its own."""
    settings, shelf = house.installation.settings, Shelf(house.rooms.ledger, house.rooms.lake)
    asked = {"start_date": "2026-01-01", "end_date": "2026-01-05"}
    strategy = load("sma_cross", fast=2, slow=4)
    old, newest = (run({"KRW-BTC": candles(walk(99, seed=seed))}, strategy) for seed in (1, 2))
    for result in (old, newest):
        shelve(shelf, settings, result.id, result, asked)
    verdicts = judged(shelf.answers(), now() + timedelta(days=1), timedelta())
    assert remove(settings, shelf, verdicts) == [old.id]
    with pytest.raises(RefusedError, match="no page begins"):
        page_of(settings, old.id)
    assert page_of(settings, newest.id).is_file()


def test_a_home_without_a_ledger_has_no_shelf(at_home):
    """None is begun only to look into it."""
    with opened_shelf(at_home) as shelf:
        assert shelf is None
    assert listed(at_home, Wanted()) == []
    with pytest.raises(UnknownResultError):
        kept(at_home, "abcdef")
    assert not (at_home.home / "postgres").exists()


def test_a_result_of_stored_candles_is_kept_on_the_shelf(house):
    """Found by any process that knows the home, its page beside it; a file's result is looked up the same way."""
    settings, rooms = house.installation.settings, house.rooms
    result = run({"KRW-BTC": candles(walk(300))}, load("sma_cross", fast=3, slow=8))
    asked = {"start_date": "2026-01-01", "end_date": "2026-01-13"}
    document = shelve(Shelf(rooms.ledger, rooms.lake), settings, result.id, result, asked)
    found = kept(settings, result.id[:8])
    assert found.document == document
    assert found.equity == result.equity["equity"].to_list()
    assert result.id in [of.id for of in listed(settings, Wanted())]
    assert page_of(settings, result.id[:8]).read_text().startswith("<!DOCTYPE html>")
    assert not list((settings.home / "results").glob(f"{result.id}.json"))
    other = run(candles(walk(300)), load("sma_cross", fast=3, slow=9))
    assert kept(settings, keep(settings, other)["id"]).document["id"] == other.id


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


@pytest.mark.parametrize("mode", ["account", "study"])
def test_a_result_of_a_file_is_judged_by_its_own_days(at_home, mode):
    """By the account, of a study, too; nobody counted what was tried, and the badge says so."""
    result = run(candles(walk(300)), load("sma_cross", fast=3, slow=8), mode=mode)
    keep(at_home, result)
    found = kept(at_home, result.id)
    assert found.days == len(result.outcome.daily) - 1 == 13
    assert found.badge == badge_of(result.figures.values, 13)
    assert "not known" in found.badge.sentence


def test_a_table_has_no_badge_of_its_own(at_home):
    """It is many results."""
    keep_document(at_home, {"id": "d" * 64, "kind": "sweep", "rows": []})
    assert kept(at_home, "d" * 64).badge is None
