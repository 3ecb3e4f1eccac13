"""What is stored: days missing or behind, day bars that are old, runs nobody executes, a daemon that is silent.

What lives here: looking at lake, ledger and Dagster's tables without opening an installation, which would mend some of
it. What stays out: doing the work (`backfill`).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from coinhts_core.agenda import Agenda
from coinhts_core.candles.coverage import State as DayState
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.candles.registry import Registered, registered_symbols
from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.inventory import take_inventory
from coinhts_core.lake.lake import Lake
from coinhts_core.ledger.connection import Ledger
from coinhts_core.ledger.locks import if_free
from coinhts_core.lineup import Entry, read_lineup
from coinhts_core.settings import ALL_KRW, Settings
from coinhts_pipeline.health.diagnosis import Finding, State, Trouble, diagnosed
from coinhts_pipeline.health.home import is_up
from coinhts_pipeline.health.scheduler import dagster_tables

_PATIENCE_S = 8.0
_COLLECT = "`coinhts data status` and `coinhts backfill` take their time and tell"
_UNSURE = (DayState.UNAVAILABLE, DayState.BAD_BARS)
_TIME_TO_CLAIM = timedelta(minutes=2)
_LONGEST_SILENCE = timedelta(minutes=3)


@dataclass(frozen=True)
class _Stored:
    """The rooms to look at."""

    settings: Settings
    ledger: Ledger

    @property
    def active(self) -> list[Registered]:
        return [of for of in registered_symbols(self.ledger) if of.is_active]

    @property
    def lake(self) -> Lake:
        return Lake.open(self.settings.lake_url, self.settings.s3)

    @property
    def lineup(self) -> dict[str, Entry]:
        return dict(read_lineup(self.settings.strategies_folder, self.settings.lineup_file))


def findings(settings: Settings, ledger: Ledger, dagster_address: str) -> Iterator[Finding]:
    stored, last = _Stored(settings, ledger), last_complete_day(now())
    yield diagnosed("symbols", lambda: _symbols(stored), "mend COINHTS_SYMBOLS")
    of_days = {"candles": _candles, "holes": _holes, "day bars": _day_bars, "days": _days}
    for check, look in of_days.items():
        yield diagnosed(check, partial(look, stored, last), _COLLECT, _PATIENCE_S, when_late=State.WARNING)
    yield diagnosed("runs", lambda: _runs(settings, dagster_address), "check COINHTS_DAGSTER_POSTGRES_URL", _PATIENCE_S)
    yield diagnosed("daemon", lambda: _daemon(settings, dagster_address), "stop `coinhts up` and start it again")


def _symbols(stored: _Stored) -> str | Trouble:
    active = stored.active
    if gone := [f"{of.symbol} (on {of.delisted_on})" for of in active if of.delisted_on]:
        what = f"delisted, so nothing is asked for any more: {', '.join(gone)}"
        return Trouble(what, "take them out of COINHTS_SYMBOLS; what is stored stays readable")
    wanted = stored.settings.symbols
    new = [] if wanted == ALL_KRW else [symbol for symbol in wanted if symbol not in {of.symbol for of in active}]
    if new or not active:
        return Trouble(f"not followed yet: {', '.join(new) or 'none is'}", "`coinhts backfill` begins to")
    return ", ".join(of.symbol for of in active)


def _candles(stored: _Stored, last: date) -> str | Trouble:
    lake = stored.lake
    newest = {of: max(lake.heads(MINUTES, of.symbol), default=None) for of in stored.active}
    never = [of.symbol for of, day in newest.items() if day is None and of.anchor <= last]
    if never:
        return Trouble(f"never collected: {', '.join(never)}", "`coinhts backfill` collects them")
    late = {of.symbol: day for of, day in newest.items() if day and day < min(last, of.delisted_on or last)}
    if late:
        days = max((last - day).days for day in late.values())
        what = f"{'a day' if days == 1 else f'up to {days} days'} behind: {', '.join(late)}"
        return Trouble(what, "`coinhts backfill` collects them, and `coinhts up` does it every day at 00:10 UTC")
    return f"up to {last}"


def _holes(stored: _Stored, last: date) -> str | Trouble:
    lake, counted = stored.lake, dict.fromkeys(_UNSURE, 0)
    for of in stored.active:
        days = take_inventory(lake, stored.ledger, of, DayRange(of.anchor, last))
        counted = {state: count + days.count(state) for state, count in counted.items()}
    if any(counted.values()):
        words = " and ".join(f"{count} with {state}" for state, count in counted.items() if count)
        return Trouble(f"symbol-days that are not whole: {words}", "`coinhts data repair` asks for them again")
    return "every day that was asked for is whole"


def _day_bars(stored: _Stored, last: date) -> str | Trouble:
    looking = [entry.name for entry in stored.lineup.values() if entry.looks_at_days]
    if not looking:
        return "no strategy looks at them"
    lake = stored.lake
    newest = {of: max(lake.heads(DAYS, of.symbol), default=None) for of in stored.active}
    old = [of.symbol for of, day in newest.items() if day is None or day < min(last, of.delisted_on or last)]
    if old:
        what = f"older than {last}, and {', '.join(looking)} needs them: {', '.join(old)}"
        return Trouble(what, "`coinhts backfill` collects them")
    return f"up to {last}"


def _days(stored: _Stored, last: date) -> str | Trouble:
    active, lake, lineup = stored.active, stored.lake, stored.lineup
    agenda = Agenda(lake, stored.ledger, lineup)
    if stale := sum(len(agenda.stale(of, last)) for of in active):
        return Trouble(f"{stale} symbol-days are stale or waited for candles", "`coinhts backfill --stale` folds them")
    if absent := sum(len(_absent(lake, lineup, of, last)) for of in active):
        return Trouble(f"{absent} symbol-days to collect or fold", "`coinhts backfill` does it")
    return f"all current up to {last}"


def _absent(lake: Lake, names: Iterable[str], of: Registered, last: date) -> list[date]:
    assets = [MINUTES, *(f"backtests/{name}" for name in names)]
    stored = [lake.heads(asset, of.symbol).keys() for asset in assets]
    listed = (day for day in DayRange(of.anchor, last) if of.is_listed_on(day))
    return [day for day in listed if not all(day in days for days in stored)]


def _runs(settings: Settings, address: str) -> str | Trouble:
    """A run is executed by a process that holds its file; see `claims`."""
    with dagster_tables(address) as ask:
        begun = ask("find_begun_runs")
        failed = ask("find_failed_runs", since=now() - timedelta(days=1))
    claims = settings.home / "dagster" / "claims"
    dead = [run_id for run_id, since in begun if _is_dead(claims / run_id, since)]
    if dead:
        what = f"{len(dead)} left by a process that is gone: {', '.join(dead[:3])}"
        return Trouble(what, "`coinhts backfill` marks them failed and does their days again")
    if failed:
        return Trouble(f"{len(failed)} failed since yesterday", "look at them in the UI, then `coinhts backfill`")
    return f"{len(begun)} in progress, none failed since yesterday"


def _is_dead(claim: Path, since: datetime) -> bool:
    if not claim.exists():
        return now() - since >= _TIME_TO_CLAIM
    with if_free(claim) as free:
        return free is not None


def _daemon(settings: Settings, address: str) -> str | Trouble:
    lock = settings.home / "up.lock"
    if not lock.exists():
        return "`coinhts up` was never started here"
    if not is_up(settings):
        return Trouble(
            "`coinhts up` is not on, so no schedule and no sensor runs", "start it, or run `coinhts backfill`"
        )
    began = datetime.fromtimestamp(lock.stat().st_mtime, tz=UTC)
    with dagster_tables(address) as ask:
        beats = ask("list_heartbeats")
    silent = now() - max([began, *(at for _, _, at in beats)])
    if silent > _LONGEST_SILENCE:
        what = f"silent for {silent.total_seconds() / 60:.0f} minutes although `coinhts up` is on"
        to_do = f"look into {settings.home / 'logs' / 'daemon.log'}, then stop `coinhts up` and start it again"
        return Trouble(what, to_do, State.FAILED)
    complaining = [kind for kind, body, _ in beats if json.loads(body or "{}").get("errors")]
    if complaining:
        return Trouble(f"in trouble: {', '.join(complaining)}", "the UI's page of daemons (Deployment) tells why")
    return f"heard of {silent.total_seconds():.0f} s ago"
