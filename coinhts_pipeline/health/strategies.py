"""The strategies: does the lineup load, and do one's own keep the laws.

What lives here: trying what would run. What stays out: the laws (`coinhts_core.laws`).
"""

from collections.abc import Iterator

from coinhts_core.lineup import Entry, read_lineup
from coinhts_core.settings import Settings
from coinhts_pipeline.gate import breach_of
from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed

_MEND = "mend it, or disable it with `coinhts strategy disable`"
_LAWS_PATIENCE_S = 8.0


def findings(settings: Settings) -> Iterator[Finding]:
    lineup: list[Entry] = []
    loaded = diagnosed("strategies", lambda: _loaded(settings, lineup), "mend that file, or take it away")
    yield loaded
    if loaded.state is State.OK:
        yield diagnosed("laws", lambda: _laws(settings, lineup), _MEND, _LAWS_PATIENCE_S)


def _loaded(settings: Settings, lineup: list[Entry]) -> str | Trouble:
    lineup += read_lineup(settings.strategies_folder, settings.lineup_file).values()
    if not lineup:
        return Trouble("none is enabled, so nothing is decided", "`coinhts strategy enable` one of them")
    return ", ".join(entry.name for entry in lineup)


def _laws(settings: Settings, lineup: list[Entry]) -> str:
    """Shipped ones keep them; one's own are tried once for each code and set of knobs."""
    own = [entry for entry in lineup if entry.source.is_relative_to(settings.strategies_folder)]
    for entry in own:
        if breach := breach_of(settings, entry):
            raise breach
    return f"kept by {', '.join(entry.name for entry in own)}" if own else "there is no strategy of your own to try"
