from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.backtests.tearsheet.markup import Markup, joined, tag


@given(st.text(), st.text())
def test_every_text_arrives_as_text(words, name):
    """Whatever it holds, it is neither an element nor the end of an attribute, and a file can hold it."""
    made = tag("p", words, title=name)
    element = ET.fromstring(made.encode())  # noqa: S314 - our own text
    assert (len(element), element.text or "", element.get("title")) == (0, _shown(words), _shown(name))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "</title>&"])
def test_what_is_no_markup_is_escaped(text):
    """In words and in attributes."""
    made = tag("b", text, id=text)
    assert text not in made
    assert "<script" not in made
    assert "<img" not in made


def test_markup_stands_as_it_is():
    """Elements hold elements, and words beside them."""
    made = tag("p", tag("b", "1 < 2"), " & ", Markup("<i>so</i>"), class_="a", aria_label="b", tabindex=0, id=None)
    assert made == '<p class="a" aria-label="b" tabindex="0"><b>1 &lt; 2</b> &amp; <i>so</i></p>'
    assert isinstance(made, Markup)
    assert joined("<", made) == f"&lt;{made}"


def test_some_elements_stand_alone():
    """A drawing's shapes, the head's facts and fields have no inside."""
    assert tag("path", d="M0 0") == '<path d="M0 0"/>'
    assert tag("input", name="a", value="") == '<input name="a" value=""/>'


def _shown(text):
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
