"""A page as a browser reads it, and what every page of ours keeps."""

import re
from html.parser import HTMLParser

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x00\ud800'
_ALONE = {"meta", "input", "path"}
_ASKING = {"src", "srcset", "background", "poster", "data", "ping", "xlink:href", "formaction"}


class Tags(HTMLParser):
    """Every tag with its attributes, the words in each, and the tags that are open at the end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.words.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]

    def said(self, tag: str) -> list[str]:
        return [words for name, words in self.words if name == tag]

    @property
    def text(self) -> str:
        return " ".join(words for tag, words in self.words if tag != "style")


def is_kept(page: str) -> Tags:
    """It asks nobody, runs nothing, and can be used by everybody; gives its tags."""
    tags = Tags(page)
    assert page.encode()
    assert tags.open == []
    assert not {tag for tag, _ in tags.found} & {"script", "link", "img", "iframe", "object", "embed", "base"}
    names = [name for _, attrs in tags.found for name in attrs]
    assert not [name for name in names if name.startswith("on") or name in _ASKING]
    assert not re.search(r"(?:https?:)?//\w|url\(|@import", page)
    assert ("html", {"lang": "en"}) in tags.found
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in tags.found
    assert "width=device-width" in page
    assert len(tags.of("h1")) == len(tags.of("main")) == 1
    ids = [attrs["id"] for _, attrs in tags.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    _controls_are_named(tags)
    _tables_are_read(tags)
    return tags


def _controls_are_named(tags: Tags) -> None:
    labels = {attrs.get("for") for attrs in tags.of("label")}
    controls = [attrs for tag in ("input", "select", "textarea") for attrs in tags.of(tag)]
    for attrs in controls:
        assert attrs.get("type") == "hidden" or attrs.get("id") in labels or attrs.get("aria-label")


def _tables_are_read(tags: Tags) -> None:
    assert len(tags.of("table")) == len(tags.of("caption"))
    assert {attrs.get("scope") for attrs in tags.of("th")} <= {"row", "col"}
    regions = [attrs for attrs in tags.of("div") if attrs.get("class") == "scrolling"]
    assert len(regions) == len(tags.of("table"))
    ids = {attrs.get("id") for _, attrs in tags.found}
    assert all(of["tabindex"] == "0" and of["role"] == "region" for of in regions)
    assert {of["aria-labelledby"] for of in regions} <= ids
