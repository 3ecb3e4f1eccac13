"""Backtests by hand: candles from the lake or a file, one run, and what is kept of it.

What lives here: what the `backtest` commands do. What stays out: the run itself (`coinhts_core.backtests.runs`), and
rehearsals that are stored day by day (`defs`).

A result of stored candles is kept on the home's shelf, and its page in COINHTS_HOME/results. A result of a file needs
no ledger: its document and its page lie in that folder. Either is looked up by `kept`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import ValidationError

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.document import document_of
from coinhts_core.backtests.overfitting import Badge, Counted, badge_of
from coinhts_core.backtests.runs import Mode, Result, run
from coinhts_core.backtests.sheets import sheet_of
from coinhts_core.backtests.tearsheet.page import tearsheet
from coinhts_core.candles.files import Said, candles_in
from coinhts_core.candles.frame import DAYS, MINUTES
from coinhts_core.days import DayRange, parse_day
from coinhts_core.errors import NotStoredError, RefusedError, UnknownResultError
from coinhts_core.lineup import read_lineup
from coinhts_core.markets import Timeframe
from coinhts_core.results.facts import Table
from coinhts_core.results.frames import document_from
from coinhts_core.results.kept import Kept, Wanted, read_id
from coinhts_core.results.retention import Verdict
from coinhts_core.settings import Settings
from coinhts_core.strategies import Strategy, load
from coinhts_core.wording import worded

if TYPE_CHECKING:  # a result of a file need not wait for what only stored candles need
    from coinhts_core.candles.registry import Registered
    from coinhts_core.lake.lake import Lake
    from coinhts_core.results.shelf import Shelf

_PAGES_OF_REQUESTS = "requests"
_OF_SERVER = ("postgres", "postgres.path")


@dataclass(frozen=True)
class Found:
    """A result that was kept: its document, equity where that is kept, its days, and what it is judged against."""

    document: dict[str, Any]
    equity: Sequence[float] = ()
    days: int = 0
    counted: Counted | None = None

    @property
    def badge(self) -> Badge | None:
        """Of a run; a table of many has none."""
        return None if "rows" in self.document else badge_on(self.document, self.days, self.counted)


def asked_for(
    settings: Settings, name: str, knobs: Mapping[str, Any], account: Mapping[str, Any]
) -> tuple[Strategy, Account]:
    """A strategy, or a set of knobs of the lineup as it runs, with what is told otherwise."""
    folder = settings.strategies_folder
    entry = read_lineup(folder, settings.lineup_file).get(name)
    if entry is None:
        return load(name, folder, **knobs), account_of(account)
    own, cash = (of.model_dump(exclude_unset=True) for of in (entry.strategy, entry.account))
    return load(entry.source.stem, folder, **{**own, **knobs}), account_of({**cash, **account})


def account_of(facts: Mapping[str, Any]) -> Account:
    """An account, or a refusal that names the option."""
    try:
        return Account(**facts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = f"--{'-'.join(map(str, first['loc'])).replace('_', '-')}: " if first["loc"] else ""
        raise RefusedError(reason=place + worded(first["msg"])) from None


def run_on_file(
    file: Path, said: Said, strategy: Strategy, account: Account, *, mode: Mode, timeframe: Timeframe | None
) -> Result:
    """Over all of a file's bars; several symbols share the cash."""
    return run(candles_of(file, said), strategy, account, mode=mode, timeframe=timeframe)


def candles_of(file: Path, said: Said) -> dict[str, pl.DataFrame]:
    """A file's bars, coin by coin."""
    if not file.is_file():
        raise RefusedError(reason=f"there is no file {file}")
    return {str(symbol): frame for symbol, frame in candles_in(file, said).items()}


def run_on_lake(
    lake: "Lake", symbols: "Sequence[Registered]", days: DayRange, strategy: Strategy, account: Account, *, mode: Mode
) -> Result:
    """Over stored days, with what lies before them to warm up; days and longer are the exchange's own bars."""
    minutes, of_days = stored_candles(lake, symbols, days, (strategy.timeframe, *strategy.looks_at))
    return run(minutes, strategy, account, mode=mode, timeframe=strategy.timeframe, days=of_days, first_day=days.first)


def stored_candles(
    lake: "Lake", symbols: "Sequence[Registered]", days: DayRange, looked_at: Sequence[Timeframe]
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame] | None]:
    """Minutes of each coin up to the last day, and its day bars where they are looked at."""
    minutes = {str(of.symbol): _stored(lake, MINUTES, of, days) for of in symbols}
    needs_days = any(timeframe.is_of_days for timeframe in looked_at)
    return minutes, {str(of.symbol): _stored(lake, DAYS, of, days) for of in symbols} if needs_days else None


def _stored(lake: "Lake", asset: str, of: "Registered", days: DayRange) -> pl.DataFrame:
    try:
        stored = lake.read(asset, of.symbol, of.first_day, days.last)
    except NotStoredError:
        stored = None
    if stored is None or stored.filter(pl.col("day") >= days.first).is_empty():
        collecting = "`coinhts backfill` collects them"
        raise RefusedError(reason=f"no {asset} of {of.symbol} is stored from {days.first} to {days.last}; {collecting}")
    return stored


def keep(settings: Settings, result: Result) -> dict[str, Any]:
    """Of a file: the document, kept beside its page."""
    _write(settings, f"{result.id}.html", tearsheet(sheet_of(result)))
    return keep_document(settings, document_of(result))


def keep_document(settings: Settings, told: Mapping[str, Any]) -> dict[str, Any]:
    """Under its id, as programs read it."""
    text = json.dumps(told, default=str, allow_nan=False)
    _write(settings, f"{told['id']}.json", text)
    document: dict[str, Any] = json.loads(text)
    return document


def shelve(
    shelf: "Shelf", settings: Settings, identity: str, result: Result | Table, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Of stored candles: the document, as the shelf keeps it; and the page of a run."""
    kept = shelf.keep(identity, result, asked)
    if isinstance(result, Result):
        sheet = sheet_of(result, shelf.counted(result.strategy_name))
        _write(settings, f"{kept.id}.html", tearsheet(sheet))
    return shelf.document(kept.id)


@contextmanager
def opened_shelf(settings: Settings) -> "Iterator[Shelf | None]":
    """None where a home has no ledger: none is begun only to look into it."""
    if not (settings.postgres_url or any((settings.home / name).exists() for name in _OF_SERVER)):
        yield None
        return
    from coinhts_core.lake.lake import Lake  # noqa: PLC0415 - these are slow to import; a result of a file need not wait
    from coinhts_core.results.shelf import Shelf  # noqa: PLC0415 - as above
    from coinhts_pipeline.schema import current_ledger  # noqa: PLC0415 - as above

    with current_ledger(settings) as ledger:
        yield Shelf(ledger, Lake.open(settings.lake_url, settings.s3, settings.cache_folder))


def kept(settings: Settings, name: str) -> Found:
    """A result by its id or the first letters of it, wherever it is kept."""
    files = _beginning_with(_folder(settings), name, "json")
    if len(files) > 1:
        raise RefusedError(reason=f"several results begin with {name}; give more letters of the id")
    if files:
        document = json.loads(files[0].read_text(encoding="utf-8"))
        return Found(document, days=_days_in(document))
    with opened_shelf(settings) as shelf:
        if shelf is None:
            raise UnknownResultError(name=name)
        known, frames = shelf.find(name), shelf.frames(name)
        equity = frames["equity"]["equity"].to_list() if "equity" in frames else []
        days = len(DayRange(known.first_day, known.last_day))
        document = known.completed(document_from(known.id, frames))
        return Found(document, equity, days, shelf.counted(known.strategy))


def badge_on(of: Mapping[str, Any], days: int, counted: Counted | None) -> Badge:
    """How far a run may be trusted; of a study, the account beside it."""
    told = of["portfolio"] or of["symbols"][0]
    return badge_of(told.get("account", told)["metrics"], days, counted)


def listed(settings: Settings, wanted: Wanted) -> list[Kept]:
    """What is on the home's shelf; nothing where there is none yet."""
    with opened_shelf(settings) as shelf:
        return shelf.listed(wanted) if shelf else []


def remove(settings: Settings, shelf: "Shelf", verdicts: Iterable[Verdict]) -> list[str]:
    """Those that go, from the shelf, and their pages; the ids of what is gone."""
    gone = shelf.remove(verdicts)
    for folder, identity in product(_page_folders(settings), gone):
        (folder / f"{identity}.html").unlink(missing_ok=True)
    return gone


def page_of(settings: Settings, name: str) -> Path:
    """The page of a run, whether a command drew it or a request did."""
    found = (_beginning_with(folder, name, "html") for folder in _page_folders(settings))
    pages = {page.stem: page for page in chain.from_iterable(found)}
    if len(pages) != 1:
        how_many = "several pages begin" if pages else "no page begins"
        raise RefusedError(reason=f"{how_many} with {name} in {settings.home}; `coinhts backtest run` draws them")
    return next(iter(pages.values()))


def tearsheet_of(settings: Settings, identity: str) -> Path | None:
    """The same by the whole id; None where it was not drawn on this machine."""
    pages = (folder / f"{identity}.html" for folder in _page_folders(settings))
    return next((page for page in pages if page.is_file()), None)


def _days_in(of: Mapping[str, Any]) -> int:
    """Of a file's bars, all of which are traded."""
    if "rows" in of:
        return 0
    bars = [str(one[name])[:10] for one in of["symbols"] for name in ("first", "last") if one[name]]
    return len(DayRange(parse_day(min(bars)), parse_day(max(bars)))) if bars else 0


def _page_folders(settings: Settings) -> tuple[Path, Path]:
    return settings.reports_folder / _PAGES_OF_REQUESTS, _folder(settings)


def _beginning_with(folder: Path, name: str, ending: str) -> list[Path]:
    return sorted(folder.glob(f"{read_id(name)}*.{ending}"))


def _write(settings: Settings, name: str, text: str) -> None:
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}"
    draft.write_text(text, encoding="utf-8")
    draft.replace(folder / name)


def _folder(settings: Settings) -> Path:
    return settings.home / "results"
