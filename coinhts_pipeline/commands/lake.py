"""coinhts lake: people's own files in the lake, and whether everything in it is whole.

What lives here: the group's commands. What stays out: the work (`coinhts_core.lake`), and a way to an asset's objects:
people's own files have names of their own, which no object has.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coinhts_pipeline.commands.options import command, document

if TYPE_CHECKING:
    from coinhts_core.lake.audit import Audited
    from coinhts_core.lake.comparison import Comparison
    from coinhts_core.lake.store import Store
    from coinhts_core.lake.uploads import Note


@click.group()
def lake() -> None:
    """The lake: files of your own in it, and whether all of it is whole."""


@lake.command("list")
@click.argument("prefix", required=False)
@command
def lake_list(*, prefix: str | None, as_json: bool) -> None:
    """Every file uploaded, or those in a folder."""
    from coinhts_core.lake.uploads import listed
    from coinhts_pipeline import screen

    found = list(listed(_store(), prefix))
    if as_json:
        document([{"name": of.path, "size": of.size, "modified_at": of.modified_at} for of in found])
    elif found:
        rows = [[screen.moment(of.modified_at), f"{of.size:,}", of.path] for of in found]
        screen.table(["modified", "bytes", "name"], rows)
    else:
        screen.say("no file was uploaded; `coinhts lake upload FILE NAME` does it")


@lake.command("show")
@click.argument("name")
@command
def lake_show(*, name: str, as_json: bool) -> None:
    """One file: its size, sha-256, when it came, what was said of it."""
    from coinhts_core.lake.uploads import describe

    _show(describe(_store(), name), as_json=as_json)


@lake.command("upload")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="What to keep with it; may be given often.")
@command
def lake_upload(*, file: Path, name: str, metadata: tuple[str, ...], as_json: bool) -> None:
    """Keep FILE under NAME, such as reports/2026-01.html; what a name holds is never replaced."""
    from coinhts_core.lake.uploads import upload

    _show(upload(_store(), file, name, dict(_pairs(metadata))), as_json=as_json)


@lake.command("download")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@command
def lake_download(*, name: str, file: Path, as_json: bool) -> None:
    """Write the file of that NAME to FILE, verified."""
    from coinhts_core.lake.uploads import download

    _show(download(_store(), name, file), as_json=as_json)


@lake.command("delete")
@click.argument("name")
@click.option("--yes", "is_sure", is_flag=True, help="It cannot be undone.")
@command
def lake_delete(*, name: str, is_sure: bool, as_json: bool) -> None:
    """Delete the uploaded file of that NAME; no asset's data can be named so."""
    from coinhts_core.errors import RefusedError
    from coinhts_core.lake.uploads import delete
    from coinhts_pipeline import screen

    if not is_sure:
        raise RefusedError(reason=f"deleting {name} cannot be undone; add --yes if it is to be")
    delete(_store(), name)
    if as_json:
        document({"deleted": name})
    else:
        screen.say(f"deleted {name}")


@lake.command("verify")
@click.argument("asset", required=False)
@click.option("--symbol", help="Of this coin only, such as KRW-BTC.")
@command
def lake_verify(*, asset: str | None, symbol: str | None, as_json: bool) -> None:
    """Read every stored day back, of ASSET or of all, and hash it again; exit code 2 when anything is damaged."""
    from coinhts_core.errors import CheckFailedError, RefusedError
    from coinhts_core.lake.audit import Audited
    from coinhts_pipeline import screen

    if symbol and not asset:
        raise RefusedError(reason=f"--symbol {symbol} needs an asset, such as candles/minute")
    audits = _audits(_store(), asset, symbol)
    found = Audited()
    with screen.progress("reading back", len(audits)) as progress:
        for place, look in audits:
            found += look()
            progress(place)
    if as_json:
        document(vars(found))
    else:
        counts = f"{found.places:,} places, {found.days:,} days, {found.rows:,} rows, {found.size:,} bytes read back"
        screen.say(counts)
        click.echo("".join(f"{damage}\n" for damage in found.damages), nl=False)
    if found.damages:
        raise CheckFailedError(check="lake verify", reason=f"{len(found.damages)} damaged; {found.damages[0]}")


@lake.command("compare")
@click.argument("other")
@click.option("--quick", is_flag=True, help="Compare names and sizes, and read no bytes.")
@command
def lake_compare(*, other: str, quick: bool, as_json: bool) -> None:
    """Name by name, this lake and OTHER, a directory or s3://bucket/prefix; exit code 2 when they differ."""
    from coinhts_core.errors import CheckFailedError
    from coinhts_core.lake.comparison import Comparison
    from coinhts_core.lake.places import open_other
    from coinhts_core.settings import read_settings
    from coinhts_pipeline import screen

    here, there = _store(), open_other(other, read_settings().s3)
    compared = Comparison(here, there)
    if not quick:
        with screen.progress("reading both", len(compared.of_one_size)) as progress:
            for path in compared.of_one_size:
                compared.read(path)
                progress(path)
    _show_comparison(compared, as_json=as_json)
    if not compared.is_alike:
        counts = f"{len(compared.missing)} missing, {len(compared.extra)} extra, {len(compared.different)} different"
        raise CheckFailedError(check="lake compare", reason=f"{there.full_name('')} is not the same: {counts}")


def _store() -> "Store":
    from coinhts_core.lake.places import open_store
    from coinhts_core.settings import read_settings

    settings = read_settings()
    return open_store(settings.lake_url, settings.s3)


def _pairs(metadata: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    from coinhts_core.errors import RefusedError

    for pair in metadata:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise RefusedError(reason=f"--metadata {pair} is not like NAME=VALUE")
        yield name, value


def _show(note: "Note", *, as_json: bool) -> None:
    from coinhts_pipeline import screen

    facts = {"name": note.name, "size": note.size, "sha256": note.sha256}
    if as_json:
        document({**facts, "uploaded_at": note.uploaded_at, "metadata": dict(note.metadata)})
        return
    said = [[name, value] for name, value in note.metadata.items()]
    named = [[name, str(value)] for name, value in facts.items()]
    screen.table(["", ""], [*named, ["uploaded", screen.moment(note.uploaded_at)], *said])


def _audits(store: "Store", asset: str | None, symbol: str | None) -> "list[tuple[str, Callable[[], Audited]]]":
    """Every look to be taken, by the name of its place; people's own files are in no asset."""
    from coinhts_core.errors import NotStoredError
    from coinhts_core.lake.audit import audit_file
    from coinhts_core.lake.lake import Lake
    from coinhts_core.lake.uploads import noted
    from coinhts_core.markets import Market

    stored = Lake(store)
    folders = stored.folders(asset, Market.parse(symbol) if symbol else None)
    if asset and not folders:
        raise NotStoredError(asset=asset, symbol=symbol or "of all symbols", days="all days")
    files = [] if asset else noted(store)
    return [
        *((folder.path, partial(stored.audit, folder)) for folder in folders),
        *((name, partial(audit_file, store, name)) for name in files),
    ]


def _show_comparison(compared: "Comparison", *, as_json: bool) -> None:
    from coinhts_pipeline import screen

    if as_json:
        named = {"missing": compared.missing, "extra": compared.extra, "different": compared.different}
        document({"alike": compared.alike, **named})
        return
    rows = [
        *(("missing there", path, "") for path in compared.missing),
        *(("extra there", path, "") for path in compared.extra),
        *(("different", path, reason) for path, reason in compared.different.items()),
    ]
    if rows:
        screen.table(["", "name", "why"], rows)
    screen.say(f"{compared.alike:,} alike")
