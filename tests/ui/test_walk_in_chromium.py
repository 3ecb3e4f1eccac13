"""A whole day at the UI: logged in, forms sent as they are, ten days of two coins backfilled, looked at, left."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from time import monotonic, sleep

import pytest
from playwright.sync_api import Locator, Page, expect

from coinhts_core.backtests.chain import positions_version
from coinhts_core.lake.lake import Lake
from coinhts_core.lineup import read_lineup
from coinhts_core.markets import Market
from tests.ui.conftest import watched
from tests.ui.house import (
    House,
    chooses,
    is_closed_to_strangers,
    is_for_our_pages,
    locked_up,
    logs_in,
    logs_out,
)

pytestmark = pytest.mark.slow

COINS, FIRST, DAYS = ("KRW-BTC", "KRW-ETH"), date(2026, 1, 1), 10
LAST = FIRST + timedelta(days=DAYS - 1)
ROOMS = ("candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross")
SCREENS = {"desk": {"width": 1280, "height": 800}, "hand": {"width": 390, "height": 844}}
PATIENCE_S = 240
# What sticks out of the screen sideways, but what lies in a box that scrolls by itself.
STICKING_OUT = """
    () => [...document.querySelectorAll("body *")].filter(of => !of.closest(".scrolling") && !of.closest("svg"))
        .map(of => [of.tagName + " " + of.textContent.slice(0, 40), of.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.right > innerWidth + 0.5 || box.left < -0.5)).map(([name]) => name)
"""
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "coinhts"}
JOBS = """
    query($repository: RepositorySelector!) {
      repositoryOrError(repositorySelector: $repository) { ... on Repository { jobs { name } } }
    }
"""
FORM = """
    query($job: PipelineSelector!) {
      runConfigSchemaOrError(selector: $job) { __typename ... on RunConfigSchema { rootDefaultYaml allConfigTypes {
        key ... on CompositeConfigType { fields { name description isRequired defaultValueAsJson } } } } }
    }
"""
LAUNCH = """
    mutation($of: ExecutionParams!) {
      launchRun(executionParams: $of) { __typename ... on LaunchRunSuccess { run { runId } }
        ... on RunConfigValidationInvalid { errors { message } } ... on PythonError { message } }
    }
"""
STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
EVENTS = """
    query($asset: AssetKeyInput!) {
      assetOrError(assetKey: $asset) { ... on Asset { assetMaterializations(limit: 1000) {
        partition runId tags { key value } metadataEntries { label ... on TextMetadataEntry { text }
          ... on PipelineRunMetadataEntry { runId } } } } }
    }
"""


def furnished(home):
    """Give a home in which sma_cross alone runs."""
    home.mkdir()
    resting = (name for name in read_lineup() if name != "sma_cross")
    (home / "strategies.toml").write_text("".join(f"[{name}]\nenabled = false\n" for name in resting))
    return home


@pytest.fixture
def house(chromium, server_home) -> Iterator[House]:
    del chromium  # without it there is nobody to look
    with locked_up(furnished(server_home), symbols=",".join(COINS)) as house:
        yield house


@pytest.fixture
def page(browser) -> Page:
    return browser.new_page(viewport=SCREENS["desk"])


def test_two_coins_are_backfilled_by_hand_as_the_command_would(house, page, keep, tmp_path):
    """From the login to the logout, everything asked of the UI is done by it, and leaves what one command leaves."""
    hosts, errors = watched(page)
    is_closed_to_strangers(house)
    _is_shown_in(page, f"{house.url}/overview", "login", keep)
    logs_in(page, "falsch")
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    _is_shown_in(page, None, "login-refused", keep)
    errors.clear()  # the browser names the refusal, too
    logs_in(page)
    page.wait_for_url("**/overview")
    expect(page.get_by_role("link", name="Materialize an asset")).to_be_visible()

    page.goto(f"{house.url}/assets/positions/sma_cross?view=lineage&lineageScope=upstream&lineageDepth=5")
    for room in ("candles", "signals", "backtests", "positions"):
        expect(page.get_by_text(room, exact=True).first).to_be_visible()
    keep(page, "lineage")
    page.get_by_role("button", name="Materialize all").click()
    chooses(page, f"[{FIRST}...{LAST}]", *COINS)
    keep(page, "dialog")
    page.get_by_role("dialog").get_by_role("button", name="Launch backfill").click()
    _in_time(lambda: {room: len(_told(house, room)) for room in ROOMS} == dict.fromkeys(ROOMS, DAYS * len(COINS)))

    for room in ROOMS:
        page.goto(f"{house.url}/assets/{room}?view=partitions")
        expect(page.get_by_text(f"Materialized ({DAYS * len(COINS)})")).to_be_visible()
        expect(page.get_by_text("Failed (0)")).to_be_visible()
    keep(page, "partitions")
    told = {room: {key: of["version"] for key, of in _told(house, room).items()} for room in ROOMS}
    assert told == _of_one_command(tmp_path)
    assert len({of["run"] for room in ROOMS for of in _told(house, room).values()}) == len(COINS)  # candles and all
    _answers_what_and_whence(house)

    link = _sees_the_equity(house, page, keep)
    assert errors == []
    with page.context.expect_page() as opened:
        link.click()
    sheet = opened.value
    expect(sheet.get_by_role("heading", name="Equity")).to_be_visible()
    assert sheet.evaluate("self.origin") == "null"  # its sandbox: it belongs to nobody
    _is_shown_in(sheet, None, "tearsheet", keep)
    for name, path in (("reports", "/reports/performance/sma_cross/"), ("logout", "/logout")):
        _is_shown_in(page, house.url + path, name, keep)

    cookie = is_for_our_pages(house, page)
    page.set_viewport_size(SCREENS["desk"])
    logs_out(house, page)
    expect(page.get_by_label("Password")).to_be_focused()
    assert [house.query(cookie=cookie, origin=house.url), house.listen(cookie=cookie)] == [401, 401]
    is_closed_to_strangers(house)
    page.goto(f"{house.url}/runs")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert hosts - {""} == {house.netloc}  # pictures inside a page have no host


def test_every_form_is_sent_as_it_is(house):
    """The launchpad of each job explains its fields, and what it is filled with is a run that succeeds."""
    found = house.graphql(JOBS, repository=REPOSITORY)["repositoryOrError"]["jobs"]
    jobs = {of["name"] for of in found if not of["name"].startswith("__")}
    assert jobs >= {"refresh_markets", "collect_day_candles", "rehearse_days", "publish_performance"}
    partitions = {"collect_day_candles": "KRW-BTC", "rehearse_days": f"{FIRST}|KRW-BTC"}
    for job in jobs:
        named = {**REPOSITORY, "pipelineName": job}
        form = house.graphql(FORM, job=named)["runConfigSchemaOrError"]
        assert form["__typename"] == "RunConfigSchema", job
        ours = [field for of in form["allConfigTypes"] for field in of.get("fields", ()) if field["name"] == "refresh"]
        assert bool(ours) == (job == "rehearse_days")
        assert all(of["description"] and not of["isRequired"] and of["defaultValueAsJson"] for of in ours)
        asked = {
            "selector": named,
            "mode": "default",
            "runConfigData": form["rootDefaultYaml"],
            "executionMetadata": {
                "tags": [{"key": "dagster/partition", "value": partitions[job]}] if job in partitions else []
            },
        }
        launched = house.graphql(LAUNCH, of=asked)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]
        _in_time(lambda run=run: house.graphql(STATUS, run=run)["runOrError"]["status"] in {"SUCCESS", "FAILURE"})
        ends = "FAILURE" if job == "submit_request" else "SUCCESS"  # it asks about days that nobody has collected here
        assert house.graphql(STATUS, run=run)["runOrError"]["status"] == ends, job


def _sees_the_equity(house: House, page: Page, keep) -> Locator:
    """Of a strategy whose performance is published now; gives the link to a tearsheet beside it."""
    page.goto(f"{house.url}/assets/performance/sma_cross")
    page.get_by_role("button", name="Materialize").click()
    link = page.get_by_role("link", name="/reports/performance/sma_cross/KRW-BTC.html")
    expect(link).to_be_visible(timeout=PATIENCE_S * 1_000)
    page.get_by_role("row").filter(has_text="equity").get_by_text("[Show Markdown]").click()
    curve = page.get_by_role("img", name="sma_cross: equity by coin")
    expect(curve).to_be_visible()
    assert curve.evaluate("of => of.naturalWidth") > 300
    keep(page, "equity")
    page.keyboard.press("Escape")
    return link


def _is_shown_in(page: Page, url: str | None, name: str, keep) -> None:
    """On a desk and in a hand nothing of a page of ours sticks out."""
    if url:
        page.goto(url)
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        assert page.evaluate(STICKING_OUT) == []
        for light in ("dark", "light"):
            page.emulate_media(color_scheme=light)
            keep(page, f"{name}-{screen}-{light}")
    page.set_viewport_size(SCREENS["desk"])


def _told(house: House, room: str) -> dict[str, dict]:
    """What the event log says of each partition, the newest event of each."""
    events = house.graphql(EVENTS, asset={"path": room.split("/")})["assetOrError"].get("assetMaterializations", [])
    told: dict[str, dict] = {}
    for event in events:
        facts = {entry["label"]: entry.get("text") or entry.get("runId") for entry in event["metadataEntries"]}
        tags = {tag["key"]: tag["value"] for tag in event["tags"]}
        told.setdefault(event["partition"], {"version": tags["dagster/data_version"], "run": event["runId"], **facts})
    return told


def _answers_what_and_whence(house: House) -> None:
    """Which candles, which version, which code, which run, and when, beside each other on every partition."""
    candles = {key: of["version"] for key, of in _told(house, "candles/minute").items()}
    for room in ROOMS:
        for key, of in _told(house, room).items():
            assert of["data_version"] == of["version"], room
            assert of.get("candles", of.get("content_hash")) == candles[key], room
            assert of["code_version"], room
            assert " UTC (" in of["stored_at"], room


def _of_one_command(folder) -> dict[str, dict[str, str]]:
    """The versions that `coinhts backfill` leaves in a home of its own."""
    home = furnished(folder / "by command")
    subprocess.run(
        [sys.executable, "-m", "coinhts_pipeline.cli", "backfill", "--json", "--timerange", f"{FIRST}-{LAST}"],
        env={**os.environ, "COINHTS_HOME": str(home), "COINHTS_SYMBOLS": ",".join(COINS)},
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    lake = Lake.open(str(home / "lake"))
    versions = {
        room: {f"{day}|{coin}": of.data_version for coin in COINS for day, of in lake.heads(room, Market(coin)).items()}
        for room in ROOMS[:3]
    }
    return versions | {ROOMS[3]: {key: positions_version(link) for key, link in versions[ROOMS[2]].items()}}


def _in_time(is_so) -> None:
    until = monotonic() + PATIENCE_S
    while not is_so():
        assert monotonic() < until, "it took too long"
        sleep(1)
