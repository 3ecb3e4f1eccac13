import re
from xml.etree import ElementTree as ET

import pytest

from coinhts_core.backtests.tearsheet.markup import tag
from coinhts_core.backtests.tearsheet.shell import shell, style


def test_a_page_stands_alone():
    """It loads nothing, sends nothing, tells nobody where it was, and is read on small screens and in the dark."""
    page = shell("<Title>", tag("main", "words"))
    told = {of.get("name") or of.get("http-equiv"): of.get("content") for of in _tree(page).iter("meta")}
    assert told["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "form-action 'none'" in told["Content-Security-Policy"]
    assert (told["referrer"], told["color-scheme"]) == ("no-referrer", "light dark")
    assert told["viewport"].startswith("width=device-width")
    assert _tree(page).find("head/title").text == "<Title>"
    assert not re.search(r"(?:https?:)?//\w|url\(|@import", page)


@pytest.mark.parametrize("name", ["style", "charts"])
def test_styles_name_their_colours(name):
    """Every colour that is used is there, in light and in dark."""
    named = [
        set(re.findall(r"--([\w-]+): #", block)) for block in re.findall(r":root \{(.*?)\}", style("style"), re.DOTALL)
    ]
    assert named[0] == named[1]
    assert set(re.findall(r"var\(--([\w-]+)\)", style(name))) <= named[0]


def _tree(page):
    return ET.fromstring(page.partition("\n")[2])  # noqa: S314 - our own text
