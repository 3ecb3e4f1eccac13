"""The lock file: everything a fresh machine installs, by hash, and nothing that says from where."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
LOCKED = [
    (canonicalize_name(name), Version(version))
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", LOCK, re.MULTILINE)
]
MAKE_LOCK = "run `make lock`"


def test_everything_is_pinned_by_hash():
    """What was read and tested is what is installed."""
    stanzas = [line for line in re.sub(r"\\\n", "", LOCK).splitlines() if not line.lstrip().startswith("#")]
    loose = [line[:60] for line in stanzas if "==" not in line or "--hash=sha256:" not in line]
    assert stanzas
    assert not loose, MAKE_LOCK


def test_no_address_is_named():
    """Each machine installs from where its owner says."""
    assert not re.findall(r"\w+://\S+|--(?:extra-)?index-url.*|--find-links.*", LOCK), MAKE_LOCK


@pytest.mark.parametrize("requirement", WANTED, ids=lambda requirement: requirement.name)
def test_the_lock_is_what_the_project_asks_for(requirement):
    """A requirement that was added or moved is locked anew."""
    locked = [version for name, version in LOCKED if name == canonicalize_name(requirement.name)]
    assert locked, MAKE_LOCK
    assert all(version in requirement.specifier for version in locked), MAKE_LOCK


def test_the_train_moves_together():
    """Dagster's packages pin one another: 1.M.P runs with libraries of 0.(M + 16).P."""
    train = {version for name, version in LOCKED if name.startswith("dagster")}
    (head,) = (version for name, version in LOCKED if name == "dagster")
    libraries = Version(f"0.{head.minor + 16}.{head.micro}")
    assert train == {head, libraries}, (
        "pin every dagster package in pyproject.toml to one release, then run `make lock`"
    )


def test_postgres_addresses_keep_their_driver():
    """From 2.1 on SQLAlchemy reads postgresql:// as psycopg 3, which dagster-postgres cannot speak."""
    assert max(version for name, version in LOCKED if name == "sqlalchemy") < Version("2.1")
