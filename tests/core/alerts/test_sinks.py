from coinhts_core.alerts.sinks import open_sinks
from coinhts_core.settings import read_settings


def test_the_settings_say_where_alerts_go(tmp_path):
    """The file always; Slack with an address; mail with a server and somebody to write to."""
    home = {"COINHTS_HOME": str(tmp_path)}
    slack = {"COINHTS_SLACK__WEBHOOK_URL": "https://hooks.example.com/services/x"}
    mail = {"COINHTS_SMTP__HOST": "mail.example.com"}
    assert list(open_sinks(read_settings(home))) == ["file"]
    assert list(open_sinks(read_settings(home | slack | mail))) == ["file", "slack"]
    assert list(open_sinks(read_settings(home | mail | {"COINHTS_SMTP__TO": "a@example.com"}))) == ["file", "mail"]
