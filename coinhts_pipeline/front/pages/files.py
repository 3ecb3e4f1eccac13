"""Reports that are files, as a list.

What lives here: `Entry`, the list of a folder, and the front page, which has one, too. What stays out: which files
there are, and giving them (`reports`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag
from coinhts_pipeline.front.pages.looks import moment, note, page, section


@dataclass(frozen=True)
class Entry:
    """A file or a folder in the list of reports."""

    name: str
    is_folder: bool
    size: int
    changed_at: datetime


def front_page(above: Markup, entries: Sequence[Entry]) -> str:
    """What stands `above`, and the files below it."""
    return page("Reports", above, section("Files", listed(entries)))


def folder_page(folder: str, entries: Sequence[Entry]) -> str:
    """A folder of reports; its name ends with a slash."""
    up = tag("p", tag("a", "back to the folder above", href="../"))
    return page(f"Reports in {folder}", up, listed(entries), is_below=True)


def listed(entries: Sequence[Entry]) -> Markup:
    if not entries:
        return note("nothing yet")
    return tag("ul", *map(_entry, entries), class_="files")


def _entry(of: Entry) -> Markup:
    name = f"{of.name}/" if of.is_folder else of.name
    size = "" if of.is_folder else f", {max(1, round(of.size / 1024)):,} KiB"
    link = tag("a", name, href=f"./{quote(name, errors='replace')}")
    return tag("li", link, tag("span", joined(moment(of.changed_at), size), class_="quiet"))
