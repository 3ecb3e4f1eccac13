import json

import pytest


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """Give a home of its own, without a ledger: these commands need none."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    return tmp_path


CHEATS = {
    "whole_mean": "np.where(bars.close < bars.close.mean(), 1, -1)",
    "shifted": "np.where(np.append(bars.close[1:], bars.close[-1:]) > bars.close, 1, -1)",
}


def cheat(folder, name, decisions):
    """Write a user's strategy that knows the morrow."""
    (folder / "strategies").mkdir(exist_ok=True)
    (folder / "strategies" / f"{name}.py").write_text(
        "from typing import ClassVar\nimport numpy as np\nfrom coinhts_core.strategies import Strategy\n\n\n"
        'class Cheat(Strategy):\n    """Knows."""\n\n    enabled: ClassVar[bool] = True\n'
        "    warmup: ClassVar[int] = 5\n\n"
        f"    def decide(self, bars):\n        return ({decisions}).astype(np.int8)\n"
    )


def test_a_strategy_is_made_checked_set_and_disabled(at_home, answer):
    """The walk of somebody who tries the group out, each step in words and as a document."""
    assert answer("strategy", "new", "rising")[0] == 0
    assert (at_home / "strategies" / "rising.py").is_file()
    code, out, _ = answer("strategy", "check", "rising", "sma_cross", "--json")
    assert (code, json.loads(out)) == (0, {"checked": ["rising", "sma_cross"], "breaches": []})
    assert answer("strategy", "set", "rising", "streak=5", "account.stop_loss=0.05")[0] == 0
    shown = json.loads(answer("strategy", "show", "rising", "--json")[1])
    assert [(knob["name"], knob["value"], knob["default"]) for knob in shown["parameters"][1:]] == [("streak", 5, 3)]
    assert shown["account"]["stop_loss"] == 0.05
    assert "rests now" in answer("strategy", "disable", "rising")[1]
    rows = {row["name"]: row["enabled"] for row in json.loads(answer("strategy", "list", "--json")[1])}
    assert (rows["rising"], rows["sma_cross"]) == (False, True)
    assert answer("strategy", "enable", "rising")[0] == 0
    assert answer("strategy", "set", "calm", "--of", "rising", "streak=9", "--symbol", "btc/krw")[0] == 0
    assert "calm" in answer("strategy", "list")[1]


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_caught(at_home, answer, name):
    """Exit 2, the law, and the first bar that changed."""
    cheat(at_home, name, CHEATS[name])
    code, _, err = answer("strategy", "check", name)
    assert code == 2
    assert f"{name} breaks the law 'nothing after the bar': the bar at " in err
    assert "KST" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["set", "sma_cross"], "nothing to set"),
        (["set", "sma_cross", "fast"], "'fast' is not like fast=20"),
        (["set", "sma_cross", "fast=0"], "does not take fast=0"),
        (["set", "sma_cross", "fast=20", "--symbol", "???"], "'???' is not a market"),
        (["enable", "sma_corss"], "did you mean sma_cross?"),
        (["check", "sma_corss"], "did you mean sma_cross?"),
        (["new", "sma_cross"], "there is a strategy sma_cross already"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(at_home, answer, arguments, sentence):
    """Exit 1, and nothing is written."""
    code, _, err = answer("strategy", *arguments)
    assert code == 1
    assert sentence in err
    assert not (at_home / "strategies.toml").exists()
