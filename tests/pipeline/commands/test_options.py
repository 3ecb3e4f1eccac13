import json
from datetime import date, timedelta

import click
import pytest

from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.errors import BadTimeRangeError, FutureRangeError
from coinhts_pipeline.commands.options import command, document, scope, wanted_days

START = date(2026, 1, 27)


@click.command()
@scope
@command
def asked(*, symbols, timerange, as_json):
    """Tell what was asked."""
    document({"symbols": symbols, "timerange": timerange, "as_json": as_json})


def test_every_command_takes_a_scope_and_two_flags(capsys):
    """Symbols and days reach it, --json as a flag, and --debug not at all."""
    asked.main(["--symbols", "KRW-BTC", "--json", "--debug"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told == {"symbols": "KRW-BTC", "timerange": None, "as_json": True}
    assert asked.help == "Tell what was asked."


def test_a_document_is_strict_json(capsys):
    """Days and Korean names are readable; a number that is none is refused rather than printed."""
    document({"name": "비트코인"})
    assert "비트코인" in capsys.readouterr().out
    with pytest.raises(ValueError, match="JSON"):
        document({"return": float("nan")})


def test_asked_days_lie_between_the_start_and_yesterday():
    """Open ends mean the start and the last complete day."""
    yesterday = last_complete_day(now())
    assert wanted_days(None, START) == DayRange(START, yesterday)
    assert wanted_days("20260201-", START) == DayRange(date(2026, 2, 1), yesterday)
    assert wanted_days("-20260201", START) == DayRange(START, date(2026, 2, 1))
    with pytest.raises(BadTimeRangeError, match="begins before COINHTS_START_DATE, which is 2026-01-27"):
        wanted_days("20260101-20260201", START)
    with pytest.raises(FutureRangeError):
        wanted_days(None, now().date() + timedelta(days=1))
