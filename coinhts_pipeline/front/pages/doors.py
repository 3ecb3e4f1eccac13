"""Pages of the doorstep: to come in, to leave, to wait, and to be told why not.

What lives here: a function a page. What stays out: who may enter (`visitors`), and pages for whoever is inside.
"""

from coinhts_core.backtests.tearsheet.markup import tag
from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages.looks import alert, button, door, hidden, link

_SECONDS_BETWEEN_LOOKS = 2


def login_page(following: str, refusal: Refusal | None = None) -> str:
    """What was refused is read aloud, and the field says that it is about it."""
    told = [alert(refusal.message, "refused")] if refusal else []
    about = {"aria_invalid": "true", "aria_describedby": "refused"} if refusal else {}
    asked = {"type": "password", "autocomplete": "current-password", "required": "", "autofocus": "", **about}
    fields = (
        hidden("next", following),
        tag("label", "Password", for_="password"),
        tag("input", id="password", name="password", **asked),
        button("Log in"),
    )
    return door("Log in", *told, tag("form", *fields, method="post", action="/login"))


def logout_page(role: str) -> str:
    return door(
        "Log out",
        tag("p", f"You are logged in as the {role}."),
        tag("form", button("Log out"), method="post", action="/logout"),
        tag("p", link("Stay", "/")),
    )


def starting_page() -> str:
    """It looks again by itself."""
    waiting = tag("p", "The UI is starting. This page looks again by itself.", role="status")
    return door("Starting", waiting, refresh_s=_SECONDS_BETWEEN_LOOKS)


def refused_page(refusal: Refusal) -> str:
    return door(refusal.status.phrase, tag("p", refusal.message, role="alert"))
