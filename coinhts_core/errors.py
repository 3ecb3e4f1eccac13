"""Every way coinhts says no.

What lives here: the whole exception tree. What to add: a class with its sentence, under the branch that
answers the operator's first question, wait or fix? What stays out: handling; that is the caller's.

    CoinhtsError
    ├── RetryableError    wait, then try again; nothing is wrong with what you asked:
    │     LedgerBusyError LedgerUnreachableError LedgerStartError CommitRaceError ExchangeUnavailableError
    │     DaysUnansweredError SinkUnavailableError QueueFullError
    └── RefusedError      fix something first:
          BadMarketError UnknownMarketError NotFollowedError BadTimeframeError BadTimeRangeError FutureRangeError
          UnknownStrategyError BadParameterError DiscoveryError BadLineupError StrategyBreaksLawError
          UnknownSettingError BadSettingError UnknownGovernorError OutOfBoundsError SinkRefusedError
          BadEnvFileError HomeUnusableError CallsUncountedError LakeUnusableError VenueMismatchError BadAssetError
          BadFrameError BadCandlesError BadFileError NotStoredError NoMarketListError DamagedObjectError
          UnknownResultError DamagedResultError UnknownBackupError DamagedBackupError NotEmptyError
          RefusedRowError EditedMigrationError NewerLedgerError
          BadRequestError UnknownRequestError RequestStateError BadPositionError UnknownPositionError
          PositionConflictError PortTakenError AlreadyUpError RunFailedError CheckFailedError

A class owns its sentence: what was refused, the value that was found, what to do. Call sites pass the facts
by keyword, and the facts stay readable as attributes.
"""

from typing import ClassVar

from coinhts_core.sentences import SpokenError


class CoinhtsError(SpokenError):
    """The root: one sentence, its facts, and the exit code a command ends with."""

    sentence: ClassVar[str] = "{reason}"
    exit_code: ClassVar[int] = 3


class RetryableError(CoinhtsError):
    """Wait, then try again."""

    sentence = "{what} did not answer in time; try again"


class LedgerBusyError(RetryableError):
    """All connections are in use."""

    sentence = "the ledger is busy: no connection became free within {seconds} s; try again in a moment"


class LedgerUnreachableError(RetryableError):
    """No server answers at the given address."""

    sentence = (
        "no PostgreSQL answers at {address} ({reason}); start it, or mend COINHTS_POSTGRES_URL, "
        "or unset it to use the embedded server"
    )


class LedgerStartError(RetryableError):
    """The embedded server does not come up."""

    sentence = "the embedded PostgreSQL did not start ({reason}); its log is {log}"


class CommitRaceError(RetryableError):
    """Others kept publishing first."""

    sentence = (
        "{asset} {symbol} {month} is being written by others: {attempts} attempts to publish were overtaken; try again"
    )


class ExchangeUnavailableError(RetryableError):
    """The venue does not answer."""

    sentence = "{venue} did not answer ({reason}); try again later"


class DaysUnansweredError(RetryableError):
    """Some days' candles did not come."""

    sentence = "{days} symbol-days were not answered; `coinhts data gaps` says why, `coinhts data repair` asks again"


class SinkUnavailableError(RetryableError):
    """A place that alerts are sent to does not take them now."""

    sentence = "{sink} did not take the alert ({reason}); it is sent again later"


class QueueFullError(RetryableError):
    """As many requests wait as may."""

    sentence = "{queued} requests wait already, which is as many as may; ask again in {seconds} s"


class RefusedError(CoinhtsError):
    """Fix something first."""

    sentence = "refused: {reason}"
    exit_code = 1


class BadMarketError(RefusedError):
    """Not a market code."""

    sentence = "{text!r} is not a market code; write it like KRW-BTC"


class UnknownMarketError(RefusedError):
    """A market code nobody lists."""

    sentence = "market {symbol} is not listed on {venue}{hint}"


class NotFollowedError(RefusedError):
    """A listed market that the settings do not name."""

    sentence = "{symbol} is not followed; add it to COINHTS_SYMBOLS, which names {followed}"


class BadTimeframeError(RefusedError):
    """Not a timeframe."""

    sentence = "{text!r} is not a timeframe; choose one of {choices}"


class BadTimeRangeError(RefusedError):
    """Not a range of days."""

    sentence = "{text!r} is not a range of days ({reason}); write it like 20260101-20260131"


class FutureRangeError(RefusedError):
    """Days that are not over yet."""

    sentence = "{day} is not over yet (days end at 00:00 UTC, 09:00 KST); the last complete day is {last}"


class UnknownStrategyError(RefusedError):
    """No file of that name."""

    sentence = "there is no strategy {name!r} (`coinhts strategy list` shows them all){hint}"


class BadParameterError(RefusedError):
    """A knob that does not exist or is out of bounds."""

    sentence = "{strategy} does not take {parameter}={value} ({reason})"


class DiscoveryError(RefusedError):
    """A discovered file that cannot be loaded."""

    sentence = "{file} cannot be loaded: {reason}"


class BadLineupError(RefusedError):
    """A lineup that cannot be read."""

    sentence = "{file} tells no lineup: {reason}"


class StrategyBreaksLawError(RefusedError):
    """A strategy that no history and no morrow can be trusted with."""

    sentence = "{strategy} breaks the law {law!r}: {reason}"
    exit_code = 2


class UnknownSettingError(RefusedError):
    """A misspelt variable."""

    sentence = "{name} is not a setting of coinhts (.env.example lists them all){hint}"


class BadSettingError(RefusedError):
    """A variable with an impossible value."""

    sentence = "{name} cannot be {value!r}: {reason}"


class UnknownGovernorError(RefusedError):
    """Not a setting that lives in the ledger."""

    sentence = "there is no setting {name!r} in the ledger (`coinhts config show` lists them all){hint}"


class OutOfBoundsError(RefusedError):
    """A setting in the ledger with a value it cannot take."""

    sentence = "{name} cannot be {value!r}: it takes {bounds}"


class SinkRefusedError(RefusedError):
    """A place that alerts are sent to refuses one."""

    sentence = "{sink} refuses the alert ({reason}); check where COINHTS_{section}__… says that alerts go"
    exit_code = 3


class BadEnvFileError(RefusedError):
    """A file of settings and secrets that cannot be used."""

    sentence = "{file} is refused: {reason}"


class HomeUnusableError(RefusedError):
    """The data directory cannot be used."""

    sentence = "the data directory {home} cannot be used ({reason}); set COINHTS_HOME to a directory you may write to"


class CallsUncountedError(RefusedError):
    """Where all processes of a machine count their calls together, they cannot."""

    sentence = (
        "calls cannot be counted in {folder} ({reason}), so none is made; "
        "it must be a directory that only you may enter: mend or remove it"
    )


class LakeUnusableError(RefusedError):
    """The place of the lake exists, or answers, or lets us in, in no way that waiting would change."""

    sentence = (
        "the lake {place} cannot be used ({reason}); check COINHTS_LAKE, COINHTS_S3__ENDPOINT, COINHTS_S3__REGION "
        "and the AWS keys"
    )


class VenueMismatchError(RefusedError):
    """Data of another venue lies here."""

    sentence = (
        "{place} holds data of {found}, and COINHTS_EXCHANGE says {wanted}: venues are never mixed; "
        "set COINHTS_HOME to a fresh directory, such as {suggestion}"
    )


class BadAssetError(RefusedError):
    """Not a name the lake keeps frames under."""

    sentence = "{text!r} is not the name of an asset; write it like candles/minute"


class BadFrameError(RefusedError):
    """Rows that do not fit their schema."""

    sentence = "{schema}: column {column} {reason}"


class BadCandlesError(RefusedError):
    """A day of bars that cannot have happened."""

    sentence = "the candles of {symbol} on {day} are refused: {reason}; fetch the day again"
    exit_code = 2


class BadFileError(RefusedError):
    """A file of candles that cannot be imported."""

    sentence = "{file} cannot be imported: {reason}"


class NotStoredError(RefusedError):
    """Nothing was ever published there."""

    sentence = "nothing is stored for {asset} {symbol} in {days}; `coinhts backfill` collects it"


class NoMarketListError(RefusedError):
    """The exchange's list was never recorded."""

    sentence = "no market list was ever recorded; run refresh_markets in the UI (`coinhts up`), which does it every day"


class DamagedObjectError(RefusedError):
    """Bytes that are not the ones that were published."""

    sentence = "{path} is damaged ({reason}); restore it from a backup, or remove its commit and backfill the month"
    exit_code = 2


class UnknownResultError(RefusedError):
    """No result of that id."""

    sentence = "no result begins with {name}; `coinhts backtest list` shows them all"


class DamagedResultError(RefusedError):
    """A result whose rows are not the ones that were kept."""

    sentence = "the {frame} of result {name} cannot be read ({reason}); run it again, and it is kept anew"
    exit_code = 2


class UnknownBackupError(RefusedError):
    """No backup of that name, or none so old."""

    sentence = "{place} holds no {wanted}; `coinhts backup list` shows them all, COINHTS_BACKUPS says where they lie"


class DamagedBackupError(RefusedError):
    """A backup that is not the one that was taken."""

    sentence = "the backup {name} is damaged ({reason}); restore another one, and take a new one"
    exit_code = 2


class NotEmptyError(RefusedError):
    """Somewhere to restore to that holds something."""

    sentence = "nothing is restored over {place}, which holds {found}; set COINHTS_HOME to a fresh directory"


class RefusedRowError(RefusedError):
    """A row the ledger's own constraints refuse, such as one with NaN."""

    sentence = "the ledger refuses a row: {reason}"


class EditedMigrationError(RefusedError):
    """An applied migration is no longer the file it was."""

    sentence = "migration {name} was changed after it was applied; restore the file, and write a new migration instead"


class NewerLedgerError(RefusedError):
    """The ledger is ahead of the code."""

    sentence = "the ledger is at migration {found}, this coinhts knows {known}; use the newer coinhts"


class BadRequestError(RefusedError):
    """A request that cannot be taken as it is."""

    sentence = "the request's {field} is refused: {reason}"


class UnknownRequestError(RefusedError):
    """Nobody asked for that."""

    sentence = "there is no request {name!r}; `coinhts backtest status` lists them"


class RequestStateError(RefusedError):
    """Too late, or too early, for what is to be done with a request."""

    sentence = "request {id} is {state} and cannot be {deed}"


class BadPositionError(RefusedError):
    """A position that cannot be kept as it is told."""

    sentence = "the position's {field} is refused: {reason}"


class UnknownPositionError(RefusedError):
    """Nobody keeps that one."""

    sentence = "there is no position {number} (`coinhts position list` shows them all)"


class PositionConflictError(RefusedError):
    """Not as it is by now."""

    sentence = "position {number} {reason}"


class PortTakenError(RefusedError):
    """Somebody listens there already."""

    sentence = "port {port} on {host} is taken; set COINHTS_WEB__PORT to a free one"


class AlreadyUpError(RefusedError):
    """A second `coinhts up` on the same home."""

    sentence = (
        "coinhts is already up on {home} (process {pid}); stop it first, or set COINHTS_HOME to another directory"
    )


class RunFailedError(RefusedError):
    """A run ended in failure."""

    sentence = "run {run_id} failed in {step}: {reason}"
    exit_code = 3


class CheckFailedError(RefusedError):
    """A check says no."""

    sentence = "{check} failed: {reason}"
    exit_code = 2
