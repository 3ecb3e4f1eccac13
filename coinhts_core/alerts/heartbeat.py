"""The heartbeat: who delivers alerts leaves a sign of life, and a dead man's switch looks for it from outside.

What lives here: the sign, and raising the alarm when it stays away; past the outbox and the ledger if need be. What
stays out: whoever calls it (`coinhts up`), and restarting what is silent.
"""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coinhts_core.alerts.alert import Alert, moment
from coinhts_core.alerts.delivery import deliver, send_past_the_ledger
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.ledger.connection import Ledger
from coinhts_core.settings import Settings

_SILENT_TOO_LONG = timedelta(minutes=5)
_TOLD_AGAIN_AFTER = timedelta(hours=1)
_log = logging.getLogger("coinhts.alerts")


def beat(settings: Settings, at: datetime) -> None:
    """A sign of life, by whoever delivers alerts."""
    draft = _file(settings).with_suffix(".draft")
    draft.write_text(at.isoformat(), encoding="utf-8")
    draft.replace(_file(settings))


def last_beat(settings: Settings) -> datetime | None:
    try:
        beaten = datetime.fromisoformat(_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("a sign of life cannot be read", extra={"facts": {"reason": str(error)}})
        return None
    return beaten if beaten.tzinfo else beaten.replace(tzinfo=UTC)


class DeadMan:
    """Raises the alarm once the signs of life stay away, again every hour, and says when they are back.

    Looking never raises: who calls it has others to keep alive.
    """

    def __init__(self, ledger: Ledger, settings: Settings, since: datetime) -> None:
        self._outbox = Outbox.open(ledger, settings)
        self._settings = settings
        self._since = since
        self._told_at: datetime | None = None

    def look(self, at: datetime) -> bool:
        """Whether the daemon is silent."""
        heard = max(last_beat(self._settings) or self._since, self._since)
        is_silent = at - heard > _SILENT_TOO_LONG
        if is_silent and (self._told_at is None or at - self._told_at >= _TOLD_AGAIN_AFTER):
            self._told_at = at
            body = (
                "schedules and sensors stand still, or somebody stopped on_alert; no other alert is sent\n"
                f"see {self._settings.home / 'logs' / 'daemon.log'}"
            )
            self._tell(Alert("daemon silent", "critical", f"the daemon is silent since {moment(heard)}", body), at)
        elif not is_silent and self._told_at:
            self._told_at = None
            self._tell(Alert("daemon back", "warning", "the daemon is back"), at)
        return is_silent

    def _tell(self, alert: Alert, at: datetime) -> None:
        _log.critical(alert.title)
        try:
            self._outbox.raise_alert(alert, at, quiet=timedelta())
            deliver(self._outbox, at)
        except Exception:  # noqa: BLE001 - whatever is broken, who watches must be heard
            _log.exception("the outbox is passed by")
            send_past_the_ledger(self._outbox.sinks, self._outbox.mask, alert, at)


def _file(settings: Settings) -> Path:
    return settings.home / "heartbeat"
