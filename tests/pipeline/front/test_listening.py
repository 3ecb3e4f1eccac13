import pytest

from coinhts_pipeline.front.access import Access
from coinhts_pipeline.front.listening import listening


async def nothing(scope, receive, send):
    del scope, receive, send


@pytest.mark.parametrize("place", [{"host": "127.0.0.1", "port": 3000}, {"uds": "/run/ui", "date_header": False}])
def test_a_server_says_nothing_of_itself_and_believes_no_address(place):
    """Wherever it listens; and whatever is asked has an id."""
    config = listening(nothing, "coinhts.test", **place)
    assert (config.server_header, config.proxy_headers, config.access_log) == (False, False, False)
    assert isinstance(config.app, Access)
    assert {name: getattr(config, name) for name in place} == place
