"""Markup: elements whose words are escaped because nobody can forget to.

What lives here: `tag`, the one way to make an element, and `Markup`, text that is markup already. What stays out: which
elements there are (`page`, `tables`, `plots`).
"""

from html import escape

_ALONE = {"input", "meta", "path"}  # elements without an end of their own


class Markup(str):
    """Text that stands in a page as it is; every other text is escaped."""

    __slots__ = ()


def tag(element: str, *children: str, **attributes: str | int | None) -> Markup:
    """`class_` becomes class, `aria_label` aria-label; an attribute that is None is left out."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if element in _ALONE:
        return Markup(f"<{element}{given}/>")
    return Markup(f"<{element}{given}>{joined(*children)}</{element}>")


def joined(*children: str) -> Markup:
    return Markup("".join(escaped(child) for child in children))


def escaped(text: str) -> str:
    """What no page shows, such as control characters and halves of letters, becomes a replacement character."""
    if isinstance(text, Markup):
        return text
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return escape(text)
