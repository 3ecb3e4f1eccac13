import re

import pytest

from coinhts_pipeline.front.pages.looks import (
    CONTENT_POLICY,
    PAGES,
    Column,
    address,
    alert,
    choice,
    code,
    door,
    entry,
    facts,
    form,
    hidden,
    lines,
    page,
    table,
)
from tests.pipeline.front.pages.tags import EVIL, Tags, is_kept


def test_the_policy_lets_a_form_home_and_nothing_else():
    """Styles are ours, in the page; nobody frames it."""
    assert "default-src 'none'" in CONTENT_POLICY
    assert "form-action 'self'" in CONTENT_POLICY
    assert "frame-ancestors 'none'" in CONTENT_POLICY
    assert "script-src" not in CONTENT_POLICY


def test_every_page_leads_to_every_other():
    """The one that is shown is said to be, and so is the one it is below; the first key leads past them."""
    for name in PAGES:
        tags = is_kept(page("Title", here=name))
        assert tags.of("a")[0]["href"] == "#content"
        assert tags.of("main") == [{"id": "content", "tabindex": "-1"}]
        ways = {attrs["href"]: attrs.get("aria-current") for attrs in tags.of("a")[1:]}
        assert ways == {f"/reports/{of}": "page" if of == name else None for of in PAGES} | {
            "/": None,
            "/logout": None,
        }
        below = Tags(page("Title", here=name, is_below=True))
        assert [attrs["href"] for attrs in below.of("a") if attrs.get("aria-current") == "true"] == [f"/reports/{name}"]


def test_nothing_that_is_shown_is_taken_for_markup():
    """In titles, words, tables, forms and addresses."""
    parts = (
        alert(EVIL, "told"),
        code(EVIL),
        facts({EVIL: EVIL}),
        table("rows", EVIL, [Column(EVIL, link=address("/reports/results", sort=EVIL))], [[EVIL]]),
        form(
            hidden("kept", EVIL),
            entry("typed", EVIL, EVIL, EVIL),
            choice("chosen", EVIL, {EVIL: EVIL}, EVIL, EVIL),
            lines("several", EVIL, EVIL, EVIL),
            deed=EVIL,
            to="/reports/results",
        ),
    )
    is_kept(page(EVIL, *parts))
    is_kept(door(EVIL, *parts))


def test_a_column_says_whether_the_table_is_sorted_by_it():
    """And leads to the table sorted so; one column heads its row."""
    columns = [Column("Name"), Column("Return", is_number=True, link="?sort=return", sorted="descending")]
    tags = is_kept(page("Title", table("rows", "Rows", columns, [("sma", "+1.00%"), ("rsi", "-2.00%")])))
    assert [(of["scope"], of.get("aria-sort")) for of in tags.of("th")] == [
        ("col", None),
        ("col", "descending"),
        ("row", None),
        ("row", None),
    ]
    assert {of.get("class") for of in tags.of("td")} == {"number"}
    assert tags.said("a")[-1] == "Return"


def test_what_is_refused_of_a_field_belongs_to_it():
    """What was typed stays, line for line."""
    typed = "fast = 3\n\n slow = <8>"
    fields = (entry("cash", "Cash", "-1", "too little"), lines("knobs", "Knobs", typed, "not so"))
    tags = is_kept(
        page("Title", form(*fields, choice("kind", "Kind", ["a", "b"], "b"), deed="Ask", to="/reports/requests"))
    )
    (cash,) = tags.of("input")
    assert (cash["value"], cash["aria-invalid"], cash["aria-describedby"]) == ("-1", "true", "cash-refused")
    assert tags.of("textarea")[0]["aria-describedby"] == "knobs-refused"
    assert (
        "".join(re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page("", *fields), re.DOTALL))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        == typed
    )
    assert [of["value"] for of in tags.of("option") if "selected" in of] == ["b"]


def test_addresses_ask_for_what_there_is():
    """What is none is left out, and nothing escapes its name."""
    assert address("/reports/results") == "/reports/results"
    assert (
        address("/reports/results", sort=None, offset=50, symbol="a&b=c")
        == "/reports/results?offset=50&symbol=a%26b%3Dc"
    )


def test_a_page_that_waits_looks_again():
    """As often as it says, and no other does."""
    assert {"http-equiv": "refresh", "content": "2"} in Tags(page("Title", refresh_s=2)).of("meta")
    assert "refresh" not in page("Title")


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
        *((ink, ground, 4.5) for ink in ("quiet", "bad", "deed") for ground in ("ground", "card")),
        ("on-deed", "deed", 4.5),
        *(("ink", f"heat-{shade}", 4.5) for shade in range(6)),
        ("line", "ground", 3),
        ("b1", "ground", 3),
    ],
)
def test_everything_can_be_read(scheme, ink, ground, least):
    """The contrasts that accessibility asks for, in light and in dark."""
    blocks = re.findall(r":root \{(.*?)\}", page("Title"), re.DOTALL)
    assert len(blocks) == 2
    colours = dict(re.findall(r"--([\w-]+): #(\w+)", blocks[scheme]))
    light, dark = sorted((_luminance(colours[name]) for name in (ink, ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least


def test_no_colour_has_no_name():
    """So none escapes the test above, and none is forgotten in the dark."""
    style = Tags(page("Title")).said("style")[0]
    named = [set(re.findall(r"--([\w-]+): #", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)]
    assert named[0] == named[1]
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgba?\(|hsl", re.sub(r":root \{.*?\}", "", style, flags=re.DOTALL))
    assert set(re.findall(r"var\(--([\w-]+)\)", style)) <= named[0]
