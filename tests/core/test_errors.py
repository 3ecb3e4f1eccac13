import ast
import inspect
import re
from copy import copy
from string import Formatter

import pytest

from coinhts_core import errors
from coinhts_core.errors import (
    CoinhtsError,
    RefusedError,
    RetryableError,
)

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CoinhtsError)]
BRANCHES = {CoinhtsError, RetryableError, RefusedError}


def facts_of(kind):
    names = {name for _, name, _, _ in Formatter().parse(kind.sentence) if name}
    return {name: f"<{name} {{0}}>" for name in names}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_refusal_is_one_sentence_with_its_facts(kind):
    """No brace is left unfilled, no fact unsaid, and a fact's own braces are only text."""
    facts = facts_of(kind)
    error = kind(**facts)
    assert all(fact in str(error) for fact in facts.values())
    assert not re.search(r"\{(?!0\})|(?<!\{0)\}", str(error))
    assert "\n" not in str(error)
    assert not str(error).endswith(".")
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize("kind", CLASSES)
def test_every_refusal_is_rebuilt_from_its_facts(kind):
    """As it is on the way from one process to another: it arrives as what it was."""
    error = kind(**facts_of(kind))
    arrived = copy(error)
    assert (type(arrived), str(arrived), arrived.facts) == (kind, str(error), error.facts)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_refusal_says_what_it_is_and_whose_turn_it_is(kind):
    """A docstring, an exit code, and one of the two branches."""
    assert kind.__dict__.get("__doc__")
    assert kind.exit_code in {1, 2, 3}
    assert kind is CoinhtsError or issubclass(kind, RetryableError) != issubclass(kind, RefusedError)


def test_the_drawn_tree_is_the_tree():
    """The picture at the top of the file names every class under its branch, in the order of the file."""
    _, waits, fixes = re.split(r"├── RetryableError|└── RefusedError", errors.__doc__)
    written = [node.name for node in ast.parse(inspect.getsource(errors)).body if isinstance(node, ast.ClassDef)]
    parents = {kind.__name__: kind.__base__.__name__ for kind in CLASSES}
    for parent, drawn in (("RetryableError", waits), ("RefusedError", fixes)):
        assert re.findall(r"\w+Error\b", drawn) == [name for name in written if parents[name] == parent]
