import pytest

from coinhts_core.errors import RefusedError
from coinhts_pipeline.commands.questions import account_facts, read_question, told_knobs

NOTHING = dict.fromkeys(("symbols", "timerange", "timeframe", "candles", "symbol", "timezone"))
ACCOUNT = {"no_rules": False, "cash": None, "stop_loss": None}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))


def test_a_question_is_what_its_options_say(tmp_path):
    """The strategy with its knobs and timeframe, the account, the file and whose bars it holds."""
    file = tmp_path / "bars.csv"
    options = {**NOTHING, "timeframe": "4h", "candles": file, "symbol": "btc/krw", "timezone": "kst"}
    of = read_question({"fast": 3}, name="sma_cross", **options, no_rules=True, cash=5e6, stop_loss=None)
    assert (of.strategy.fast, str(of.strategy.timeframe), str(of.timeframe)) == (3, "4h", "4h")
    assert (of.account.cash, of.account.rules, of.account.stop_loss) == (5e6, None, None)
    assert (of.file, str(of.said.symbol), of.said.zone.name) == (file, "KRW-BTC", "KST")


def test_without_a_file_stored_candles_are_meant():
    """And bars are as long as the strategy has them."""
    of = read_question({}, name="sma_cross", **NOTHING, **ACCOUNT)
    assert (of.file, of.timeframe, str(of.strategy.timeframe)) == (None, None, "1h")


@pytest.mark.parametrize("option", ["symbols", "timerange"])
def test_a_file_is_taken_whole(tmp_path, option):
    """What chooses among stored candles cannot be meant."""
    with pytest.raises(RefusedError, match="taken whole"):
        read_question({}, name="sma_cross", **{**NOTHING, "candles": tmp_path / "x.csv", option: "x"}, **ACCOUNT)


def test_knobs_are_told_in_two_ways():
    """The single one goes before the object."""
    assert told_knobs('{"fast": 5, "slow": 30}', ("fast=7",)) == {"fast": 7, "slow": 30}
    assert told_knobs(None, ()) == {}


@pytest.mark.parametrize("said", [("{", ()), ("[1]", ()), (None, ("fast",)), (None, ("fast=",))])
def test_what_tells_no_knob_is_refused(said):
    """In one sentence that shows how it is written."""
    with pytest.raises(RefusedError, match=r"fast|JSON"):
        told_knobs(*said)


def test_what_nobody_says_of_an_account_is_not_said():
    """Only then a set of the lineup keeps its own."""
    assert account_facts(no_rules=False, cash=None, stop_loss=0.1) == {"stop_loss": 0.1}
    assert account_facts(no_rules=True, cash=1.0) == {"cash": 1.0, "rules": None}
