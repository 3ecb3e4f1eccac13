import pytest

from coinhts_core.errors import LedgerBusyError, UnknownMarketError
from coinhts_core.settings import read_settings
from coinhts_pipeline.requests import child
from coinhts_pipeline.requests.child import answered

ORDER = {"id": "0" * 64, "asked": {"strategy": "sma_cross"}, "memory_mb": 64}


@pytest.mark.parametrize(
    ("error", "end", "reason"),
    [
        (LedgerBusyError(seconds=2), "again", "the ledger is busy"),
        (UnknownMarketError(symbol="KRW-X", venue="sample", hint=""), "failed", "market KRW-X is not listed"),
        (MemoryError(), "failed", "it needs more memory than 64 MiB"),
        (SystemExit(7), "failed", "it wanted to end its process (7)"),
        (RecursionError("deep"), "failed", "it calls itself too deeply"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt"),
        (ValueError("a secret: hunter2hunter2, and\nmore " + "x" * 900), "failed", "ValueError: a secret: "),
    ],
)
def test_however_it_ends_there_are_words_for_it(tmp_path, monkeypatch, error, end, reason):
    """In one line, of some length, and without secrets; only what can be waited for is tried again."""

    def computed(*_):
        raise error

    monkeypatch.setattr(child, "_computed", computed)
    settings = read_settings({"COINHTS_HOME": str(tmp_path), "COINHTS_WEB__TOKEN": "hunter2hunter2"})
    told = answered(settings, ORDER, lambda *_: None)
    assert told["end"] == end
    assert told["reason"].startswith(reason)
    assert told["reason"].isprintable()
    assert "hunter2" not in told["reason"]
    assert len(told["reason"]) < 300


def test_without_a_ledger_it_says_so(tmp_path):
    """Whoever starts it names one."""
    told = answered(read_settings({"COINHTS_HOME": str(tmp_path)}), ORDER, lambda *_: None)
    assert (told["end"], "the ledger's address" in told["reason"]) == ("failed", True)
