from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coinhts_core.candles import files, tables
from coinhts_core.candles.columns import AMOUNTS
from coinhts_core.candles.files import Said, candles_in, find_files, read_file
from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.stamps import Zone
from coinhts_core.errors import BadFileError
from coinhts_core.markets import Market, Timeframe

BTC, ETH = Market("KRW-BTC"), Market("KRW-ETH")
FIRST = datetime(2024, 1, 31, 23, 50, tzinfo=UTC)
MINUTES = pl.DataFrame(
    [
        (FIRST + timedelta(minutes=place), 5e7 + place, 5e7 + 9, 5e7 - 0.5, 5e7 + 1, 0.125 + place, 1e6 + place)
        for place in range(20)
    ],
    schema=CANDLES.names,
    orient="row",
)
MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = MINUTES.with_columns(opened_at=pl.Series([MIDNIGHT + timedelta(days=place) for place in range(20)]))
KST = timezone(timedelta(hours=9))


def text(frame, stamp, number=str, separator=",", names=CANDLES.names):
    """Write the frame as somebody would."""
    lines = [[stamp(opened_at), *map(number, amounts)] for opened_at, *amounts in frame.rows()]
    return "\n".join(separator.join(map(str, line)) for line in [names, *lines])


def german(number):
    return f"{number:,.4f}".translate(str.maketrans(",.", ".,"))


def epoch(times):
    return lambda moment: int(moment.timestamp() * times)


def korean(form):
    return lambda moment: f"{moment.astimezone(KST):{form}}"


def in_utc(form):
    return lambda moment: f"{moment:{form}}"


def parquet(**columns):
    return MINUTES.with_columns(**columns)


def stamped(stamps):
    return parquet(opened_at=stamps)


STAMP = pl.col("opened_at")
ISO = datetime.isoformat
UPBIT = [
    "candle_date_time_kst", "opening_price", "high_price", "low_price", "trade_price", "candle_acc_trade_volume",
    "candle_acc_trade_price",
]  # fmt: skip
PANDAS = ["", *CANDLES.names[1:]]
KOREAN = ["일시", "시가", "고가", "저가", "종가", "거래량", "거래대금"]
SILENT = Said()
SAYS_KST = Said(zone=Zone.KST)
SAYS_UTC = Said(zone=Zone.UTC)

# A name, what is in it, what is said about it, and how its times are said to have been read.
CORPUS = {
    "ISO": ("KRW-BTC.csv", text(MINUTES, ISO), SILENT, "zone"),
    "ISO in Korea": ("KRW-BTC.csv", text(MINUTES, korean("%Y-%m-%dT%H:%M:%S%z")), SILENT, "zone"),
    "the letter Z": ("KRW-BTC.csv", text(MINUTES, in_utc("%Y-%m-%dT%H:%M:%SZ")), SILENT, "zone"),
    "Excel": ("BTC_KRW.csv", "\ufeff" + text(MINUTES, korean("%Y-%m-%d %H:%M"), german, ";"), SAYS_KST, "KST (as"),
    "Excel's sep=": ("BTC_KRW.csv", "sep=;\n" + text(MINUTES, epoch(1), german, ";"), SILENT, "epoch seconds"),
    "Excel's Unicode text": ("KRW-BTC.csv", text(MINUTES, ISO, str, "\t").encode("utf-16"), SILENT, "zone"),
    "Korean Excel": ("x.csv", text(MINUTES, ISO, names=KOREAN).encode("cp949"), Said(BTC), "zone"),
    "thousands": ("KRW-BTC.csv", text(MINUTES, ISO, lambda of: f"{of:,.4f}", ";"), SILENT, "zone"),
    "quoted thousands": ("KRW-BTC.csv", text(MINUTES, ISO, lambda of: f'"{of:,.4f}"'), SILENT, "zone"),
    "spaces": ("KRW-BTC.csv", text(MINUTES, ISO, lambda of: f" {of} ", " ; ".strip()), SILENT, "zone"),
    "exponents": ("KRW-BTC.csv", text(MINUTES, ISO, lambda of: f"{of:.12e}"), SILENT, "zone"),
    "seconds": ("KRW-BTC.csv", text(MINUTES, epoch(1)), SILENT, "epoch seconds"),
    "milliseconds": ("KRW-BTC.csv", text(MINUTES, epoch(10**3)), SILENT, "epoch milliseconds"),
    "microseconds": ("KRW-BTC.csv", text(MINUTES, epoch(10**6)), SILENT, "epoch microseconds"),
    "nanoseconds": ("KRW-BTC.csv", text(MINUTES, epoch(10**9)), SILENT, "epoch nanoseconds"),
    "fractions of seconds": ("KRW-BTC.csv", text(MINUTES, datetime.timestamp), SILENT, "epoch seconds"),
    "compact": ("KRW-BTC.csv", text(MINUTES, in_utc("%Y%m%d%H%M%S")), SAYS_UTC, "UTC (as you say)"),
    "slashes": ("KRW-BTC.csv", text(MINUTES, korean("%Y/%m/%d %H:%M:%S")), SAYS_KST, "KST (as you say)"),
    "points": ("KRW-BTC.csv", text(MINUTES, korean("%Y.%m.%d %H:%M")), SAYS_KST, "KST (as you say)"),
    "Upbit's names": ("KRW-BTC.csv", text(MINUTES, korean("%Y-%m-%dT%H:%M:%S"), names=UPBIT), SILENT, "column"),
    "pandas": ("KRW-BTC.csv", text(MINUTES, ISO, names=PANDAS), SILENT, "zone"),
    "capitals": ("KRW-BTC.csv", text(MINUTES, ISO, names=[of.upper() for of in CANDLES.names]), SILENT, "zone"),
    "a title": ("KRW-BTC.csv", "All rights reserved\n" + text(MINUTES, ISO), SILENT, "zone"),
    "blank lines": ("KRW-BTC.csv", text(MINUTES, ISO).replace("\n", "\n\n"), SILENT, "zone"),
    "Windows": ("KRW-BTC.csv", text(MINUTES, ISO).replace("\n", "\r\n"), SILENT, "zone"),
    "old Macs": ("KRW-BTC.csv", text(MINUTES, ISO).replace("\n", "\r"), SILENT, "zone"),
    "newest first": ("KRW-BTC.csv", text(MINUTES.reverse(), ISO), SILENT, "zone"),
    "pipes": ("KRW-BTC.csv", text(MINUTES, ISO, str, "|"), SILENT, "zone"),
    "a long name": ("upbit_KRW-BTC_1m_2024.csv", text(MINUTES, ISO), SILENT, "zone"),
    "a third spelling": ("krw_btc-1m.tsv", text(MINUTES, ISO, str, "\t"), SILENT, "zone"),
    "folders": ("KRW-BTC/1m/all.csv", text(MINUTES, ISO), SILENT, "zone"),
    "a symbol that is said": ("data.csv", text(MINUTES, ISO), Said(BTC, Timeframe.M1), "zone"),
    "coin_hts": ("KRW-BTC/1M/2024.parquet", stamped(STAMP.dt.replace_time_zone(None)), SILENT, "coin_hts"),
    "coin_hts, otherwise": ("BTC_KRW/1M/2024.parquet", stamped(STAMP.dt.cast_time_unit("ns")), SILENT, "zone"),
    "Parquet in Seoul": ("KRW-BTC.parquet", stamped(STAMP.dt.convert_time_zone("Asia/Seoul")), SILENT, "zone"),
    "integers": ("KRW-BTC.parquet", stamped(STAMP.dt.epoch("ms")), SILENT, "epoch milliseconds"),
    "Parquet, text": ("KRW-BTC.parquet", stamped(STAMP.dt.to_string("iso")), SILENT, "zone"),
    "Parquet, texts everywhere": ("KRW-BTC.parquet", MINUTES.cast(pl.String), SILENT, "zone"),
    "Parquet, decimals": ("KRW-BTC.parquet", parquet(low=pl.col("low").cast(pl.Decimal(20, 4))), SILENT, "zone"),
    "a market column": ("x.parquet", parquet(market=pl.lit("BTC_KRW").cast(pl.Categorical)), SILENT, "zone"),
    "pandas' index": ("KRW-BTC.parquet", MINUTES.rename({"opened_at": "__index_level_0__"}), SILENT, "zone"),
    "days at nine": ("KRW-BTC.csv", text(DAYS, korean("%Y-%m-%d %H:%M:%S")), SILENT, "open at 09:00"),
    "days at midnight": ("KRW-BTC.csv", text(DAYS, in_utc("%Y-%m-%d %H:%M:%S")), SILENT, "open at 00:00"),
    "dates": ("KRW-BTC_1d.csv", text(DAYS, in_utc("%Y-%m-%d")), SILENT, "dates"),
    "compact dates": ("KRW-BTC.csv", text(DAYS, in_utc("%Y%m%d")), SILENT, "dates"),
    "Parquet, dates": ("KRW-BTC.parquet", DAYS.with_columns(opened_at=STAMP.dt.date()), SILENT, "dates"),
    "coin_hts' days": ("KRW-BTC/1D/2024.parquet", DAYS.rename({"opened_at": "timestamp"}), SILENT, "zone"),
}  # fmt: skip


@pytest.fixture
def put(tmp_path):
    """Give a function that writes a file, whatever is in it."""

    def write(name, content):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(file)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def rows_of(bars, symbol):
    rows = pl.concat([group for month in bars.months_of(symbol) for group in bars.months[symbol, month]])
    return rows.sort("opened_at").select(CANDLES.names)


@pytest.mark.parametrize("odd", CORPUS)
def test_the_same_bars_come_out_of_every_file(put, odd):
    """Whoever wrote it, each number to its last digit; and how its times were read is said."""
    name, content, said, told = CORPUS[odd]
    bars = read_file(put(name, content), said)
    wanted = MINUTES if bars.timeframe is Timeframe.M1 else DAYS
    assert bars.symbols == [BTC]
    assert rows_of(bars, BTC).equals(wanted)
    assert told in bars.told
    assert bars.days[BTC] == set(wanted["opened_at"].dt.date())
    assert bars.doubts == {}


def test_a_missing_turnover_is_estimated_and_said(put):
    """Volume times close is near, and not the real one."""
    bars = read_file(put("KRW-BTC.parquet", MINUTES.drop("turnover_krw")), Said())
    assert bars.told == "times with a zone; turnover is volume x close"
    assert not bars.has_turnover
    assert rows_of(bars, BTC)["turnover_krw"].to_list() == (MINUTES["volume"] * MINUTES["close"]).to_list()


def test_a_file_of_several_markets_is_parted(put):
    """By its own column, in either spelling; minutes lie by month."""
    both = pl.concat([parquet(symbol=pl.lit("KRW-BTC")), parquet(symbol=pl.lit("eth_krw"), close=pl.col("close") + 1)])
    bars = read_file(put("x.csv", both.sort("opened_at").write_csv()), Said())
    assert bars.symbols == [BTC, ETH]
    assert bars.months_of(ETH) == [date(2024, 1, 1), date(2024, 2, 1)]
    assert rows_of(bars, BTC).equals(MINUTES)
    assert rows_of(bars, ETH)["close"].to_list() == [close + 1 for close in MINUTES["close"]]


@pytest.mark.parametrize(
    ("name", "content", "said", "told"),
    [
        ("x.csv", text(MINUTES, ISO), Said(), "nothing tells which market it is about; add --symbol KRW-BTC"),
        ("KRW-ETH.csv", text(MINUTES, ISO), Said(BTC), "its path says KRW-ETH, and you say KRW-BTC"),
        ("x.parquet", parquet(symbol=pl.lit("KRW-ETH")), Said(BTC), "it holds bars of KRW-ETH, and you say KRW-BTC"),
        ("x.parquet", parquet(symbol=pl.lit("../../etc")), Said(), "'../../etc' is not a market code"),
        ("x.parquet", parquet(symbol=pl.lit(None, pl.String)), Said(), "'' is not a market code"),
        ("KRW-BTC.csv", text(MINUTES, in_utc("%Y-%m-%d %H:%M:%S")), Said(), "add --timezone UTC or --timezone KST"),
        ("KRW-BTC.csv", text(MINUTES[:1], ISO), Said(), "add --timeframe 1m or --timeframe 1d"),
        ("KRW-BTC/1H/2024.parquet", MINUTES, Said(), "its bars are of 1h; import minutes"),
        ("KRW-BTC.csv", text(MINUTES.gather_every(5), ISO), Said(), "its bars are of 5m; import minutes"),
        ("KRW-BTC.csv", text(MINUTES, ISO), Said(timeframe=Timeframe.M5), "its bars are of 5m; import minutes"),
        ("KRW-BTC.csv", ",".join(CANDLES.names), Said(), "it has no rows"),
        ("KRW-BTC.parquet", MINUTES[:0], Said(), "it has no rows"),
        ("KRW-BTC.csv", text(MINUTES, ISO, lambda of: f"{of % 977 + 1e3:,.0f}", ";"), Said(), "may be thousands"),
        ("KRW-BTC.csv", text(MINUTES, in_utc("%d/%m/%Y %H:%M")), Said(), "is no time we can read"),
        ("KRW-BTC_1m.csv", text(DAYS, ISO), Said(), "its path says 1m, and its bars are 1d apart"),
        ("KRW-BTC_1d.csv", text(MINUTES, ISO), Said(), "its path says 1d, and its bars are 1m apart"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(put, name, content, said, told):
    """With the file's name, what was found, and what to do."""
    file = put(name, content)
    with pytest.raises(BadFileError) as refusal:
        read_file(file, said)
    assert str(refusal.value).startswith(f"{file.name} cannot be imported: ")
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("names", "is_read"), [(["close", "close"], False), (["market", "code"], False), (["a.close", "close.b"], True)]
)
def test_odd_columns_are_read_around_or_refused(tmp_path, names, is_read):
    """Three of one name, a list where a market should be, and points in names."""
    columns = {name: MINUTES[name].to_arrow() for name in CANDLES.names}
    odd = pa.array([[1.0]] * MINUTES.height)
    file = tmp_path / "KRW-BTC.parquet"
    pq.write_table(pa.Table.from_arrays([*columns.values(), odd, odd], names=[*columns, *names]), file)
    if is_read:
        assert rows_of(read_file(file, Said()), BTC).equals(MINUTES)
    else:
        with pytest.raises(BadFileError, match=r"^KRW-BTC\.parquet cannot be imported: "):
            read_file(file, Said())


@pytest.mark.parametrize("lines_a_piece", [1, 3, 1_000])
def test_a_row_without_a_time_casts_doubt_on_its_neighbours(put, monkeypatch, lines_a_piece):
    """It may be of the day of the row before it or of the one behind, wherever pieces are cut."""
    lines = text(MINUTES, ISO).split("\n")
    lines[10] = "?" + lines[10][1:]
    lines[11] = lines[11].replace("2024", "20x4")
    monkeypatch.setattr(tables, "_LETTERS_A_PIECE", lines_a_piece * 70)
    bars = read_file(put("KRW-BTC.csv", "\n".join(lines)), Said(timeframe=Timeframe.M1))
    reason = "line 11: its time cannot be read"
    assert bars.doubts == {date(2024, 1, 31): reason, date(2024, 2, 1): reason}
    assert rows_of(bars, BTC).height == 18


def test_a_file_with_too_many_such_rows_is_refused(put, monkeypatch):
    """It is not what it was taken for."""
    monkeypatch.setattr(files, "_MOST_DOUBTS", 3)
    lines = text(MINUTES, ISO).replace("2024-02", "2024-42")
    with pytest.raises(BadFileError, match="more than 3 of its times cannot be read, that of line 21 for one"):
        read_file(put("KRW-BTC.csv", lines), Said())


def test_files_are_found_below_directories_and_by_name(put, tmp_path):
    """Each once; what is named is taken whatever its ending, hidden files and others are left alone."""
    names = ["a/KRW-BTC/1M/2024.parquet", "a/b.CSV", "a/c.tsv.gz", "a/.hidden.csv", "a/notes.txt", "odd.txt"]
    paths = [put(name, "x") for name in names]
    assert find_files([tmp_path / "a", paths[1], paths[5]]) == [paths[0], paths[1], paths[2], paths[5]]
    assert find_files([Path("nowhere.csv")]) == [Path("nowhere.csv")]


def test_amounts_that_are_no_numbers_stay_empty(put):
    """The day they belong to will be refused; their neighbours are read."""
    lines = text(MINUTES, ISO).split("\n")
    lines[3] = ",".join([lines[3].split(",")[0], "nan", "inf", "1e999", "-", "", "x"])
    rows = rows_of(read_file(put("KRW-BTC.csv", "\n".join(lines)), Said()), BTC)
    assert rows.null_count().row(0) == (0, *[1] * len(AMOUNTS))


@pytest.mark.parametrize("minutes", [1, 7, 60, 240, 1_440])
def test_bars_of_any_length_can_be_looked_at(tmp_path, minutes):
    """For a backtest any will do; they come in order, whatever the file's."""
    opened_at = pl.Series([MIDNIGHT + timedelta(minutes=minutes * place) for place in range(20)])
    written = MINUTES.with_columns(opened_at=opened_at)
    file = tmp_path / "KRW-BTC.csv"
    file.write_text(text(written.sample(fraction=1.0, shuffle=True, seed=1), in_utc("%Y-%m-%dT%H:%M:%SZ")))
    found = candles_in(file, Said())
    assert list(found) == [BTC]
    assert found[BTC].equals(written.select("opened_at", *AMOUNTS))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2024-01-01T00:20:00Z,1,1,1,x,1,1", "line 22: a number cannot be read"),
        ("2024-01-01T00:20:00Z,1,1", "line 22: a number cannot be read"),
        ("soon,1,1,1,1,1,1", "line 22: its time cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line, sentence):
    """A backtest over all lines but one would be another one."""
    file = tmp_path / "KRW-BTC.csv"
    written = MINUTES.with_columns(opened_at=pl.Series([MIDNIGHT + timedelta(minutes=place) for place in range(20)]))
    file.write_text(text(written, in_utc("%Y-%m-%dT%H:%M:%SZ")) + f"\n{line}\n")
    with pytest.raises(BadFileError, match=sentence):
        candles_in(file, Said())


@pytest.mark.parametrize("year", [2001, 2026])
def test_times_without_a_zone_may_be_looked_at(tmp_path, year):
    """They are UTC then, as in a frame; for keeping them somebody has to say so."""
    opened_at = pl.Series([datetime(year, 1, 1) + timedelta(minutes=place) for place in range(20)])  # noqa: DTZ001 - that is the point
    file = tmp_path / "KRW-BTC.csv"
    MINUTES.with_columns(opened_at=opened_at).write_csv(file)
    with pytest.raises(BadFileError, match="add --timezone UTC"):
        read_file(file, Said())
    assert candles_in(file, Said())[BTC]["opened_at"][0] == datetime(year, 1, 1, tzinfo=UTC)
    assert candles_in(file, Said(zone=Zone.KST))[BTC]["opened_at"][0] == datetime(year - 1, 12, 31, 15, tzinfo=UTC)
