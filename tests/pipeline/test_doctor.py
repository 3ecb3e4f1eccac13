from coinhts_core.ledger.venue import mark_venue
from coinhts_pipeline.doctor import examine


def found(findings):
    return {finding.check: (finding.is_well, finding.found) for finding in findings}


def test_a_healthy_house_is_well_in_every_respect(house):
    """Settings to days: each check says what it found."""
    findings = found(examine())
    assert all(is_well for is_well, _ in findings.values()), findings
    assert list(findings) == [
        "python",
        "settings",
        "home",
        "disk",
        "exchange",
        "strategies",
        "ledger",
        "lake",
        "symbols",
        "days",
    ]
    assert "KRW-BTC, KRW-ETH, KRW-XRP" in findings["symbols"]
    assert "coinhts backfill" in findings["days"][1]
    assert house


def test_an_embedded_server_is_found_by_its_files(server_home, monkeypatch):
    """As root they lie elsewhere than the home, and a person who looks for them asks here."""
    monkeypatch.setenv("COINHTS_HOME", str(server_home))
    is_well, words = found(examine())["ledger"]
    assert is_well
    assert words.startswith("embedded PostgreSQL, its files in ")


def test_bad_settings_end_the_examination_with_their_sentence(monkeypatch):
    """Nothing else can be looked at."""
    monkeypatch.setenv("COINHTS_SYMBOL", "KRW-BTC")
    findings = found(examine())
    assert list(findings) == ["python", "settings"]
    assert findings["settings"][0] is False
    assert "did you mean COINHTS_SYMBOLS?" in findings["settings"][1]


def test_a_house_that_does_not_open_says_why_and_the_rest_is_told(open_house, tmp_path):
    """One fault hides no other finding."""
    with open_house(tmp_path) as house:
        with house.rooms.ledger.transaction() as connection:
            connection.execute("DELETE FROM installation")
        mark_venue(house.rooms.ledger, "upbit", "elsewhere")
        (tmp_path / "strategies").mkdir()
        (tmp_path / "strategies" / "broken.py").write_text("nonsense(\n")
        findings = found(examine())
    assert [check for check, (is_well, _) in findings.items() if not is_well] == ["strategies", "installation"]
    assert "broken.py cannot be loaded: SyntaxError" in findings["strategies"][1]
    assert "holds data of upbit" in findings["installation"][1]
