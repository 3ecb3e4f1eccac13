from datetime import date

import pytest

from coinhts_core.errors import BadSettingError, RefusedError
from coinhts_core.lake import read
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.places import open_other, open_store
from coinhts_core.lake.s3 import S3Store
from coinhts_core.markets import Market
from coinhts_core.settings import S3


def test_address_tells_the_kind_of_place(tmp_path, s3):
    """A path is a directory's, s3:// a bucket's, at the endpoint that the settings name."""
    assert isinstance(open_store(str(tmp_path / "lake"), S3()), DirectoryStore)
    bucket = open_store(s3.url, S3(endpoint=s3.endpoint))
    assert isinstance(bucket, S3Store)
    assert bucket.create("one", b"1")
    assert s3.ask("GET", "prefix/one")[1] == b"1"


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "https://user:canary@example.com/lake", "S3://bucket"])
def test_other_places_are_refused_not_made_up(url):
    """A URL is not taken for a directory of that name, nor is its secret told on."""
    with pytest.raises(BadSettingError, match="COINHTS_LAKE") as refusal:
        open_store(url, S3())
    assert "canary" not in str(refusal.value)


def test_a_place_named_by_hand_is_never_made(tmp_path, s3):
    """A mistyped directory is refused, not begun, and no setting is blamed for it."""
    assert isinstance(open_other(str(tmp_path), S3()), DirectoryStore)
    assert isinstance(open_other(s3.url, S3(endpoint=s3.endpoint)), S3Store)
    for address, told in [
        (str(tmp_path / "typo"), "typo is not a directory"),
        ("s3://Key:canary@bucket", "write it like s3://bucket/prefix"),
        ("gs://canary/x", "the lake is a directory or s3://"),
    ]:
        with pytest.raises(RefusedError, match=told) as refusal:
            open_other(address, S3())
        assert "canary" not in str(refusal.value)
        assert "COINHTS" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_settings_lead_notebooks_there(place, lake, bars, monkeypatch, tmp_path):
    """What was published is read by whoever has the settings, in either place."""
    for name, value in (place | {"COINHTS_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    day = date(2026, 1, 1)
    lake.publish("bars", Market("KRW-BTC"), {day: bars(day, 1, 2)})
    assert read("bars", "KRW-BTC", "20260101-20260131")["close"].to_list() == [1, 2]
