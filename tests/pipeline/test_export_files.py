import csv
import json
from datetime import date, datetime, timedelta
from io import BytesIO

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import DamagedObjectError, RefusedError
from coinhts_core.exchanges.sample import SampleExchange
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market, Timeframe
from coinhts_pipeline.export_files import FORMATS, Wanted, _Csv, export_files, show

SAMPLE = SampleExchange()
BTC, SC = Market("KRW-BTC"), Market("KRW-SC")
FIRST, LAST = date(2026, 1, 26), date(2026, 2, 10)


def followed(symbol, **facts):
    return Registered(
        **{"symbol": symbol, "first_day": date(2025, 3, 10), "anchor": date(2026, 1, 1), "delisted_on": None}
        | {"is_active": True}
        | facts
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Give a lake with sixteen days of two coins, over a month's end."""
    lake = Lake.open(str(tmp_path_factory.mktemp("lake")))
    for symbol in (BTC, SC):
        days = {day: DayRows.of(CANDLES, SAMPLE.minutes(symbol, day)) for day in DayRange(FIRST, LAST)}
        lake.publish(MINUTES, symbol, days)
    return lake


def wanted(folder, timeframe=Timeframe.M1, form="parquet", first=FIRST, last=LAST, **facts):
    return Wanted(DayRange(first, last), timeframe, form, folder, **facts)


def minutes(symbol, first=FIRST, last=LAST):
    return pl.concat(SAMPLE.minutes(symbol, day) for day in DayRange(first, last))


def read(file):
    if file.suffix == ".parquet":
        return pl.read_parquet(file)
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    times = [datetime.fromisoformat(row["opened_at"]) for row in rows]
    assert {of.utcoffset() for of in times} == {timedelta()}
    columns = {name: [float(row[name]) for row in rows] for name in CANDLES.names[1:]}
    return pl.DataFrame({"opened_at": times, **columns}, schema=CANDLES.empty().schema)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("timeframe", Timeframe)
def test_a_file_holds_the_bars_to_the_last_bit(lake, tmp_path, timeframe, form):
    """Of any length, over a month's end, in either format, with the columns that others know."""
    asked = wanted(tmp_path / "made" / "for it", timeframe, form)
    (exported,) = export_files(lake, [followed(BTC)], asked).exported
    last = date(2026, 2, 8) if timeframe is Timeframe.W1 else LAST
    expected = resample(minutes(BTC, FIRST, last), Timeframe.M1, timeframe)
    assert read(asked.file(BTC)).equals(expected)
    assert (exported.bars, exported.first, exported.last, exported.days_missing) == (
        expected.height,
        FIRST,
        last,
        (LAST - last).days,
    )
    assert [of.name for of in asked.folder.iterdir()] == [f"KRW-BTC-{timeframe}.{form}"]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_can_be_imported(house, answer, tmp_path, form):
    """As if it had been downloaded: the same content hash, day by day, minutes and days."""
    asked = ("--symbols", "KRW-BTC,KRW-ETH", "--timerange", "20260128-20260203")
    assert answer("data", "download", *asked)[0] == 0
    code, out, err = answer("data", "export", *asked, "--format", form, "--to", str(tmp_path), "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert [of["symbol"] for of in told["files"]] == ["KRW-BTC", "KRW-ETH"]
    code, out, err = answer("data", "import", str(tmp_path), "--dry-run", "--json")
    assert (code, err) == (0, "")
    for of in json.loads(out)["files"]:
        assert (of["already_there"], of["good"], of["different"], of["refused"]) == (7, 0, 0, 0)
    assert answer("data", "export", *asked, "--format", form, "--to", str(tmp_path), "--timeframe", "1d")[0] == 0
    assert answer("data", "import", str(tmp_path / f"KRW-BTC-1d.{form}"))[0] == 0
    heads = house.rooms.lake.heads("candles/day", BTC)
    days = {day: CANDLES.content_hash(SAMPLE.days(BTC, day, day)) for day in heads}
    assert {day: of.content_hash for day, of in heads.items()} == days
    assert len(days) == 7


def test_an_import_elsewhere_makes_the_same_days(open_house, answer, tmp_path):
    """Another installation takes the file over: its days hash to what the first one's do."""
    asked = ("--symbols", "KRW-BTC", "--timerange", "20260101-20260105")
    hashes = []
    for step in ("data download", f"data import {tmp_path}"):
        with open_house() as house:
            assert answer(*step.split(), *(asked if "download" in step else ()))[0] == 0
            if "download" in step:
                assert answer("data", "export", *asked, "--format", "csv", "--to", str(tmp_path))[0] == 0
            heads = house.rooms.lake.heads(MINUTES, BTC)
            hashes.append({day: of.content_hash for day, of in heads.items()})
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 5


def test_nothing_is_overwritten_unasked(lake, tmp_path):
    """Refused before anything is written, also for the others; with --replace the file is another one at once."""
    asked = wanted(tmp_path, form="csv")
    asked.file(SC).write_text("somebody's own")
    with pytest.raises(RefusedError, match=r"KRW-SC-1m.csv would be overwritten; add --replace"):
        export_files(lake, [followed(BTC), followed(SC)], asked)
    assert [of.read_text() for of in tmp_path.iterdir()] == ["somebody's own"]
    export_files(lake, [followed(SC)], wanted(tmp_path, form="csv", is_replacing=True))
    assert read(asked.file(SC)).equals(minutes(SC))


def test_a_failure_on_the_way_leaves_no_file(tmp_path):
    """Nor a part of one; and a file that was there before is what it was."""
    lake = Lake.open(str(tmp_path / "lake"))
    lake.publish(MINUTES, BTC, {day: DayRows.of(CANDLES, SAMPLE.minutes(BTC, day)) for day in DayRange(FIRST, LAST)})
    (damaged,) = (tmp_path / "lake").rglob("month=2026-02/*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    asked = wanted(tmp_path / "files", is_replacing=True)
    asked.folder.mkdir()
    asked.file(BTC).write_text("as before")
    with pytest.raises(DamagedObjectError):
        export_files(lake, [followed(BTC)], asked)
    assert [of.read_text() for of in asked.folder.iterdir()] == ["as before"]


def test_a_folder_that_cannot_be_written_is_named(lake, tmp_path):
    """In one sentence that says what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(RefusedError, match=r"file/below cannot be written to \(Not a directory\); name another"):
        export_files(lake, [followed(BTC)], wanted(tmp_path / "file" / "below"))


def test_a_coin_without_candles_is_named(lake, tmp_path, capsys):
    """The others are exported; nothing at all to export is refused."""
    eth = followed(Market("KRW-ETH"))
    report = export_files(lake, [eth, followed(BTC)], wanted(tmp_path))
    assert (report.without_candles, [of.symbol for of in report.exported]) == (["KRW-ETH"], ["KRW-BTC"])
    show(report)
    assert "nothing to export of KRW-ETH" in capsys.readouterr().err
    with pytest.raises(RefusedError, match=r"there is no bar of 1m in 2026-01-26..2026-02-10; `coinhts data status`"):
        export_files(lake, [eth], wanted(tmp_path))
    with pytest.raises(RefusedError, match="there is no bar of 1w in"):
        export_files(lake, [followed(BTC)], wanted(tmp_path, Timeframe.W1, last=date(2026, 1, 31)))


def test_a_week_is_whole_or_not_there(tmp_path):
    """Not one that lacks a day in the middle, or at an end that was not asked for; days before the listing lack not."""
    lake, monday = Lake.open(str(tmp_path / "lake")), date(2026, 1, 5)
    stored = [day for day in DayRange(date(2026, 1, 7), date(2026, 2, 1)) if day != date(2026, 1, 21)]
    lake.publish(MINUTES, BTC, {day: DayRows.of(CANDLES, SAMPLE.minutes(BTC, day)) for day in stored})

    def mondays(last=date(2026, 2, 1), **facts):
        asked = wanted(tmp_path, Timeframe.W1, first=date(2026, 1, 1), last=last, is_replacing=True)
        export_files(lake, [followed(BTC, **facts)], asked)
        return [at.date() for at in read(asked.file(BTC))["opened_at"]]

    assert mondays() == [monday + timedelta(days=days) for days in (7, 21)]
    assert mondays(first_day=date(2026, 1, 7)) == [monday + timedelta(days=days) for days in (0, 7, 21)]
    assert mondays(last=date(2026, 1, 31)) == [monday + timedelta(days=7)]
    assert mondays(delisted_on=date(2026, 1, 20)) == [monday + timedelta(days=days) for days in (7, 14, 21)]


def test_memory_holds_a_month(lake, tmp_path, monkeypatch):
    """Each month is read, written and forgotten; in Parquet it is a row group."""
    spans, days_read = [], Lake.read

    def watched(self, asset, symbol, *asked):
        spans.append(asked[:2])
        return days_read(self, asset, symbol, *asked)

    monkeypatch.setattr(Lake, "read", watched)
    asked = wanted(tmp_path)
    export_files(lake, [followed(BTC)], asked)
    assert spans == [(FIRST, date(2026, 1, 31)), (date(2026, 2, 1), LAST)]
    assert pq.ParquetFile(asked.file(BTC)).num_row_groups == 2


TIMES = st.datetimes(*(datetime.fromisoformat(day) for day in ("2009-01-01", "2099-01-01")))
FLOATS = st.floats(min_value=0.0, allow_infinity=False, allow_nan=False)


@given(st.lists(st.tuples(TIMES, *[FLOATS] * 6), min_size=1))
def test_every_number_reads_back_as_itself_and_no_cell_is_a_formula(rows):
    """Whatever a price may be; a spreadsheet finds nothing that it would execute."""
    bars = pl.DataFrame(rows, schema=CANDLES.names, orient="row").with_columns(
        pl.col("opened_at").dt.replace_time_zone("UTC"), pl.col(CANDLES.names[1:]).cast(pl.Float64)
    )
    file = BytesIO()
    writer = _Csv(file)
    writer.write(bars)
    writer.write(bars)
    header, *lines = file.getvalue().decode("ascii").splitlines()
    assert header == "opened_at,open,high,low,close,volume,turnover_krw"
    cells = [line.split(",") for line in lines]
    assert [[float(cell) for cell in row[1:]] for row in cells] == [list(row[1:]) for row in [*rows, *rows]]
    assert all(cell[0].isdigit() for row in cells for cell in row)


def test_a_strange_timeframe_or_format_is_refused_at_the_door(house, answer):
    """Before anything is opened."""
    for asked, told in (
        (("--timeframe", "2h"), "'2h' is not a timeframe"),
        (("--format", "xlsx"), "'xlsx' is not one"),
    ):
        code, out, err = answer("data", "export", *asked)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert told in err
    assert house


def test_people_read_a_table(house, answer, tmp_path, monkeypatch):
    """Of each file its name, how many bars it has, and how many days it lacks; relative to where they are."""
    assert answer("data", "download", "--symbols", "KRW-BTC", "--timerange", "20260110-20260111")[0] == 0
    monkeypatch.chdir(tmp_path)
    code, out, _ = answer("data", "export", "--symbols", "KRW-BTC", "--timerange", "20260110-20260115")
    assert code == 0
    words = " ".join(out.split())
    assert "KRW-BTC KRW-BTC-1m.parquet" in words
    assert words.endswith("2026-01-10 2026-01-11 2 4")
    assert house
