import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from coinhts_core.backtests.document import document_of
from coinhts_core.backtests.overfitting import badge_of
from coinhts_core.clock import now
from coinhts_core.errors import DamagedResultError, RefusedError, UnknownResultError
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.queries import load_queries
from coinhts_core.results.frames import EQUITY
from coinhts_core.results.kept import SORTS, read_wanted
from coinhts_core.results.retention import judged
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import S3
from tests.core.backtests.candles import candles, walk
from tests.core.results.conftest import SEVERAL, SWEPT, ran, swept

DAYS = {"start_date": "2026-01-01", "end_date": "2026-01-13"}


def kept(shelf, result):
    return shelf.keep(result.id, result, DAYS)


def told(result):
    return json.loads(json.dumps(document_of(result), default=str, allow_nan=False))


def objects(tmp_path, identity, frame, ending="parquet"):
    return list((tmp_path / "lake" / "results" / identity / frame).rglob(f"*.{ending}"))


@pytest.mark.parametrize("mode", ["account", "study"])
@pytest.mark.parametrize("coins", [None, SEVERAL])
def test_a_result_is_found_as_it_was_kept(shelf, coins, mode):
    """Row, document and frames, by its id or the first letters of it."""
    result = ran(coins, mode=mode)
    row = kept(shelf, result)
    assert row == shelf.find(result.id[:8]) == shelf.find(result.id)
    assert shelf.document(result.id[:8]) == told(result)
    frames = shelf.frames(result.id)
    assert set(frames) == {"summary", "signals", "trades", "equity"}
    assert frames["equity"].equals(result.equity)
    assert row.metrics == result.figures.as_json()
    assert (row.total_return, row.trades) == (result.metrics["total_return"], result.metrics["trades"])


def test_a_table_is_found_as_it_was_kept(shelf):
    """Under the identity it was asked by."""
    row = shelf.keep("a" * 64, swept(metrics={"total_return": 0.1}), SWEPT)
    assert (row.kind, row.total_return, row.asked["grid"]) == ("sweep", 0.1, {"fast": [3, 4, 5]})
    document = shelf.document("aaaaaa")
    assert (document["id"], len(document["rows"])) == ("a" * 64, 3)
    assert (document["strategy"], document["symbols"], document["timeframe"]) == ("sma_cross", ["KRW-BTC"], "1h")
    assert document["grid"] == {"fast": [3, 4, 5]}


def test_an_identity_of_a_request_is_the_documents_id(shelf):
    """Whoever reads the document finds the result by it."""
    result = ran()
    shelf.keep("b" * 64, result, DAYS)
    assert shelf.document("bbbbbb") == {**told(result), "id": "b" * 64}


def test_twice_is_once(shelf, tmp_path):
    """Nothing is written again, and what was first kept when stays."""
    first = kept(shelf, ran())
    written = sorted((tmp_path / "lake").rglob("*.*"))
    assert kept(shelf, ran()) == first
    assert sorted((tmp_path / "lake").rglob("*.*")) == written


def test_many_at_once_keep_one(shelf, tmp_path):
    """All are told the same row, and it is whole."""
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: kept(shelf, ran()), range(6)))
    assert all(row == rows[0] for row in rows)
    assert shelf.document(rows[0].id) == told(ran())
    assert len(shelf.listed()) == 1
    assert objects(tmp_path, rows[0].id, "trades", "json")


def test_who_was_killed_between_both_places_is_gone_on_with(shelf, ledger, tmp_path):
    """What the lake has already is not written again; the row comes, and the document is whole."""
    first = kept(shelf, ran())
    written = sorted((tmp_path / "lake").rglob("*.*"))
    with ledger.transaction() as connection:
        connection.execute("DELETE FROM results")
    assert kept(shelf, ran()).frames == first.frames
    assert sorted((tmp_path / "lake").rglob("*.*")) == written
    assert shelf.document(first.id) == told(ran())


def test_in_a_bucket_it_is_as_in_a_directory(ledger, s3):
    """Kept, found, damaged and kept anew, and removed."""
    shelf = Shelf(ledger, Lake.open(s3.url, S3(endpoint=s3.endpoint)))
    old = kept(shelf, ran())
    assert shelf.document(old.id) == told(ran())
    _, listed = s3.ask("GET", f"?list-type=2&prefix=prefix/results/{old.id}/trades/")
    for key in re.findall(r"<Key>([^<]+parquet)</Key>", listed.decode()):
        assert s3.ask("PUT", key, b"other bytes")[0] == 200
    with pytest.raises(DamagedResultError, match="the trades of result"):
        shelf.document(old.id)
    assert kept(shelf, ran()) == old
    assert shelf.document(old.id) == told(ran())
    kept(shelf, ran({"KRW-BTC": candles(walk(300, seed=1))}))
    assert shelf.remove(judged(shelf.answers(), now() + timedelta(days=1), timedelta())) == [old.id]
    assert b"<Key>" not in s3.ask("GET", f"?list-type=2&prefix=prefix/results/{old.id}/")[1]


def test_the_lakes_own_audit_finds_what_was_kept_whole(shelf, lake):
    """Every frame of a run and of a table, empty ones included."""
    kept(shelf, ran())
    kept(shelf, ran({"KRW-BTC": candles([100.0] * 30)}))
    shelf.keep("a" * 64, swept(), SWEPT)
    audits = [lake.audit(folder) for folder in lake.folders()]
    assert len(audits) == 10
    assert [of.damages for of in audits] == [()] * 10


@pytest.mark.parametrize("frame", ["summary", "signals", "trades", "equity"])
@pytest.mark.parametrize("ending", ["parquet", "json"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_what_is_damaged_is_named_and_kept_anew(shelf, tmp_path, frame, ending, harm):
    """Never a figure out of bytes that were not kept; running it again mends it."""
    row = kept(shelf, ran())
    for file in objects(tmp_path, row.id, frame, ending):
        _harm(file, harm)
    with pytest.raises(DamagedResultError, match=f"the {frame} of result {row.id[:12]} cannot be read"):
        shelf.document(row.id)
    assert shelf.find(row.id) == row
    assert kept(shelf, ran()) == row
    assert shelf.document(row.id) == told(ran())


def _harm(file: Path, harm: str) -> None:
    content = file.read_bytes()
    file.unlink()
    if harm != "gone":
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes(flipped if harm == "flipped" else content[:middle])


def test_rows_that_were_published_over_it_are_noticed(shelf, lake):
    """Whole and believable, and not what was kept; kept again, they are."""
    row = kept(shelf, ran())
    others = DayRows.of(EQUITY, ran(fast=4).equity)
    lake.publish_whole(f"results/{row.id}/equity", others, replaces=1)
    with pytest.raises(DamagedResultError, match=r"the equity of result .* are not those that were kept"):
        shelf.frames(row.id)
    assert kept(shelf, ran()) == row
    assert shelf.frames(row.id)["equity"].equals(ran().equity)


def test_another_results_folder_in_its_place_is_noticed(shelf, tmp_path):
    """Its commits say whose they are."""
    one, other = kept(shelf, ran()), kept(shelf, ran(fast=4))
    folders = [tmp_path / "lake" / "results" / of.id / "trades" for of in (one, other)]
    folders[0].rename(tmp_path / "aside")
    folders[1].rename(folders[0])
    with pytest.raises(DamagedResultError, match="the trades of result"):
        shelf.frames(one.id)


def test_what_is_not_there_is_said_to_be_unknown(shelf):
    """And what several begin with asks for more letters."""
    with pytest.raises(UnknownResultError, match="no result begins with abcdef"):
        shelf.find("abcdef")
    for last in "01":
        shelf.keep("c" * 63 + last, ran(), DAYS)
    with pytest.raises(RefusedError, match="several results begin with cccccc"):
        shelf.find("cccccc")
    assert shelf.find("c" * 63 + "1").id.endswith("1")


def test_lists_hold_what_is_looked_for(shelf, ledger):
    """By each filter, in each order, as many as asked for."""
    rows = [kept(shelf, ran(fast=fast)) for fast in (3, 4, 5)]
    rows.append(kept(shelf, ran(SEVERAL)))
    shelf.keep("a" * 64, swept(), SWEPT)
    with ledger.transaction() as connection:
        for days, row in enumerate(rows):
            facts = (f"2026-02-0{days + 1}T23:59:59.999999Z", row.id)
            connection.execute("UPDATE results SET kept_at = %s WHERE id = %s", facts)
    ids = [row.id for row in rows]

    def found(**told):
        return [of.id for of in shelf.listed(read_wanted(told))]

    assert found() == ["a" * 64, *ids[::-1]]
    assert found(kind="sweep") == found(strategy="sma_cross", limit=1) == ["a" * 64]
    assert found(strategy="rsi_reversion") == []
    assert found(symbol="KRW-ETH") == [ids[3]]
    assert found(**{"from": "2026-02-02", "to": "2026-02-03"}) == [ids[2], ids[1]]
    returns = {row.id: row.total_return for row in rows}
    best = sorted(ids, key=lambda of: -returns[of])
    assert found(sort="return") == [*best, "a" * 64]
    assert found(min_return=returns[best[1]], sort="return") == best[:2]
    assert found(max_return=returns[best[1]], sort="return") == best[1:]
    for sort in SORTS:
        assert sorted(found(sort=sort)) == sorted([*ids, "a" * 64])


def test_lists_are_read_in_parts(shelf):
    """Each row once, in one order."""
    rows = {kept(shelf, ran(fast=fast)).id for fast in (3, 4, 5)}
    for sort in SORTS:
        parts = [shelf.listed(read_wanted({"limit": 2, "offset": offset, "sort": sort})) for offset in (0, 2, 4)]
        assert [len(part) for part in parts] == [2, 1, 0]
        assert {of.id for part in parts for of in part} == rows


def test_each_run_of_a_list_has_its_grade(shelf):
    """The same as its badge; a table has none, and of nothing nothing is asked."""
    rows = [kept(shelf, ran(fast=fast)) for fast in (3, 4)]
    table = shelf.keep("a" * 64, swept(), SWEPT)
    counted = shelf.counted("sma_cross")
    badges = {row.id: badge_of(row.metrics, row.days, counted).grade for row in rows}
    assert shelf.grades([*rows, table], counted) == badges
    assert shelf.grades(shelf.listed(), shelf.counted("another")) == badges
    assert shelf.grades([table], counted) == {}


def test_two_are_compared_by_what_lies_on_the_shelf(shelf):
    """The cause, the figures and both curves."""
    one, other = kept(shelf, ran()), kept(shelf, ran(fast=4))
    found = shelf.compare(one.id[:8], other.id[:8])
    assert found.verdict == "the cause is parameters: all else is the same"
    assert set(found.curves) == {one.id[:12], other.id[:12]}
    shelf.keep("a" * 64, swept(), SWEPT)
    assert "kind" in {of.name for of in shelf.compare(one.id, "aaaaaa").causes}
    with pytest.raises(UnknownResultError):
        shelf.compare(one.id, "dddddd")


def test_what_may_go_goes_from_both_places(shelf, tmp_path):
    """An older answer to the same question, and nothing else."""
    old = kept(shelf, ran())
    newest = kept(shelf, ran({"KRW-BTC": candles(walk(300, seed=1))}))
    verdicts = judged(shelf.answers(), now() + timedelta(days=40), timedelta(days=30))
    assert [(of.answer.id, of.goes) for of in verdicts] == [(old.id, True), (newest.id, False)]
    assert shelf.remove(verdicts) == [old.id]
    assert shelf.remove(verdicts) == []
    with pytest.raises(UnknownResultError):
        shelf.find(old.id)
    assert not list((tmp_path / "lake" / "results" / old.id).rglob("*.*"))
    assert shelf.document(newest.id)["symbols"]


def test_what_is_pinned_meanwhile_stays(shelf):
    """A report is older than what somebody just said."""
    old = kept(shelf, ran())
    kept(shelf, ran({"KRW-BTC": candles(walk(300, seed=1))}))
    verdicts = judged(shelf.answers(), now() + timedelta(days=40), timedelta(days=30))
    assert shelf.pin(old.id[:8], is_pinned=True).is_pinned
    assert shelf.remove(verdicts) == []
    assert shelf.document(old.id)
    assert not shelf.pin(old.id, is_pinned=False).is_pinned


def test_the_newest_answer_is_never_removed_whatever_a_report_says(shelf):
    """The ledger itself keeps the last one."""
    kept(shelf, ran())
    (verdict,) = judged(shelf.answers(), now(), timedelta())
    lying = type(verdict)(verdict.answer, goes=True, why="somebody said so")
    assert shelf.remove([lying]) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "not hex"),
        ("kind", "queue"),
        ("mode", "live"),
        ("trades", -1),
        ("total_return", np.nan),
        ("total_return", np.inf),
        ("sharpe", -np.inf),
        ("max_drawdown", np.nan),
        ("symbols", []),
        ("last_day", "2025-12-31"),
    ],
)
def test_an_impossible_row_is_refused_by_the_ledger(shelf, ledger, column, value):
    """Whoever writes it."""
    row = kept(shelf, ran())
    statement = {
        "id": "UPDATE results SET id = %s WHERE id = %s",
        "kind": "UPDATE results SET kind = %s WHERE id = %s",
        "mode": "UPDATE results SET mode = %s WHERE id = %s",
        "trades": "UPDATE results SET trades = %s WHERE id = %s",
        "total_return": "UPDATE results SET total_return = %s WHERE id = %s",
        "sharpe": "UPDATE results SET sharpe = %s WHERE id = %s",
        "max_drawdown": "UPDATE results SET max_drawdown = %s WHERE id = %s",
        "symbols": "UPDATE results SET symbols = %s WHERE id = %s",
        "last_day": "UPDATE results SET last_day = %s WHERE id = %s",
    }[column]
    with pytest.raises(RefusedError, match="the ledger refuses a row"), ledger.transaction() as connection:
        connection.execute(statement, (value, row.id))


_LOOKED_FOR = (
    {},
    {"strategy": "strategy_7"},
    {"sort": "return", "limit": 100},
    {"from": "2026-06-01", "to": "2026-06-07"},
    {"min_return": 0.99},
)
_ALONG = (
    ({}, "results_newest"),
    ({"strategy": "strategy_7"}, "results_of_strategy"),
    ({"sort": "return"}, "results_by_return"),
    ({"min_return": 0.9, "sort": "return"}, "results_by_return"),
    ({"from": "2026-06-01", "to": "2026-06-07"}, "results_newest"),
)


def _indexes_of(plan):
    """Every index that a plan reads."""
    own = [plan["Index Name"]] if "Index Name" in plan else []
    return {*own, *(name for part in plan.get("Plans", []) for name in _indexes_of(part))}


def explained(connection, told):
    statement = b"EXPLAIN (ANALYZE, FORMAT JSON) " + load_queries("results")["list_results"].encode()
    (plan,) = psycopg.ClientCursor(connection).execute(statement, read_wanted(told).parameters).fetchone()[0]
    return plan


def test_lists_are_read_along_an_index(ten_thousand):
    """Of ten thousand results, only those that are shown are looked at."""
    with psycopg.connect(ten_thousand.url) as connection:
        for told, index in _ALONG:
            assert _indexes_of(explained(connection, told)["Plan"]) == {index}, told


def test_one_result_is_found_along_an_index(ten_thousand):
    """By the first letters of its id; and whether a newer one answers its question."""
    along = {"find_results": {"results_pkey"}, "forget_result": {"results_pkey", "results_of_question"}}
    for name, indexes in along.items():
        statement = b"EXPLAIN (FORMAT JSON) " + load_queries("results")[name].encode()
        with psycopg.connect(ten_thousand.url) as connection:
            facts = {"prefix": "abcdef", "id": "a" * 64}
            (plan,) = psycopg.ClientCursor(connection).execute(statement, facts).fetchone()[0]
        assert _indexes_of(plan["Plan"]) == indexes


@pytest.mark.slow
def test_of_ten_thousand_results_a_list_takes_no_fifty_milliseconds(ten_thousand, lake, capsys):
    """The 95th of a hundred, for each way to look; printed."""
    shelf = Shelf(ten_thousand, lake)
    for told in _LOOKED_FOR:
        wanted, times = read_wanted(told), []
        for _ in range(100):
            begun = time.perf_counter()
            assert shelf.listed(wanted)
            times.append(time.perf_counter() - begun)
        slowest = sorted(times)[94]
        with capsys.disabled():
            print(f"\n{told or 'newest'}: p95 {slowest * 1_000:.1f} ms", end="")  # noqa: T201 - what it is for
        assert slowest <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "index"),
    [
        ({}, b"DROP INDEX results_newest"),
        ({"strategy": "strategy_7"}, b"DROP INDEX results_of_strategy, results_newest"),
        ({"sort": "return"}, b"DROP INDEX results_by_return"),
    ],
)
def test_an_index_saves_a_fifth_and_more(ten_thousand, capsys, told, index):
    """By EXPLAIN ANALYZE, the median of fifteen, with the index and without; printed."""
    with psycopg.connect(ten_thousand.url) as connection:
        along, before = (_median_ms(connection, told) for _ in range(2))
        connection.execute(index)
        without = _median_ms(connection, told)
        connection.rollback()
    with capsys.disabled():
        print(f"\n{told or 'newest'}: {along:.2f} ms along the index, {without:.2f} ms without", end="")  # noqa: T201 - what it is for
    assert max(along, before) <= 0.8 * without


def _median_ms(connection, told):
    return sorted(explained(connection, told)["Execution Time"] for _ in range(15))[7]
