"""coinhts config: what the settings are, where each comes from, and changing those that live in the ledger.

What lives here: the group's commands. What stays out: bounds and history (`coinhts_core.governance`), and what is set
in the environment (`coinhts_core.settings`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from coinhts_pipeline.commands.options import command, document, who

if TYPE_CHECKING:
    # whose imports `--help` need not wait for
    from coinhts_core.governance import Change
    from coinhts_core.ledger.connection import Ledger
    from coinhts_core.settings import Settings

_COLUMNS = ("name", "value", "source")


@click.group()
def config() -> None:
    """What is set, where, and to what."""


@config.command("show")
@command
def config_show(*, as_json: bool) -> None:
    """Every setting, secrets hidden, with where it comes from; those in the ledger with what they take."""
    from coinhts_core.governance import governors
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    settings = read_settings()
    named = list(_named(settings))
    with _opened(settings) as ledger:
        kept = [of.facts for of in governors(ledger)]
    if as_json:
        document({"environment": named, "ledger": kept})
        return
    screen.table(list(_COLUMNS), [[str(of[column]) for column in _COLUMNS] for of in named])
    screen.say("\nin the ledger (`coinhts config set NAME VALUE`):")
    columns = [*_COLUMNS, "takes"]
    screen.table(columns, [[str(of[column]) for column in columns] for of in kept])


@config.command("get")
@click.argument("name")
@command
def config_get(name: str, *, as_json: bool) -> None:
    """One setting that lives in the ledger."""
    from coinhts_core.errors import UnknownGovernorError
    from coinhts_core.governance import governors
    from coinhts_core.settings import read_settings
    from coinhts_core.wording import nearest
    from coinhts_pipeline import screen

    with _opened(read_settings()) as ledger:
        known = {of.name: of for of in governors(ledger)}
    if name not in known:
        raise UnknownGovernorError(name=name, hint=nearest(name, known))
    facts = known[name].facts
    if as_json:
        document(facts)
    else:
        screen.say(screen.plain(f"{facts['value']}"))
        screen.note(f"{facts['meaning']}; it takes {facts['takes']}")


@config.command("set")
@click.argument("name")
@click.argument("value")
@command
def config_set(name: str, value: str, *, as_json: bool) -> None:
    """Change a setting that lives in the ledger; `default` as the value takes the change back."""
    from coinhts_core.clock import now
    from coinhts_core.governance import change
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    with _opened(read_settings()) as ledger:
        made = change(ledger, name, value, who(), now())
    if as_json:
        document({"changed": made is not None, "change": vars(made) if made else None})
    elif made:
        screen.say(screen.plain(f"{name}: {_told(made.value_before)} -> {_told(made.value_after)}"))
    else:
        screen.say(screen.plain(f"{name} was that already"))


@config.command("history")
@click.argument("name", required=False)
@command
def config_history(name: str | None, *, as_json: bool) -> None:
    """Who changed what, and when; the latest first."""
    from coinhts_core.governance import changes
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    with _opened(read_settings()) as ledger:
        found = changes(ledger, name)
    if as_json:
        document([vars(of) for of in found])
    elif found:
        screen.table(["when", "name", "before", "after", "who"], [_row(of) for of in found])
    else:
        screen.say("nothing was ever changed")


@contextmanager
def _opened(settings: "Settings") -> "Iterator[Ledger]":
    from coinhts_pipeline.schema import current_ledger

    with current_ledger(settings) as ledger:
        yield ledger


def _named(settings: "Settings") -> Iterator[dict[str, Any]]:
    """What stands in the environment, `.env` or the code."""
    from coinhts_core.masking import Mask
    from coinhts_core.settings import PREFIX, setting_sources

    mask = Mask.of(settings)
    for name, source in setting_sources(settings).items():
        value: Any = settings
        for part in name.removeprefix(PREFIX).lower().split("__"):
            value = getattr(value, part)
        yield {"name": name, "value": _shown(value, mask), "source": source}


def _shown(value: Any, mask: Any) -> str:
    from pydantic import SecretStr

    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "(hidden)"
    return str(mask(",".join(value) if isinstance(value, tuple) else str(value)))


def _row(of: "Change") -> list[str]:
    from coinhts_pipeline import screen

    return [screen.moment(of.changed_at), of.name, _told(of.value_before), _told(of.value_after), of.changed_by]


def _told(value: str | None) -> str:
    return "the default" if value is None else value
