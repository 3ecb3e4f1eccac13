import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from http import HTTPStatus

import pytest

from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages import (
    CONTENT_POLICY,
    Entry,
    login_page,
    logout_page,
    refused_page,
    reports_page,
    starting_page,
)

EVIL = '"><script>alert(1)</script>'
REFUSAL = Refusal(HTTPStatus.FORBIDDEN, "no", EVIL)
PAGES = [
    login_page(EVIL),
    login_page("/", REFUSAL),
    logout_page("owner"),
    starting_page(),
    refused_page(REFUSAL),
    reports_page("", []),
    reports_page(f"{EVIL}/", [Entry(EVIL, is_folder=False, size=1, changed_at=datetime(2026, 3, 1, tzinfo=UTC))]),
]


class Tags(HTMLParser):
    """Every tag with its attributes, and the tags that are open at the end."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_nobody_and_runs_nothing(page):
    """No script, no address of another server, nothing that was sent is taken for markup."""
    tags = Tags(page)
    assert tags.open == []
    assert not {tag for tag, _ in tags.found} & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"https?:|url\(|@import", page)
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_used_by_everybody(page):
    """In dark and light, on a small screen, read aloud, without a mouse."""
    tags = Tags(page).found
    assert ("html", {"lang": "en"}) in tags
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in tags
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page
    assert ":focus-visible" in page
    assert [tag for tag, _ in tags].count("h1") == [tag for tag, _ in tags].count("main") == 1
    labels = {attrs.get("for") for tag, attrs in tags if tag == "label"}
    assert {attrs["id"] for tag, attrs in tags if tag == "input" and attrs["type"] != "hidden"} <= labels


def test_a_refusal_is_read_aloud_and_belongs_to_its_field():
    """Whoever cannot see the colour hears it."""
    tags = Tags(login_page("/", Refusal(HTTPStatus.UNAUTHORIZED, "wrong", "This is not the password."))).found
    (alert,) = [attrs for tag, attrs in tags if attrs.get("role") == "alert"]
    (field,) = [attrs for tag, attrs in tags if attrs.get("type") == "password"]
    assert field["aria-describedby"] == alert["id"]
    assert (field["aria-invalid"], field["autocomplete"]) == ("true", "current-password")
    assert "value" not in field


def test_the_policy_lets_a_form_home_and_nothing_else():
    """Styles are ours, in the page; nobody frames it."""
    assert "default-src 'none'" in CONTENT_POLICY
    assert "form-action 'self'" in CONTENT_POLICY
    assert "frame-ancestors 'none'" in CONTENT_POLICY
    assert "script-src" not in CONTENT_POLICY


def _luminance(colour):
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("ink", "ground", 7),
        ("quiet", "ground", 4.5),
        ("bad", "ground", 4.5),
        ("deed", "ground", 4.5),
        ("on-deed", "deed", 4.5),
        ("line", "ground", 3),
    ],
)
def test_everything_can_be_read(scheme, ink, ground, least):
    """The contrasts that accessibility asks for, in light and in dark."""
    colours = [
        dict(re.findall(r"--([\w-]+): #(\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", login_page("/"), re.DOTALL)
    ]
    light, dark = sorted((_luminance(colours[scheme][name]) for name in (ink, ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least
