import json

import pytest

NAME = "reports/2026-01.html"


@pytest.fixture(params=["directory", "s3"])
def place(request, monkeypatch, tmp_path):
    """Let the environment name a lake, in either kind of place, and no server: none is needed."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))
    if request.param == "directory":
        monkeypatch.setenv("COINHTS_LAKE", str(tmp_path / "lake"))
        return
    bucket = request.getfixturevalue("s3")
    monkeypatch.setenv("COINHTS_LAKE", bucket.url)
    monkeypatch.setenv("COINHTS_S3__ENDPOINT", bucket.endpoint)


@pytest.fixture
def report(tmp_path):
    file = tmp_path / "report.html"
    file.write_bytes(b"<p>all is well</p>")
    return file


@pytest.mark.usefixtures("place")
def test_a_file_is_kept_found_given_back_and_deleted(answer, report, tmp_path):
    """Put in, listed, described, fetched and removed, each with one document."""
    code, out, _ = answer("lake", "upload", str(report), NAME, "--metadata", "by=kim", "--json")
    note = json.loads(out)
    assert (code, note["name"], note["size"], note["metadata"]) == (0, NAME, 18, {"by": "kim"})
    assert json.loads(answer("lake", "show", NAME, "--json")[1]) == note
    (listed,) = json.loads(answer("lake", "list", "reports", "--json")[1])
    assert (listed["name"], listed["size"]) == (NAME, 18)
    assert json.loads(answer("lake", "list", "elsewhere", "--json")[1]) == []
    assert json.loads(answer("lake", "download", NAME, str(tmp_path / "copy"), "--json")[1]) == note
    assert (tmp_path / "copy").read_bytes() == report.read_bytes()
    assert "2026-01.html" in answer("lake", "list")[1]
    assert "kim" in answer("lake", "show", NAME)[1]
    assert json.loads(answer("lake", "verify", "--json")[1])["size"] == 18
    assert "deleted" in answer("lake", "delete", NAME, "--yes")[1]
    assert "no file was uploaded" in answer("lake", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "none"], "no file none was uploaded; `coinhts lake list` names them all"),
        (["download", "none", "copy"], "no file none was uploaded"),
        (["delete", "none", "--yes"], "no file none was uploaded"),
        (["delete", "none"], "deleting none cannot be undone; add --yes"),
        (["delete", "../lake/venue.json", "--yes"], "'../lake/venue.json' is not a name for a file"),
        (["delete", "/venue.json", "--yes"], "'/venue.json' is not a name for a file"),
        (["upload", "/no/such/file", "name"], "the file /no/such/file cannot be used (No such file or directory)"),
        (["upload", "/dev/null", "a/../b"], "'a/../b' is not a name for a file"),
        (["upload", "/dev/null", "name", "--metadata", "by"], "--metadata by is not like NAME=VALUE"),
        (["verify", "../candles"], "'../candles' is not the name of an asset"),
        (["verify", "candles/minute"], "nothing is stored for candles/minute of all symbols in all days"),
        (["verify", "candles/minute", "--symbol", "../x"], "'../x' is not a market code"),
        (["verify", "--symbol", "KRW-BTC"], "--symbol KRW-BTC needs an asset"),
        (["compare", "/no/such/place"], "/no/such/place is not a directory"),
        (["compare", "gs://bucket"], "that is no lake; the lake is a directory or s3://bucket/prefix"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(answer, tmp_path, monkeypatch, arguments, told):
    """Exit code 1, nothing on stdout, nothing touched."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    code, out, err = answer("lake", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_assets_are_out_of_reach_by_name(house, answer):
    """An object's own path is only the name of a file that nobody uploaded."""
    assert house.run("2026-01-05|KRW-BTC").success
    lake = house.installation.settings.home / "lake"
    objects = [str(file.relative_to(lake)) for file in lake.rglob("*.parquet")]
    assert objects
    for path in objects:
        assert answer("lake", "delete", path, "--yes")[0] == 1
    assert all((lake / path).exists() for path in objects)


def test_every_damage_is_named_and_ends_in_two(open_house, answer):
    """A lake is read back whole; then with one flipped bit in an object and another object lost."""
    with open_house(symbols="KRW-BTC,KRW-ETH") as house:
        assert house.run("2026-01-01|KRW-BTC", "2026-01-02|KRW-ETH").success
        whole = json.loads(answer("lake", "verify", "--json")[1])
        code, out, _ = answer("lake", "verify", "candles/minute", "--json")
        read = json.loads(out)
        told = [of.metadata["dagster/partition_row_count"].value for of in house.events("candles/minute")]
        assert (code, read["damages"], read["days"], read["rows"]) == (0, [], len(told), sum(told))
        assert whole["damages"] == []
        assert whole["places"] > read["places"] == 2
        of_one = json.loads(answer("lake", "verify", "candles/minute", "--symbol", "KRW-ETH", "--json")[1])
        assert (of_one["places"], of_one["days"]) == (1, 2)
        flipped, lost = sorted((house.installation.settings.home / "lake" / "candles").rglob("*.parquet"))
        content = bytearray(flipped.read_bytes())
        content[len(content) // 2] ^= 4
        flipped.write_bytes(content)
        lost.unlink()
        code, out, err = answer("lake", "verify", "--json")
        assert code == 2
        assert [flipped.name in of or lost.name in of for of in json.loads(out)["damages"]] == [True, True]
        assert "lake verify failed: 2 damaged; " in err
        code, out, err = answer("lake", "verify")
        assert (code, err.count("\n")) == (2, 1)
        assert flipped.name in out
        assert lost.name in out


@pytest.mark.usefixtures("place")
def test_two_lakes_are_compared_name_by_name(answer, report, tmp_path, monkeypatch):
    """What is missing, extra or different in the other, and exit code 2; alike, exit code 0."""
    other = tmp_path / "other"
    other.mkdir()
    for name in ("same", "ours", "changed"):
        answer("lake", "upload", str(report), name)
    with monkeypatch.context() as there:
        there.setenv("COINHTS_LAKE", str(other))
        for name in ("same", "changed"):
            answer("lake", "upload", str(report), name)
    code, out, err = answer("lake", "compare", str(other), "--json")
    found = json.loads(out)
    assert (code, found["extra"]) == (2, [])
    assert found["missing"] == ["uploaded-files/ours", "uploaded-notes/ours"]
    assert set(found["different"]) <= {"uploaded-notes/changed", "uploaded-notes/same"}
    assert "is not the same: 2 missing, 0 extra" in err
    (other / "uploaded-files" / "changed").write_bytes(report.read_bytes()[::-1])
    assert "uploaded-files/changed" in answer("lake", "compare", str(other))[1]
    assert "uploaded-files/changed" not in answer("lake", "compare", str(other), "--quick")[1]


def test_a_lake_is_like_its_copy(house, answer, s3, monkeypatch):
    """Copied to a bucket name by name, a lake compares as alike from either side."""
    assert house.run("2026-01-06|KRW-BTC").success
    lake = house.installation.settings.home / "lake"
    for file in lake.rglob("*"):
        if file.is_file():
            assert s3.ask("PUT", f"prefix/{file.relative_to(lake)}", file.read_bytes())[0] == 200
    monkeypatch.setenv("COINHTS_S3__ENDPOINT", s3.endpoint)
    code, out, _ = answer("lake", "compare", s3.url, "--json")
    assert (code, json.loads(out)["missing"]) == (0, [])
    assert json.loads(out)["alike"] == sum(1 for file in lake.rglob("*") if file.is_file())
    monkeypatch.setenv("COINHTS_LAKE", s3.url)
    assert answer("lake", "compare", str(lake))[0] == 0
    assert answer("lake", "verify")[0] == 0
