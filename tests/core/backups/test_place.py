import pytest

from coinhts_core.backups.place import open_place
from coinhts_core.errors import BadSettingError, RefusedError, RetryableError
from coinhts_core.settings import read_settings


def place_at(tmp_path, **named):
    return open_place(read_settings({"COINHTS_HOME": str(tmp_path), **named}))


def test_backups_lie_in_the_home_unless_another_place_is_named(tmp_path):
    """A directory that is made when it is needed."""
    assert place_at(tmp_path).full_name("x") == str(tmp_path / "backups" / "x")
    elsewhere = place_at(tmp_path, COINHTS_BACKUPS=str(tmp_path / "disk"))
    assert elsewhere.create("a/b", b"1")
    assert not elsewhere.create("a/b", b"2")
    assert bytes(elsewhere.get("a/b")) == b"1"
    assert [of.path for of in elsewhere.listed("a")] == ["a/b"]
    elsewhere.remove("a/b")
    assert list(elsewhere.listed()) == []


@pytest.mark.parametrize("url", ["gs://bucket", "s3://", "s3://key:secret@bucket", "ftp://x"])
def test_an_address_that_is_none_is_refused_by_its_setting(tmp_path, url):
    """Without what may be a key in it."""
    with pytest.raises(BadSettingError, match="COINHTS_BACKUPS cannot be") as refusal:
        place_at(tmp_path, COINHTS_BACKUPS=url)
    assert "secret" not in str(refusal.value)


def test_failures_name_backups_and_not_the_lake(tmp_path, s3):
    """A file where a directory should be, a bucket that is not there, a server that is gone."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match=r"backups cannot be kept in .*file .*check COINHTS_BACKUPS"):
        place_at(tmp_path, COINHTS_BACKUPS=str(tmp_path / "file"))
    named = {"COINHTS_BACKUPS": "s3://no-such-bucket-here/x", "COINHTS_S3__ENDPOINT": s3.endpoint}
    place = place_at(tmp_path, **named)
    for use in (lambda: place.get("a"), lambda: list(place.listed()), lambda: place.create("a", b"")):
        with pytest.raises(RefusedError, match=r"s3://no-such-bucket-here/x \(it answered 404 NoSuchBucket\)"):
            use()


def test_a_place_that_does_not_answer_is_waited_for(tmp_path, s3, monkeypatch):
    """Then whoever asked may try again."""
    monkeypatch.setattr("coinhts_core.lake.s3.sleep", lambda _: None)
    named = {"COINHTS_BACKUPS": s3.url, "COINHTS_S3__ENDPOINT": "http://127.0.0.1:1"}
    with pytest.raises(RetryableError, match="the place of backups, the lake s3://"):
        place_at(tmp_path, **named).get("a")
