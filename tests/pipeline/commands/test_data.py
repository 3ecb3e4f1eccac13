import json

import pytest

RANGE = ("--symbols", "KRW-BTC", "--timerange", "20260101-20260105")


@pytest.mark.usefixtures("house")
def test_people_read_tables(answer):
    """Without --json the same is told in words."""
    assert answer("data", "download", *RANGE)[0] == 0
    status = answer("data", "status", *RANGE)[1]
    assert [line.split() for line in status.splitlines()] == [["symbol", "bars", "traded"], ["KRW-BTC", "7,135", "5"]]
    assert "no hole" in answer("data", "gaps", "--quiet", "1440", *RANGE)[1]
    assert "nothing to mend" in answer("data", "repair", *RANGE)[1]


@pytest.mark.parametrize("verb", ["status", "gaps", "download", "repair"])
@pytest.mark.usefixtures("house")
def test_what_cannot_be_is_refused_at_the_door(answer, verb):
    """A reversed range and a strange symbol end in one sentence, before anything is asked for."""
    for asked in (("--timerange", "20260105-20260101"), ("--symbols", "../../etc")):
        code, out, err = answer("data", verb, *asked)
        assert (code, out, err.count("\n")) == (1, "", 1)


@pytest.mark.usefixtures("house")
def test_an_import_is_rehearsed_before_it_is_done(answer, tmp_path):
    """A dry run tells what would be, and the days are still missing afterwards."""
    file = tmp_path / "KRW-BTC-1m.csv"
    rows = [
        f"2026-02-0{day}T{hour:02}:{minute:02}:00Z,1000,1000,1000,1000,1"
        for day in (1, 2, 3)
        for hour in range(24)
        for minute in (0, 59)
    ]
    file.write_text("\n".join(["opened_at,open,high,low,close,volume", *rows]))
    code, out, _ = answer(
        "data", "import", str(file), "--symbol", "KRW-BTC", "--timeframe", "1m", "--dry-run", "--json"
    )
    assert code == 0
    assert json.loads(out)
    status = json.loads(answer("data", "status", "--timerange", "20260201-20260203", "--json")[1])
    assert status["symbols"][0]["not fetched"] == 3
