"""Thirty planted secrets through failures of every kind: none of them in whatever is written, sent, shown or stored."""

import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from secrets import token_hex
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster._utils.error import serializable_error_info_from_exc_info

from coinhts_core.alerts.alert import Alert
from coinhts_core.alerts.delivery import deliver, send_past_the_ledger
from coinhts_core.alerts.outbox import Outbox
from coinhts_core.clock import now
from tests.core.alerts.conftest import certificate, mail
from tests.faults.planted import IN_ADDRESSES, IN_THE_FILE, SECRETS, echo, everything, place, told

__all__ = ["certificate", "echo", "mail", "place"]
_HOW_MANY = 200
_QUICK = 70


def by_argument(place, text):
    """Somebody typed a secret where something else belongs."""
    place.command("config", "set", "alert_quiet_minutes", text)
    place.command("config", "get", text)
    place.command("data", "download", "--symbols", text)
    place.command("backtest", "run", "--strategy", text, "--debug")
    place.command("strategy", "show", text, "--json")


def by_file(place, text):
    """A file of candles holds one, in its name, its columns and its rows."""
    file = place.folder / f"KRW-BTC-{token_hex(4)}.csv"
    file.write_text(f"opened_at,open,high,low,{text!r}\n2026-01-01,{text!r},1,1,1\n", encoding="utf-8")
    place.command("data", "import", str(file), "--symbol", "KRW-BTC", "--timeframe", "1m")
    file.write_text(f"opened_at,open,high,low,close,volume\n{text!r},1,1,1,1,1\n", encoding="utf-8")
    place.command("data", "import", str(file), "--symbol", text, "--timeframe", "1m", "--debug")


def by_address(place, text):
    """An address that leads nowhere, or cannot be read, with a secret before its @ or as its path."""
    secret = quote(IN_ADDRESSES["lake"], safe="")
    for lake in (f"s3://key:{IN_ADDRESSES['lake']}@bucket/x", f"gs://key:{secret}@b"):
        place.command("data", "status", COINHTS_LAKE=lake)
        place.command("doctor", "--json", COINHTS_LAKE=lake)
    for url in (
        f"postgresql://a:{secret}@127.0.0.1:1/x",
        f"postgres//{text}",
        f"host=127.0.0.1 port=1 password={text!r}",
    ):
        place.command("config", "show", "--debug", COINHTS_POSTGRES_URL=url)
        place.command("doctor", COINHTS_POSTGRES_URL=url)


def by_setting(place, text):
    """A setting that cannot be so."""
    for name in ("COINHTS_START_DATE", "COINHTS_SYMBOLS", "COINHTS_WEB__NAMES", "COINHTS_UPBIT__BASE_URL"):
        place.command("config", "show", **{name: text})
    place.command("config", "show", "--debug", COINHTS_WEB__PORT=text)


def by_exchange(place, text):
    """An exchange that answers what it was asked, headers and all."""
    del text
    place.command("market", "list", COINHTS_EXCHANGE="upbit", COINHTS_HOME=str(place.folder / "another"))
    place.command("doctor", COINHTS_EXCHANGE="upbit")


def by_bucket(place, text):
    """A bucket that does the same."""
    del text
    place.echo.status = 403
    place.command("doctor", "--json", COINHTS_LAKE="s3://planted/lake")
    place.command("lake", "list", "--debug", COINHTS_LAKE="s3://planted/lake")
    place.echo.status = 500


def by_strategy(place, text):
    """A strategy that cannot be loaded, or decides nothing but this."""
    folder = place.house.installation.settings.strategies_folder
    folder.mkdir(exist_ok=True)
    (file := folder / "planted.py").write_text(f'"""A strategy."""\n\nraise ValueError({text!r})\n', encoding="utf-8")
    place.command("strategy", "list")
    place.command("strategy", "check", "planted", "--debug")
    place.command("doctor")
    file.unlink()


def by_crash(place, text):
    """A bug nobody foresaw."""

    def crashing(*_):
        raise KeyError(text)

    with place.monkeypatch.context() as patch:
        patch.setattr("coinhts_core.governance.governors", crashing)
        place.command("config", "show")
        place.command("config", "show", "--debug")


def by_log(place, text):
    """Whatever is said while working."""
    logging.getLogger("coinhts.planted").warning("told %s", text)
    try:
        raise ExceptionGroup(text, [ValueError(text)])  # noqa: TRY301 - for its traceback
    except ExceptionGroup:
        logging.getLogger("coinhts.planted").exception("while %s", {"asking": text})
    print(text)  # noqa: T201 - what a strategy does
    print("with", text, "in pieces", end="", flush=True)  # noqa: T201 - another
    place.listen("logs")


def by_alert(place, text):
    """What people are told, by whatever way, and also when that is closed."""
    settings = place.house.installation.settings
    outbox = Outbox.open(place.house.rooms.ledger, settings)
    for status, login in ((500, "wrong"), (404, "wrong"), (200, IN_THE_FILE["COINHTS_SMTP__PASSWORD"])):
        place.echo.status, place.mail.login = status, ("mina", login)
        outbox.raise_alert(Alert(f"{text} {token_hex(2)}", "critical", f"failed: {text}", f"because of\n{text}"), now())
        deliver(outbox, now() + timedelta(hours=1))
        send_past_the_ledger(outbox.sinks, outbox.mask, Alert("k", "critical", text, text), now())
    place.echo.status = 500
    place.command("alert", "list", "--none")


def by_tick(place, text):
    """A sensor that fails, as its daemon writes it down."""
    try:
        try:
            raise ConnectionError(text)  # noqa: TRY301 - the cause of the next
        except ConnectionError as error:
            raise dg.DagsterInvariantViolationError(text) from error
    except dg.DagsterInvariantViolationError:
        error = serializable_error_info_from_exc_info(sys.exc_info())
    ticked = TickData("planted", "on_alert", InstigatorType.SENSOR, TickStatus.FAILURE, now().timestamp(), error=error)
    place.house.instance.create_tick(ticked)


def _chained(text):
    try:
        raise ConnectionError(text)  # noqa: TRY301 - the cause of the next
    except ConnectionError as error:
        raise RuntimeError(text) from error


def _in_context(text):
    try:
        raise ConnectionError(text)  # noqa: TRY301 - the cause of the next
    except ConnectionError:
        raise RuntimeError(text)  # noqa: B904 - so that one follows from the other


def _grouped(text):
    raise ExceptionGroup(text, [ValueError(text), ExceptionGroup("in it", [KeyError(text)])])


def _noted(text):
    error = ValueError("see below")
    error.add_note(text)
    raise error


def _local(text):
    header = {"Authorization": text}
    raise ValueError(len(header))


def _told_to_dagster(text):
    raise dg.Failure(text, metadata={"why": text, "json": dg.MetadataValue.json({"answer": [text]})})


def _again(text):
    raise dg.RetryRequested(1, 0) from ValueError(text)


RAISED = [_chained, _in_context, _grouped, _noted, _local, _told_to_dagster, _again]


def by_step(place, text):
    """A run in which steps fail in every way, its resource cannot be had, its checks say no, and it talks meanwhile."""

    def fails(how: Callable[[str], None]) -> dg.AssetsDefinition:
        @dg.asset(name=how.__name__.strip("_"), check_specs=[dg.AssetCheckSpec("c", asset=how.__name__.strip("_"))])
        def failing(context: dg.AssetExecutionContext):
            context.log.error(text)
            print(text)  # noqa: T201 - what a strategy does
            yield dg.AssetCheckResult(passed=False, description=text, metadata={"why": text})
            yield dg.AssetObservation(context.asset_key, description=text, metadata={"md": dg.MetadataValue.md(text)})
            how(text)

        return failing

    @dg.resource
    def absent(_):
        raise ValueError(text)

    @dg.asset(required_resource_keys={"absent"})
    def without():
        pass

    assets = [fails(how) for how in RAISED]
    result = dg.materialize(assets, instance=place.house.instance, raise_on_error=False)
    assert len([event for event in result.all_events if event.is_step_failure]) == len(RAISED)
    dg.materialize([without], instance=place.house.instance, resources={"absent": absent}, raise_on_error=False)
    place.listen("steps")


DOORS = [
    (by_argument, 5), (by_file, 2), (by_address, 10), (by_setting, 5), (by_exchange, 2), (by_bucket, 2),
    (by_strategy, 3), (by_crash, 2), (by_log, 5), (by_alert, 7), (by_tick, 1), (by_step, len(RAISED) + 1),
]  # fmt: skip


@pytest.mark.parametrize("rounds", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_thirty_secrets_through_failures_of_every_kind_leave_by_no_way(place, rounds):
    """Each secret through some doors, each door with some secrets: nowhere is one to be found afterwards."""
    assert len(set(SECRETS)) == 30
    happened = 0
    for turn in range(rounds):
        for at, secret in enumerate(SECRETS):
            door, failures = DOORS[(at + turn) % len(DOORS)]
            door(place, told(secret, at + turn))
            happened += failures
    assert happened >= (_QUICK if rounds == 1 else _HOW_MANY)
    assert len(place.echo.taken) > 2
    assert len(place.mail.taken) > 1
    assert everything(place) == []
