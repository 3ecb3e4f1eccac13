"""What tests of positions kept by hand may ask for."""

import pytest

from coinhts_core.holdings.book import Book
from tests.core.holdings.kept import Kept


@pytest.fixture
def kept(ledger):
    """Give a book of its own."""
    return Kept(Book(ledger))
