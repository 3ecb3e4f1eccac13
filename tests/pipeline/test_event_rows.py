import csv
import json

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._serdes import serialize_value

from coinhts_core.masking import Mask
from coinhts_pipeline.event_rows import copied, moment, spelled

OPEN = Mask([])
AWKWARD = 'a "quoted"\\ word, \t a tab\nand a line of 한글 with "timestamp": 1.5, inside'


def some_events(count, *, asset="made", run="r", words=AWKWARD):
    """Materialisations of a range, as a step logs them, with a plan of each before."""
    return [
        EventLogEntry(
            error_info=None,
            level=10,
            user_message=f"Materialized {asset}",
            run_id=run,
            timestamp=1_795_185_322.5 + place / 7,
            step_key=asset,
            job_name="days",
            dagster_event=DagsterEvent(
                event_type_value=kind,
                job_name="days",
                logging_tags={"run_id": run},
                event_specific_data=about,
                message=words,
                step_key=asset,
            ),
        )
        for place in range(count)
        for kind, about in (
            ("ASSET_MATERIALIZATION_PLANNED", AssetMaterializationPlannedData(dg.AssetKey(asset), f"2026-01-0{place}")),
            ("ASSET_MATERIALIZATION", StepMaterializationData(_made(asset, place, words))),
        )
    ]


def _made(asset, place, words):
    metadata = {"rows": place, "preview": dg.MetadataValue.md(words), "run": dg.MetadataValue.dagster_run("r")}
    tags = {"dagster/data_version": str(place), "dagster/partition/date": f"2026-01-0{place}"}
    return dg.AssetMaterialization(asset, partition=f"2026-01-0{place}", tags=tags, metadata=metadata)


@pytest.mark.parametrize("words", ["plain", AWKWARD, ""])
def test_events_are_spelled_as_dagster_spells_them(words):
    """To the letter, whichever neighbours they have."""
    events = [*some_events(3, words=words), *some_events(2, asset="other", run="s", words=words)]
    assert spelled(events, OPEN) == [serialize_value(event) for event in events]


def test_a_secret_is_in_none_of_them():
    """Neither in what they have in common, nor in what is each one's own."""
    events = some_events(2, words="the word is geheim99")
    hidden = spelled(events, Mask(["geheim99"]))
    assert not any("geheim99" in text for text in hidden)
    assert all("***" in text for text in hidden)
    assert [json.loads(text)["timestamp"] for text in hidden] == [event.timestamp for event in events]


def test_rows_are_read_back_as_they_are():
    """Backslashes, tabs and line ends among them; what is nothing is none."""
    rows = [(1, AWKWARD, None), (2, r"C:\new\table", "x")]
    found = list(csv.reader(copied(rows), delimiter="\t", quoting=csv.QUOTE_NONE))
    unescaped = [[_read(field) for field in row] for row in found]
    assert unescaped == [["1", AWKWARD, None], ["2", r"C:\new\table", "x"]]


def _read(field):
    if field == r"\N":
        return None
    return field.replace("\\\\", "\0").replace(r"\t", "\t").replace(r"\n", "\n").replace("\0", "\\")


def test_a_moment_is_in_utc_without_a_zone():
    """As the column takes it."""
    (event, *_) = some_events(1)
    assert moment(event) == "2026-11-20 14:35:22.500000"
