import json
import os
from datetime import date, timedelta

import polars as pl
import pytest

from coinhts_core.candles.files import Said
from coinhts_core.candles.frame import CANDLES
from coinhts_core.candles.stamps import Zone
from coinhts_core.errors import BadFileError, BadMarketError, BadTimeframeError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe
from coinhts_pipeline.import_files import files_below, heard

SAMPLE = open_exchange("sample")
FIRST = date(2026, 1, 1)


def minutes(symbol, days):
    return pl.concat([SAMPLE.minutes(Market(symbol), day) for day in days])


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Lay out coin_hts' tree: a coin in each spelling, one nobody follows, bars nobody keeps, and a broken file."""
    root = tmp_path_factory.mktemp("coin_hts")
    january = [FIRST + timedelta(days=place) for place in range(5)]
    as_written = pl.col("opened_at").dt.cast_time_unit("ns").alias("timestamp"), *CANDLES.names[1:6]
    for place, symbol in {
        "KRW-BTC/1M": "KRW-BTC",
        "ETH_KRW/1M": "KRW-ETH",
        "KRW-SOL/1M": "KRW-SOL",
        "KRW-BTC/1H": "KRW-BTC",
    }.items():
        (root / place).mkdir(parents=True)
        minutes(symbol, january).select(as_written).write_parquet(root / place / "2026.parquet")
    (root / "KRW-BTC" / "1M" / "2025.parquet").write_bytes(b"PAR1 and no more")
    return root


def test_a_tree_is_rehearsed_and_then_imported(house, answer, tree):
    """The same report both times; what cannot be imported is told, stops no other, and ends in exit code 1."""
    asked = "data", "import", str(tree), "--json"
    code, rehearsed, err = answer(*asked, "--dry-run")
    assert (code, house.rooms.lake.heads("candles/minute", Market("KRW-ETH"))) == (1, {})
    code, done, _ = answer(*asked)
    told = json.loads(done)
    assert (code, json.loads(rehearsed) | {"is_rehearsal": False}) == (1, told)
    assert {of["symbol"]: (of["good"], of["first"], of["last"]) for of in told["files"]} == {
        "KRW-BTC": (5, "2026-01-01", "2026-01-05"),
        "KRW-ETH": (5, "2026-01-01", "2026-01-05"),
    }
    assert {of["times"] for of in told["files"]} == {"times with a zone; turnover is volume x close"}
    assert len(told["refused"]) == 3
    assert any("KRW-SOL is not followed" in reason for reason in told["refused"])
    assert any("its bars are of 1h" in reason for reason in told["refused"])
    assert err.startswith("error: ")
    assert len(house.rooms.lake.heads("candles/minute", Market("KRW-ETH"))) == 5


def test_imported_days_are_not_asked_for_again(house, answer, tmp_path):
    """A backfill takes them as they are, and what it makes of them stands on the file."""
    days = [FIRST + timedelta(days=place) for place in range(20, 23)]
    frame = minutes("KRW-XRP", days).with_columns(volume=pl.col("volume") + 1)
    frame.write_parquet(tmp_path / "KRW-XRP.parquet")
    code, out, err = answer("data", "import", str(tmp_path))
    assert (code, err) == (0, "")
    assert "KRW-XRP.parquet" in out
    house.run(f"{days[0]}|KRW-XRP", f"{days[-1]}|KRW-XRP", only=["candles/minute"])
    stored = house.rooms.lake.read("candles/minute", Market("KRW-XRP"), days[0], days[-1])
    assert stored.select(CANDLES.names).equals(frame)


def test_reasons_stand_below_the_table(house, answer, tmp_path):
    """For a person: the table, why days are refused, and that nothing was written."""
    frame = minutes("KRW-BTC", [FIRST + timedelta(days=place) for place in range(-3, 3)])
    frame[:-1].write_csv(tmp_path / "KRW-BTC_1m.csv")
    code, out, err = answer("data", "import", str(tmp_path), "--dry-run")
    assert code == 0
    assert "nothing was written; leave out --dry-run to import" in out
    assert "refused: KRW-BTC 2025-12-29..2025-12-31: before COINHTS_START_DATE" in err
    assert "refused: KRW-BTC 2026-01-03: the file may hold a part of it" in " ".join(err.split())
    assert house


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.csv"], "nowhere.csv cannot be imported: No such file or directory"),
        (["nowhere.csv", "--symbol", "../../etc"], "'../../etc' is not a market code"),
        (["nowhere.csv", "--timeframe", "7m"], "'7m' is not a timeframe"),
        (["nowhere.csv", "--timezone", "CET"], "'CET' is not one of"),
        ([], "Missing argument"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(house, answer, arguments, told):
    """Exit code 1, and the reason."""
    code, _, err = answer("data", "import", *arguments)
    assert code == 1
    assert told in err
    assert err.count("\n") == 1
    assert house


def test_odd_names_of_files_are_only_names(house, answer, tmp_path):
    """No markup, no escape, no option: they are shown, and nothing but files of the lake is written."""
    names = [
        b"KRW-BTC [bold] [red].csv",
        b"KRW-BTC\xff.csv",
        b"KRW-BTC\x1b[31m\n.csv",
        b"-KRW-BTC;rm.csv",
        b"KRW-BTC \x1b.csv",
    ]
    files = {tmp_path / os.fsdecode(name) for name in names}
    for place, file in enumerate(sorted(files)):
        frame = minutes("KRW-BTC", [FIRST + timedelta(days=30 + place)])
        file.write_bytes(frame.write_csv().encode() if place else b"nonsense")
    code, out, err = answer("data", "import", str(tmp_path))
    assert code == 1
    assert err.count("cannot be imported") == 1
    assert len(house.rooms.lake.heads("candles/minute", Market("KRW-BTC"))) >= len(names) - 1
    assert "[bold] [red]" in out + err
    assert "\x1b" not in out + err
    assert set(tmp_path.iterdir()) == files


def test_what_a_person_says_is_judged_at_the_door():
    """Either spelling of a market; nothing said is nothing known."""
    assert heard(symbol="btc_krw", timeframe="1M", timezone="KST") == Said(Market("KRW-BTC"), Timeframe.M1, Zone.KST)
    assert heard(symbol=None, timeframe=None, timezone=None) == Said()
    with pytest.raises(BadMarketError):
        heard(symbol="x", timeframe=None, timezone=None)
    with pytest.raises(BadTimeframeError):
        heard(symbol=None, timeframe="x", timezone=None)


def test_a_directory_without_candle_files_is_refused(tmp_path):
    """It was probably another one that was meant."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadFileError, match="no Parquet or CSV file lies there"):
        files_below([tmp_path])
