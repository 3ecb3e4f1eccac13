import pytest
from pydantic import SecretStr

from coinhts_core.backups.files import differing, own_files, put_back, read_files
from coinhts_core.backups.objects import Objects
from coinhts_core.errors import DamagedBackupError, HomeUnusableError, NotEmptyError
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.settings import read_settings


@pytest.fixture
def objects(tmp_path):
    return Objects(DirectoryStore(tmp_path / "backups"))


def home(tmp_path, name="home", **settings):
    (tmp_path / name).mkdir()
    named = {f"COINHTS_{key}": value for key, value in settings.items()}
    return read_settings({"COINHTS_HOME": str(tmp_path / name), **named})


def furnish(settings):
    settings.lineup_file.write_text("[a]\n")
    for file in ("one.py", "deep/two.py", "data.csv", "__pycache__/one.pyc", ".draft.py"):
        path = settings.strategies_folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode() + b"\xff")
    (settings.home / "dagster").mkdir()
    (settings.home / "dagster" / "dagster.yaml").write_text("{}")
    (settings.home / ".env").write_text("COINHTS_WEB__TOKEN=hush\n")
    return settings


def test_a_homes_own_files_go_out_and_come_back(tmp_path, objects):
    """Byte for byte, those of their owner; what is made anew at each start stays where it is."""
    one, other = furnish(home(tmp_path)), home(tmp_path, "other")
    files = read_files(one, objects, "0007")
    owners = ["strategies/data.csv", "strategies/deep/two.py", "strategies/one.py", "strategies.toml"]
    assert [of.path for of in files.files] == ["dagster/dagster.yaml", *owners]
    assert (files.schema_revision, len(files.lock_hash)) == ("0007", 64)
    assert put_back(other, files, objects, "x") == owners
    assert own_files(other) == own_files(one) == sorted(owners)
    assert (other.strategies_folder / "deep" / "two.py").read_bytes() == b"deep/two.py\xff"
    assert put_back(other, files, objects, "x") == []


def test_what_is_there_is_not_written_over(tmp_path, objects):
    """Other words of the same name stay."""
    files = read_files(furnish(home(tmp_path)), objects, None)
    other = home(tmp_path, "other")
    other.lineup_file.write_text("mine")
    with pytest.raises(NotEmptyError, match=r"strategies\.toml"):
        put_back(other, files, objects, "x")
    assert other.lineup_file.read_text() == "mine"


def test_bytes_that_are_lost_are_told(tmp_path, objects):
    """By the file they were."""
    files = read_files(furnish(home(tmp_path)), objects, None)
    lost = files.model_copy(update={"files": (files.files[1].model_copy(update={"sha256": "0" * 64}),)})
    with pytest.raises(DamagedBackupError, match=r"the bytes of strategies/data\.csv are missing"):
        put_back(home(tmp_path, "other"), lost, objects, "x")


def test_settings_are_told_without_secrets_and_without_places(tmp_path, objects):
    """Whoever restores learns what was set otherwise, and which secrets there were."""
    settings = home(
        tmp_path, WEB__PORT="3100", SYMBOLS="KRW-BTC", UPBIT__ACCESS_KEY="hush-hush", LAKE="s3://a/b", BACKUPS="/x",
        UPBIT__BASE_URL="http://user:hush-hush@127.0.0.1",
    )  # fmt: skip
    settings = settings.model_copy(update={"postgres_url": SecretStr("postgresql://a:hush-hush@b/c")})
    files = read_files(settings, objects, None)
    assert files.secrets == ("COINHTS_UPBIT__ACCESS_KEY",)
    assert "hush" not in files.to_text().decode()
    assert not {"COINHTS_HOME", "COINHTS_LAKE", "COINHTS_BACKUPS", "COINHTS_POSTGRES_URL"} & files.settings.keys()
    other = home(tmp_path, "other", UPBIT__BASE_URL="http://user:hush-hush@127.0.0.1")
    assert differing(files, other) == {"COINHTS_SYMBOLS": "KRW-BTC", "COINHTS_WEB__PORT": "3100"}


def test_a_home_that_cannot_be_read_is_told_in_words(tmp_path, objects, monkeypatch):
    """With the file."""
    settings = furnish(home(tmp_path))
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: self.joinpath("x").open("rb").read())
    with pytest.raises(HomeUnusableError, match="Not a directory: "):
        read_files(settings, objects, None)
