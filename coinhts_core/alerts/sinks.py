"""Sinks: the places that alerts are sent to.

What lives here: what a sink promises, and which ones the settings name. What to add: a sink as a file beside this one,
and its line in `open_sinks`. What stays out: when and how often something is sent (`delivery`).
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from coinhts_core.alerts.alert import Letter
from coinhts_core.alerts.file import FileSink
from coinhts_core.alerts.mail import MailSink
from coinhts_core.alerts.slack import SlackSink
from coinhts_core.masking import Mask
from coinhts_core.settings import Settings

FILE = FileSink.name


class Sink(Protocol):
    """A place that takes alerts, or says `SinkUnavailableError` (later) or `SinkRefusedError` (mend something)."""

    name: ClassVar[str]

    def send(self, letter: Letter) -> None: ...


def open_sinks(settings: Settings) -> Mapping[str, Sink]:
    """The file always, the others where the settings say so; nothing is connected before something is sent."""
    mask = Mask.of(settings)
    sinks: list[Sink] = [FileSink(settings.home / "logs" / "alerts.jsonl")]
    if settings.slack.webhook_url:
        sinks.append(SlackSink(settings.slack.webhook_url.get_secret_value(), mask))
    if settings.smtp.host and settings.smtp.to:
        sinks.append(MailSink(settings.smtp, mask))
    return {sink.name: sink for sink in sinks}
