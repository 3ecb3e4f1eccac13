from decimal import Decimal

import pytest

from coinhts_core.backtests.undefined import Undefined
from coinhts_core.holdings.document import document_of
from coinhts_core.holdings.prices import Course, Mark
from coinhts_pipeline.front.pages.positions import Shown, exact, positions_page
from tests.core.holdings.kept import NOON, held
from tests.pipeline.front.pages.tags import EVIL, is_kept


class Prices:
    """A market that stands still."""

    def __init__(self, price="96000000"):
        self._price = price

    def mark(self, symbol):
        return Mark(Decimal(self._price), NOON) if self._price else Undefined(f"no minutes of {symbol} are stored")

    def course(self, holding):
        return Course(-0.05, 0.12, holding.closed_at or NOON)


def shown(*holdings, prices=None, matching=None, **asked):
    documents = [document_of(of, prices or Prices(), NOON) for of in holdings]
    return is_kept(positions_page(Shown(documents, matching or len(documents), asked, 20)))


def test_a_position_is_told_as_it_is():
    """Prices to the digit, profits in won and percent, the worst and the best moment; times in both zones."""
    found = shown(held(), held(number=2, exit_price_krw="97000000", note="첫 매수"))
    assert {"+1.00%", "+2.00%"} <= set(found.said("td"))
    assert {"190,400 KRW", "9,600 KRW", "-5.00%", "+12.00%", "첫 매수"} <= set(found.said("td"))
    assert {"at 95,000,000 KRW", "at 96,000,000 KRW", "1, open", "2, closed"} <= set(found.said("small"))
    assert "2026-01-02 12:00 UTC 01-02 21:00 KST" in found.text


def test_totals_are_of_those_that_are_listed():
    """Whole won, and how many won."""
    found = shown(held(), held(number=2, exit_price_krw="97000000"))
    told = dict(zip(found.said("dt"), found.said("dd"), strict=True))
    assert told["Realised, of those listed"] == "190,400 KRW"
    assert told["Unrealised, of those listed"] == "95,250 KRW"
    assert (told["Won and lost"], told["Share won"]) == ("1 and 0", "100.00%")


def test_what_is_not_known_has_a_reason():
    """Instead of a figure; and the total says that one is left out."""
    found = shown(held(), prices=Prices(price=None))
    assert "KRW-BTC 1: unrealised_krw: no minutes of KRW-BTC are stored" in found.said("li")
    assert "Open, without a price" in found.said("dt")


def test_the_page_changes_nothing_and_says_what_does():
    """Commands; the only form looks for others."""
    found = shown(held())
    assert [attrs["method"] for attrs in found.of("form")] == ["get"]
    assert found.said("code") == ["coinhts position open", "close", "annotate", "delete"]


def test_an_empty_book_says_how_to_begin():
    """And a filter that finds nothing that there is nothing like that."""
    assert "coinhts position open" in " ".join(shown().said("code"))
    assert "No position is like that." in shown(state="closed").said("p")


@pytest.mark.parametrize(("offset", "links"), [("0", ["20"]), ("20", ["", "40"]), ("40", ["20"])])
def test_a_long_book_is_turned_over(offset, links):
    """With what it is filtered by."""
    found = shown(held(), matching=60, symbol="KRW-BTC", offset=offset)
    here = [attrs["href"] for attrs in found.of("a") if attrs["href"].startswith("/reports/positions?")]
    assert [of.partition("offset=")[2] for of in here] == links
    assert all("symbol=KRW-BTC" in of for of in here)


def test_nothing_that_was_written_down_is_taken_for_markup():
    """Nor what was looked for."""
    shown(held(note=EVIL), symbol=EVIL, state=EVIL)


@pytest.mark.parametrize(
    ("number", "text"), [("0.10000000", "0.1"), ("95000000", "95,000,000"), ("1234.5", "1,234.5"), ("1E+3", "1,000")]
)
def test_amounts_keep_every_digit(number, text):
    """And no nought that says nothing."""
    assert exact(Decimal(number)) == text
