import json

import click
import pytest

from coinhts_pipeline.commands.options import command, document, scope


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
