"""E-mail, by SMTP with STARTTLS.

What lives here: an alert as a message, and handing it to the server. What stays out: servers that do not encrypt;
neither a password nor an alert is sent in the clear.
"""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import ClassVar

from coinhts_core.alerts.alert import Letter
from coinhts_core.errors import SinkRefusedError, SinkUnavailableError
from coinhts_core.masking import Mask
from coinhts_core.settings import Smtp

_PATIENCE_S = 10.0
_PERMANENT = range(500, 600)


class MailSink:
    """One mail server, and those who are written to."""

    name: ClassVar[str] = "mail"

    def __init__(self, smtp: Smtp, mask: Mask) -> None:
        self._smtp = smtp
        self._mask = mask

    def send(self, letter: Letter) -> None:
        try:
            self._hand_over(message(letter, self._smtp))
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError, ValueError) as error:
            raise self._refused(error) from None
        except smtplib.SMTPResponseException as error:
            if error.smtp_code in _PERMANENT:
                raise self._refused(error) from None
            raise self._unavailable(error) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(error) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._unavailable(error) from None

    def _hand_over(self, mail: EmailMessage) -> None:
        with smtplib.SMTP(self._smtp.host or "", self._smtp.port, timeout=_PATIENCE_S) as server:
            server.starttls(context=ssl.create_default_context())
            if self._smtp.user and self._smtp.password:
                server.login(self._smtp.user, self._smtp.password.get_secret_value())
            server.send_message(mail)

    def _refused(self, error: Exception) -> SinkRefusedError:
        return SinkRefusedError(sink=self.name, reason=self._said(error), section="SMTP")

    def _unavailable(self, error: Exception) -> SinkUnavailableError:
        return SinkUnavailableError(sink=self.name, reason=self._said(error))

    def _said(self, error: Exception) -> str:
        return self._mask(str(error) or type(error).__name__)


def message(letter: Letter, smtp: Smtp) -> EmailMessage:
    mail = EmailMessage()
    host = smtp.host or "localhost"
    mail["Subject"] = f"[coinhts {letter.level}] {letter.title}"
    mail["From"] = smtp.sender or (smtp.user if smtp.user and "@" in smtp.user else f"coinhts@{host}")
    mail["To"] = [address.strip() for address in (smtp.to or "").split(",")]
    mail["Date"] = format_datetime(letter.raised_at)
    # The same alert has the same name, so that a mailbox that got it twice shows it once.
    mail["Message-ID"] = f"<alert-{letter.number}-{letter.raised_at:%Y%m%d%H%M%S%f}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([letter.title, "", *letter.lines]) + "\n")
    return mail
