import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from coinhts_pipeline.health import machine as machine_health
from coinhts_pipeline.health.diagnosis import State

RELEASES = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


def found(check):
    return {finding.check: finding for finding in machine_health.findings()}[check]


@pytest.fixture
def package(monkeypatch, tmp_path):
    """Let a package seem to be installed, before any other of its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def seem(name, version, *lines):
        facts = tmp_path / f"{name}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text("\n".join((f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *lines)))

    return seem


def test_this_machine_is_well():
    """Tests run where the house can."""
    assert [finding.check for finding in machine_health.findings() if finding.state is State.FAILED] == []
    assert "dagster 1." in found("packages").found


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("sqlalchemy", "2.1.0", "sqlalchemy is 2.1.0 and must be "),
        ("dagster_postgres", "0.28.1", "dagster-postgres is 0.28.1 and must be ==0."),
        ("numba", "0.1", "numba is 0.1 and must be "),
    ],
)
def test_a_package_that_does_not_fit_is_named(package, name, version, words):
    """With what is there and what is wanted."""
    package(name, version)
    assert found("packages").state is State.FAILED
    assert found("packages").found.startswith(words)
    assert found("packages").to_do.startswith("install the locked packages again")


def test_a_package_that_is_missing_is_named(package):
    """What only developers need may be missing."""
    package("coinhts", "9", "Requires-Dist: nothing-like-it>=1", "Requires-Dist: nor-this; extra == 'dev'")
    assert found("packages").found.startswith("nothing-like-it is not installed; ")


@given(version=RELEASES, low=RELEASES, high=RELEASES)
def test_versions_compare_as_packages_say(version, low, high):
    """Bounds mean what they mean to an installer."""
    for bound in (f">={low}", f"<{high}", f">={low},<{high}", f"=={low}"):
        fits = all(
            machine_health._fits(machine_health._numbers(version), sign, machine_health._numbers(other))
            for sign, other in machine_health._BOUND.findall(bound)
        )
        assert fits is SpecifierSet(bound).contains(Version(version))


def test_little_memory_is_a_warning(monkeypatch):
    """Runs may be killed for it, so it is said before."""
    monkeypatch.setattr(machine_health, "_LEAST_FREE_MIB", 10**9)
    assert found("memory").state is State.WARNING
    assert "close other programs" in found("memory").found


def test_a_container_that_has_used_its_memory_is_seen(monkeypatch, tmp_path):
    """What the machine has free is of no use to it; what the kernel can drop is."""
    monkeypatch.setattr(machine_health, "_CGROUP", tmp_path)
    for name, text in (("max", 2 * 2**30), ("current", 2**30 * 15 // 8), ("stat", f"anon 7\ninactive_file {2**20}")):
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    assert found("memory").found.startswith("129 MiB free; ")
    (tmp_path / "memory.max").write_text("max\n")
    assert found("memory").state is State.OK


def test_few_open_files_are_a_warning():
    """The limit is asked of the kernel, so the test lowers it for real."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        finding = found("open files")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert finding.state is State.WARNING
    assert finding.found == "only 512 may be open at once; allow more with `ulimit -n 4096`"


def test_a_temporary_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    """Python itself would quietly take another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "file"))
    assert found("temporary folder").state is State.FAILED
    assert f"nothing can be written to {tmp_path / 'file'} (Not a directory)" in found("temporary folder").found


def test_compiled_code_that_cannot_be_kept_where_it_is_wanted_is_told(monkeypatch, tmp_path):
    """Numba takes another place without a word, or none, and then every process compiles anew."""
    assert found("compiled code").state is State.OK
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert found("compiled code").state is State.WARNING
    assert "set NUMBA_CACHE_DIR to a directory you may write to" in found("compiled code").found
    monkeypatch.setattr(machine_health, "__file__", str(tmp_path / "file" / "coinhts" / "pipeline" / "module.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "every process compiles anew" in found("compiled code").found
