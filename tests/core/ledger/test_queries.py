import re
from pathlib import Path

import pytest

from coinhts_core.ledger.queries import FOLDER, load_queries

REPOSITORY = Path(__file__).parents[3]
NOUNS = sorted(file.stem for file in FOLDER.glob("*.sql"))


@pytest.mark.parametrize("noun", NOUNS)
def test_every_statement_of_a_file_has_a_name_and_a_sentence(noun):
    """What the reader does not understand would be missing only when it is needed."""
    text = (FOLDER / f"{noun}.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- name: (.*)$", text, re.MULTILINE)
    assert list(load_queries(noun)) == names
    assert text.startswith("-- name: ")
    for name, statement in load_queries(noun).items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name), name
        assert statement.endswith(";"), name
        assert re.search(rf"^-- name: {name}\n(--.*\n)*--.*\.\n(?!--)", text, re.MULTILINE), f"{name}: one sentence"


@pytest.mark.parametrize("noun", NOUNS)
def test_every_query_has_a_caller(noun):
    """A statement nobody runs is removed, not kept."""
    folders = (REPOSITORY / "coinhts_core", REPOSITORY / "coinhts_pipeline")
    code = "".join(file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py"))
    assert [name for name in load_queries(noun) if f'"{name}"' not in code] == []


def test_queries_are_read_once_and_nobody_changes_them():
    """Rooms share one mapping."""
    queries = load_queries("migrations")
    assert load_queries("migrations") is queries
    with pytest.raises(TypeError):
        queries["another"] = "SELECT 1"
