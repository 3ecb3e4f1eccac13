import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinhts_pipeline.front.reports import SANDBOX, within

HIDDEN = "what nobody may read"


@pytest.fixture
def reports(tmp_path) -> Path:
    """Reports, and things that are none: beside them, hidden, linked from outside."""
    folder = tmp_path / "reports"
    (folder / "performance" / "sma_cross").mkdir(parents=True)
    (folder / "performance" / "sma_cross" / "KRW-BTC.html").write_text("<h1>KRW-BTC</h1>")
    (folder / "보고 & <b>.html").write_text("<h1>escaped</h1>")
    (folder / ".hidden.html").write_text(HIDDEN)
    (tmp_path / "key.txt").write_text(HIDDEN)
    (tmp_path / "reports-of-others").mkdir()
    (tmp_path / "reports-of-others" / "x.html").write_text(HIDDEN)
    (folder / "link.html").symlink_to(tmp_path / "key.txt")
    (folder / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.usefixtures("reports")
def test_a_report_may_draw_and_nothing_else(open_port):
    """What it runs belongs to no origin: no door opens to it, and it fetches nothing."""
    answer = open_port.page("/reports/performance/sma_cross/KRW-BTC.html")
    assert (answer.status, answer.body) == (200, b"<h1>KRW-BTC</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == SANDBOX
    assert SANDBOX.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in SANDBOX
    assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
    assert open_port.read("/reports/performance/sma_cross/KRW-BTC.html", range="bytes=4-6").body == b"KRW"


def test_folders_are_listed(reports, open_port):
    """Each by name, without what is hidden or leads elsewhere."""
    listed = open_port.page("/reports/")
    text = listed.body.decode()
    assert 'href="./performance/"' in text
    assert 'href="./%EB%B3%B4%EA%B3%A0%20%26%20%3Cb%3E.html">보고 &amp; &lt;b&gt;.html</a>' in text
    assert "KST" in text
    assert not [name for name in (".hidden", "link.html", "elsewhere") if name in text]
    assert open_port.read("/reports/%EB%B3%B4%EA%B3%A0%20%26%20%3Cb%3E.html").body == b"<h1>escaped</h1>"
    assert 'href="./KRW-BTC.html"' in open_port.page("/reports/performance/sma_cross/").body.decode()
    assert open_port.page("/reports/performance/sma_cross").headers["location"] == "./sma_cross/"
    assert open_port.page("/reports").headers["location"] == "/reports/"
    assert reports.is_dir()


def test_without_reports_it_says_so(open_port):
    """A new house has none."""
    assert b"nothing yet" in open_port.page("/reports/").body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_reports_are_read(reports, open_port, method):
    """Nobody writes them from here."""
    assert open_port.ask(method, "/reports/link.html", b"x", origin=open_port.origin).status == 405
    assert (reports / "link.html").is_symlink()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../key.txt",
            "..%2fkey.txt",
            "%2e%2e/key.txt",
            "%2e%2e%2fkey.txt",
            "..%5ckey.txt",
            "....//key.txt",
            "./../key.txt",
            "performance/../../key.txt",
        ),
        *(
            "link.html",
            "elsewhere/key.txt",
            "elsewhere/",
            ".hidden.html",
            "%00",
            "link.html%00.html",
            "pipe",
            "x" * 5_000,
        ),
        *(
            "/etc/passwd",
            "//etc/passwd",
            "performance//sma_cross/KRW-BTC.html",
            "../reports-of-others/x.html",
            "%252e%252e/key.txt",
        ),
    ],
)
def test_nothing_else_is_reached(reports, open_port, path):
    """However it is spelt."""
    answer = open_port.read(f"/reports/{path}")
    assert answer.status in {404, 406, 200}
    assert HIDDEN.encode() not in answer.body
    assert answer.status == 404 or reports.name not in path


NAMES = st.sampled_from(
    ["..", ".", "", "%2e%2e", "reports", "performance", "link.html", "elsewhere", "key.txt", "x", "\0", "\\", "~"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES | st.text(max_size=6), max_size=8).map("/".join))
def test_no_path_leads_out(reports, path):
    """What is found lies below, whatever links say."""
    found = within(reports, path)
    assert found is None or (
        found.is_relative_to(reports.resolve()) and HIDDEN not in str(found.is_file() and found.read_text())
    )
