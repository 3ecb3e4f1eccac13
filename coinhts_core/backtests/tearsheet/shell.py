"""What is around a page that stands alone: one self-contained file that asks nobody for anything.

What lives here: `shell`, its styles, and the policy by which it can load nothing. What stays out: what pages show.
"""

from functools import cache
from importlib import resources

from coinhts_core.backtests.tearsheet.markup import Markup, tag

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def shell(title: str, *body: str) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", style("style"), style("charts")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *body), lang='en')}\n"


@cache
def style(name: str) -> Markup:
    """`style`, of all that is no chart, or `charts`."""
    return Markup(resources.files(__package__).joinpath(f"{name}.css").read_text(encoding="utf-8"))
