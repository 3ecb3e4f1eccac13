import pytest

from coinhts_pipeline.front.passwords import Passwords


@pytest.fixture(scope="module")
def passwords():
    return Passwords({"owner": "geheim", "viewer": "암호é"})


@pytest.mark.parametrize(
    ("guess", "role"),
    [
        ("geheim", "owner"),
        ("암호é", "viewer"),
        ("암호e\u0301", "viewer"),
        *[(guess, None) for guess in ("", "Geheim", "geheim ", "geheim\0", "x" * 10_000, "\udcff")],
    ],
)
def test_who_it_is(passwords, guess, role):
    """However a keyboard spells it, and whatever else is sent."""
    assert passwords.role_of(guess) == role


def test_nothing_passes_where_there_is_no_password():
    """An empty guess, too."""
    assert Passwords({}).role_of("") is None


def test_a_long_password_counts_to_its_end():
    """Nothing is cut off."""
    long = "x" * 4_000
    assert Passwords({"owner": long}).role_of(long) == "owner"
    assert Passwords({"owner": long}).role_of(long[:-1]) is None


def test_the_password_is_not_kept(passwords):
    """A look into the process finds salted hashes."""
    assert "geheim" not in repr(vars(passwords))
