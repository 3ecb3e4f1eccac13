from datetime import UTC, datetime, timedelta

import pytest

from coinhts_pipeline.front.sessions import LASTS, Sessions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = {"owner": "geheim", "viewer": "anschauen"}


def rows(ledger):
    with ledger.transaction() as connection:
        return connection.execute("SELECT token_hash, role FROM sessions").fetchall()


@pytest.fixture
def sessions(ledger):
    return Sessions(ledger, WORDS)


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_a_token_is_known_until_it_ends(sessions, role):
    """By this process and by the next, for two weeks or until the logout."""
    token = sessions.begin(role, NOW)
    found = sessions.find(token, NOW)
    assert (found.role, found.expires_at) == (role, NOW + LASTS)
    assert sessions.find(token, NOW + LASTS) is None
    assert sessions.find(token, NOW) == found
    sessions.end(found)
    assert sessions.find(token, NOW) is None


def test_the_ledger_holds_no_token(sessions, ledger):
    """Whoever reads a backup is nobody."""
    token = sessions.begin("owner", NOW)
    ((token_hash, role),) = rows(ledger)
    assert role == "owner"
    assert token not in token_hash
    assert len(token) >= 43
    assert sessions.find(token_hash, NOW) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "' OR 1=1 --", "\0"])
def test_nothing_else_is_a_token(sessions, token):
    """Whatever is sent."""
    sessions.begin("owner", NOW)
    assert sessions.find(token, NOW) is None


def test_a_changed_password_ends_what_it_opened(sessions, ledger):
    """And nothing else."""
    owners, viewers = sessions.begin("owner", NOW), sessions.begin("viewer", NOW)
    after = Sessions(ledger, WORDS | {"owner": "anders"})
    assert after.find(owners, NOW) is None
    assert after.find(viewers, NOW).role == "viewer"
    assert Sessions(ledger, {"owner": "geheim"}).find(viewers, NOW) is None


def test_a_role_is_not_to_be_had_by_editing_a_row(sessions, ledger):
    """The hash knows it."""
    token = sessions.begin("viewer", NOW)
    with ledger.transaction() as connection:
        connection.execute("UPDATE sessions SET role = 'owner'")
    assert sessions.find(token, NOW) is None


def test_those_that_are_over_are_cleared_away(sessions, ledger):
    """By whoever logs in next."""
    sessions.begin("owner", NOW)
    sessions.begin("owner", NOW + LASTS + timedelta(seconds=1))
    assert len(rows(ledger)) == 1


def test_the_ledger_is_asked_once_in_a_while(sessions, ledger):
    """A page asks for a hundred things at once; an end elsewhere is noticed within seconds, here at once."""
    token = sessions.begin("owner", NOW)
    found = sessions.find(token, NOW)
    with ledger.transaction() as connection:
        connection.execute("DELETE FROM sessions")
    assert sessions.find(token, NOW) == found
    sessions._remembered[found.token_hash] = found, -10.0
    assert sessions.find(token, NOW) is None
