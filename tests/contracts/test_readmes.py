"""Both READMEs tell the same: another language, not another program."""

import re
from pathlib import Path

import pytest

ENGLISH, KOREAN = (
    (Path(__file__).parents[2] / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")
)


def commands(text):
    """Give what is typed: the indented lines, without what is said of them."""
    return [
        line.split("#")[0].split() for line in text.splitlines() if line.startswith("    make") or "coinhts " in line
    ]


def programs(text):
    return re.findall(r"```python\n.*?```", text, re.DOTALL)


def named(text):
    """Give the names that begin the rows of tables."""
    return [cell for cell in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) if re.match(r"`|COINHTS_", cell)]


def papers(text):
    return set(re.findall(r"\]\(([A-Z.a-z-]+)\)", text)) - {"README.md", "README.ko.md"}


def depths(text):
    return re.findall(r"^#+", text, re.MULTILINE)


@pytest.mark.parametrize("told", [programs, named, papers, depths])
def test_what_is_named_in_one_language_is_named_in_the_other(told):
    """Programs, assets, settings, papers and chapters: the same, and in the same order."""
    assert told(ENGLISH)
    assert told(KOREAN) == told(ENGLISH)


def test_the_same_commands_are_shown():
    """Whoever types what either says gets the same."""
    shown = [[line for line in commands(text) if line[:1] in (["make"], ["coinhts"])] for text in (ENGLISH, KOREAN)]
    assert len(shown[0]) > 10
    assert shown[0] == shown[1]


def test_both_say_when_a_day_ends_here_and_there():
    """In UTC, and in the time of those who trade on Upbit."""
    assert "09:00 KST" in ENGLISH
    assert "오전 9시" in KOREAN
