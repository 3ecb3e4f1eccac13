import pytest

from coinhts_core.errors import LedgerUnreachableError
from coinhts_core.ledger.address import connected_ledger, reachable, spoken_as, url_of
from coinhts_core.settings import read_settings


def test_both_databases_are_found_and_made(postgres, tmp_path):
    """Dagster's stands beside the ledger's, unless it is said to be elsewhere."""
    told = {"COINHTS_HOME": str(tmp_path), "COINHTS_POSTGRES_URL": postgres.url("with_one_beside")}
    with reachable(read_settings(told)) as found:
        assert url_of(found) == told["COINHTS_POSTGRES_URL"]
        assert "with_one_beside_dagster" in found.dagster_postgres_url.get_secret_value()
    apart = {**told, "COINHTS_DAGSTER_POSTGRES_URL": spoken_as("postgresql+psycopg2", postgres.url("apart"))}
    with reachable(read_settings(apart)) as found:
        assert found.dagster_postgres_url.get_secret_value() == postgres.url("apart")


def test_where_nobody_answers_it_is_said(tmp_path):
    """With the address, and what to do."""
    told = {"COINHTS_HOME": str(tmp_path), "COINHTS_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with pytest.raises(LedgerUnreachableError, match="no PostgreSQL answers at"), connected_ledger(read_settings(told)):
        pass


def test_a_ledger_can_be_looked_at_before_it_has_a_schema(postgres, tmp_path, monkeypatch):
    """`ledger status` and `migrate` need no more than a server."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    monkeypatch.setenv("COINHTS_POSTGRES_URL", postgres.url("without_a_schema"))
    with connected_ledger(read_settings()) as ledger, ledger.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
