from http import HTTPStatus

import pytest

from coinhts_pipeline.front.origins import Refusal
from coinhts_pipeline.front.pages.doors import login_page, logout_page, refused_page, starting_page
from tests.pipeline.front.pages.tags import EVIL, Tags, is_kept

REFUSAL = Refusal(HTTPStatus.FORBIDDEN, "no", EVIL)
PAGES = [
    login_page(EVIL),
    login_page("/", REFUSAL),
    logout_page("owner"),
    starting_page(),
    refused_page(REFUSAL),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_door_keeps_what_every_page_keeps_and_leads_nowhere_else(page):
    """Whoever is outside is shown no way in but the door."""
    tags = is_kept(page)
    assert not tags.of("nav")
    assert {attrs["href"] for attrs in tags.of("a")} <= {"/"}


def test_a_refusal_is_read_aloud_and_belongs_to_its_field():
    """Whoever cannot see the colour hears it."""
    tags = Tags(login_page("/", Refusal(HTTPStatus.UNAUTHORIZED, "wrong", "This is not the password.")))
    (alert,) = [attrs for _, attrs in tags.found if attrs.get("role") == "alert"]
    (field,) = [attrs for attrs in tags.of("input") if attrs["type"] == "password"]
    assert field["aria-describedby"] == alert["id"]
    assert (field["aria-invalid"], field["autocomplete"]) == ("true", "current-password")
    assert "value" not in field


def test_where_to_go_after_the_login_is_kept():
    """As it was asked for, and as words."""
    (following,) = [attrs for attrs in Tags(login_page("/runs?a=1&b=2")).of("input") if attrs["type"] == "hidden"]
    assert (following["name"], following["value"]) == ("next", "/runs?a=1&b=2")


def test_who_waits_is_told_and_looks_again():
    """Without pressing anything."""
    tags = is_kept(starting_page())
    assert {"http-equiv": "refresh", "content": "2"} in tags.of("meta")
    assert [attrs for attrs in tags.of("p") if attrs.get("role") == "status"]
