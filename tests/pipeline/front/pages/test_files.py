from datetime import UTC, datetime

from coinhts_pipeline.front.pages.files import Entry, folder_page, front_page
from coinhts_pipeline.front.pages.looks import note
from tests.pipeline.front.pages.tags import EVIL, is_kept

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def test_a_folder_is_listed_by_name():
    """Sizes, and times in both zones; nothing that a name says is taken for markup."""
    entries = [Entry("old", is_folder=True, size=0, changed_at=AT), Entry(EVIL, False, 2_048, AT)]  # noqa: FBT003 - as listed
    tags = is_kept(folder_page(f"{EVIL}/", entries))
    assert [attrs["href"] for attrs in tags.of("a") if attrs["href"].startswith(".")][:2] == ["../", "./old/"]
    assert "2026-03-01 23:30 UTC" in tags.text
    assert "03-02 08:30 KST" in tags.text
    assert "2 KiB" in tags.text


def test_the_front_page_shows_files_below_what_stands_above():
    """An empty folder says so."""
    tags = is_kept(front_page(note("above"), []))
    assert tags.text.index("above") < tags.text.index("nothing yet")
    assert [attrs["href"] for attrs in tags.of("a") if attrs.get("aria-current") == "page"] == ["/reports/"]
