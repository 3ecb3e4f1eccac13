import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import coinhts_core
from coinhts_core.errors import HomeUnusableError
from coinhts_core.lake.directory import DirectoryStore

REPOSITORY = Path(coinhts_core.__file__).parents[1]


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "lake")


def test_content_is_durable_before_it_has_a_name(store, monkeypatch, tmp_path):
    """The file reaches the disk before its name, the name before create returns, and so do new folders."""
    calls = []
    for name in ("fsync", "link", "mkdir", "unlink"):
        monkeypatch.setattr(os, name, recorded(getattr(os, name), name, calls))
    store.create("a/one", b"content")
    root = tmp_path / "lake"
    assert calls[:2] == [("mkdir", str(root / "a")), ("fsync", str(root))]
    (kind, unfinished), *rest = calls[2:]
    assert (kind, Path(unfinished).suffix) == ("fsync", ".unfinished")
    assert rest == [("link", unfinished), ("unlink", unfinished), ("fsync", str(root / "a"))]


def recorded(call, name, calls):
    def wrapper(target, *arguments, **options):
        path = str(Path(f"/proc/self/fd/{target}").readlink()) if isinstance(target, int) else os.fspath(target)
        calls.append((name, path))
        return call(target, *arguments, **options)

    return wrapper


def test_nothing_half_is_left_when_the_disk_refuses(tmp_path):
    """A write that the system cuts short is told in words and leaves no name and no leftover."""
    script = f"""
        import resource, signal
        from pathlib import Path
        from coinhts_core.errors import HomeUnusableError
        from coinhts_core.lake.directory import DirectoryStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            DirectoryStore(Path({str(tmp_path)!r})).create("a/one", bytes(5000))
        except HomeUnusableError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_links_lead_nowhere(store, tmp_path):
    """A link inside the root, to a file or a folder, opens nothing outside it, for reading or writing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "lake" / "folder").symlink_to(outside)
    (tmp_path / "lake" / "file").symlink_to(outside / "secret")
    for path in ("folder/secret", "file", "../outside/secret", str(outside / "secret")):
        for use in (store.get, store.remove, lambda path: store.create(path, b"theirs")):
            with pytest.raises(HomeUnusableError, match="leads out"):
                use(path)
    assert [path.read_text() for path in outside.iterdir()] == ["secret"]


def test_what_is_linked_is_not_listed(store, tmp_path):
    """Neither a linked file nor what lies in a linked folder, nor a link around in a circle; all else is."""
    store.create("a/one", b"1")
    root = tmp_path / "lake"
    (root / "b").symlink_to(root / "a")
    (root / "a" / "two").symlink_to(root / "a" / "one")
    (root / "a" / "again").symlink_to(root)
    assert [listed.path for listed in store.listed()] == ["a/one"]
    assert store.get("b/one") == b"1"


def test_names_may_go_while_they_are_listed(store, tmp_path):
    """Another process sweeps meanwhile: what is gone is not told of, be it a file or a folder."""
    names = {"a/one", "a/two", "b/one"}
    for name in names:
        store.create(name, b"1")
    listing = store.listed()
    for name in names - {next(listing).path}:
        store.remove(name)
    for folder in (tmp_path / "lake").iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()
    assert list(listing) == []


def test_listing_leads_nowhere_else(store, tmp_path):
    """A prefix that leads out is refused like any other path."""
    (tmp_path / "outside").mkdir()
    with pytest.raises(HomeUnusableError, match="leads out"):
        list(store.listed("../outside"))


def test_unusable_roots_are_named(tmp_path):
    """A root that is a file, or cannot be made, is refused with the system's reason."""
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none/lake")):
        with pytest.raises(HomeUnusableError, match="cannot be used"):
            DirectoryStore(root)


def test_only_old_leftovers_go(store, tmp_path):
    """What a killed writer left goes once it is old; a living writer's file stays, and so does all else."""
    store.create("a/one", b"1")
    old, new = (tmp_path / "lake" / "a" / f"{name}.unfinished" for name in ("old", "new"))
    for leftover in (old, new):
        leftover.write_text("half")
    os.utime(old, (0, 0))
    os.utime(tmp_path / "lake" / "a" / "one", (0, 0))
    removed = store.remove_unfinished(datetime.now(UTC) - timedelta(hours=1))
    assert [listed.path for listed in removed] == ["a/old.unfinished"]
    assert sorted(path.name for path in new.parent.iterdir()) == ["new.unfinished", "one"]
