import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest

from coinhts_core.clock import now
from coinhts_core.ledger.migrate import rollback, status
from coinhts_core.ledger.venue import mark_venue
from coinhts_core.settings import read_settings
from coinhts_pipeline.health import ledger as ledger_health
from coinhts_pipeline.health.diagnosis import State

_ENCRYPTION = {80877103, 80877104}
_PASSWORD_WANTED = b"R" + (8).to_bytes(4) + (3).to_bytes(4)


@contextmanager
def asking_for_a_password() -> Iterator[int]:
    """Speak PostgreSQL's protocol as far as its first question; tell the port."""

    def converse():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                while (message := connection.recv(1_000)) and int.from_bytes(message[4:8]) in _ENCRYPTION:
                    connection.sendall(b"N")
                connection.sendall(_PASSWORD_WANTED)
                connection.recv(1_000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=converse, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Look at the ledger that an address names."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path / "home"))

    def look(address):
        if address:
            monkeypatch.setenv("COINHTS_POSTGRES_URL", address)
        return {finding.check: finding for finding in ledger_health.findings(read_settings())}

    return look


@pytest.fixture
def marked(ledger):
    """Give a ledger of the sample market."""
    mark_venue(ledger, "sample", "elsewhere")
    return ledger


def test_a_ledger_that_answers_is_well(found, marked):
    """Server, clock, schema and venue, and then what is stored."""
    findings = found(marked._url)
    assert [findings[check].state for check in ("postgres", "clock", "ledger", "venue")] == [State.OK] * 4
    assert findings["postgres"].found.startswith("PostgreSQL 18 answers at ")
    assert findings["ledger"].found == f"at migration {status(marked)[-1].name}"
    assert findings["venue"].found == "data of sample"
    assert "symbols" in findings


def test_an_embedded_server_is_found_by_its_files(found, server_home):
    """A fresh one holds nothing yet, and nothing is made in it."""
    assert server_home
    findings = found("")
    assert findings["server"].found.startswith("embedded PostgreSQL, its files in ")
    assert findings["postgres"].state is State.WARNING
    assert "there is no ledger at " in findings["postgres"].found
    assert "nothing is missing: `coinhts demo` or `coinhts backfill` makes it" in findings["postgres"].found
    assert list(findings) == ["server", "postgres"]


def test_an_embedded_server_that_does_not_start_is_told(found, tmp_path):
    """Its home is not one."""
    (tmp_path / "home").touch()
    findings = found("")
    assert list(findings) == ["server"]
    assert findings["server"].state is State.FAILED
    assert "cannot be used" in findings["server"].found


def test_nobody_at_the_address_is_told_without_the_password(found):
    """Where it was looked for, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    findings = found(f"postgresql://me:canary@127.0.0.1:{port}/coinhts")
    assert list(findings) == ["postgres"]
    assert findings["postgres"].state is State.FAILED
    assert f"no PostgreSQL answers at 127.0.0.1:{port}/coinhts" in findings["postgres"].found
    assert findings["postgres"].to_do.startswith("start it, or mend COINHTS_POSTGRES_URL")
    assert "canary" not in findings["postgres"].found


def test_an_address_that_cannot_be_read_is_not_repeated(found):
    """It holds a password somewhere."""
    findings = found("postgresql://me:can ary@h:x:y/coinhts")
    assert findings["postgres"].state is State.FAILED
    assert "write it like postgresql://user:password@host:5432/coinhts" in findings["postgres"].found
    assert "ary" not in findings["postgres"].found


def test_a_server_that_says_nothing_is_not_waited_for(found, monkeypatch):
    """A port may be open, and nobody behind it."""
    monkeypatch.setattr(ledger_health, "_CONNECT_PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        findings = found(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/coinhts")
    assert findings["postgres"].state is State.FAILED
    assert findings["postgres"].found == f"it did not answer within 0.3 s; {ledger_health.MEND}"


def test_a_server_that_asks_for_a_password_is_told_apart(found):
    """It does answer; what is missing has its place."""
    with asking_for_a_password() as port:
        findings = found(f"postgresql://me@127.0.0.1:{port}/coinhts")
    assert findings["postgres"].state is State.FAILED
    assert "asks for a password, or refuses the one it is given" in findings["postgres"].found
    assert findings["postgres"].to_do == "write it into COINHTS_POSTGRES_URL in COINHTS_HOME/.env"


def test_a_server_that_is_too_old_is_told(found, marked, monkeypatch):
    """It may work; nobody tried."""
    monkeypatch.setattr(ledger_health, "_OLDEST", 99)
    findings = found(marked._url)
    assert findings["postgres"].state is State.WARNING
    assert findings["postgres"].to_do == "upgrade it: coinhts is tried with 99 on"
    assert "ledger" in findings


def test_clocks_that_differ_are_told(found, marked, monkeypatch):
    """Ahead or behind: a day is over by one and not by the other."""
    for offset in (timedelta(minutes=-2), timedelta(minutes=2)):
        with monkeypatch.context() as other:
            other.setattr(ledger_health, "now", lambda offset=offset: now() + offset)
            findings = found(marked._url)
        assert findings["clock"].state is State.WARNING
        assert findings["clock"].found.startswith("this machine's clock and PostgreSQL's differ by 1")
        assert "NTP" in findings["clock"].to_do


def test_a_ledger_newer_than_the_code_is_refused(found, marked):
    """Nothing else in it is looked at."""
    with marked.transaction() as connection:
        connection.execute("INSERT INTO migrations (number, name, checksum) VALUES (9999, '9999_from_tomorrow', 'x')")
    findings = found(marked._url)
    assert list(findings)[-1] == "ledger"
    assert findings["ledger"].state is State.FAILED
    assert findings["ledger"].found.startswith("the ledger is at migration 9999_from_tomorrow, this coinhts knows ")
    assert findings["ledger"].to_do == "use the newer coinhts"


def test_an_edited_migration_is_refused(found, marked):
    """As any command would."""
    with marked.transaction() as connection:
        connection.execute("UPDATE migrations SET checksum = 'x' WHERE number = 1")
    assert found(marked._url)["ledger"].state is State.FAILED


def test_a_migration_that_is_missing_is_told(found, marked):
    """And not applied; that is no doctor's work."""
    taken = rollback(marked, to=status(marked)[-1].number - 1)
    findings = found(marked._url)
    assert findings["ledger"].state is State.WARNING
    assert findings["ledger"].found == f"{taken[0]} not applied yet; `coinhts ledger migrate` does it"
    assert status(marked)[-1].applied_at is None


def test_a_database_without_a_table_is_nothing_to_worry_about(found, empty_ledger):
    """Somebody made it in advance."""
    findings = found(empty_ledger._url)
    assert findings["ledger"].state is State.WARNING
    assert findings["ledger"].found.startswith("it is empty; nothing is missing")


def test_a_ledger_of_another_venue_is_refused(found, ledger):
    """Data of two is never mixed."""
    mark_venue(ledger, "upbit", "elsewhere")
    findings = found(ledger._url)
    assert list(findings)[-1] == "venue"
    assert findings["venue"].state is State.FAILED
    assert "the ledger holds data of upbit, and COINHTS_EXCHANGE says sample" in findings["venue"].found
    assert findings["venue"].to_do.startswith("set COINHTS_HOME to a fresh directory, such as ")
