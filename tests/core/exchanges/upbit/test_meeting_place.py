import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from coinhts_core.errors import CallsUncountedError, ExchangeUnavailableError
from coinhts_core.exchanges import open_exchange
from coinhts_core.exchanges.upbit.meeting_place import enter, meeting_place
from coinhts_core.settings import Settings, Upbit

_CALLER = """
import sys, time
from coinhts_core.exchanges import open_exchange

upbit = open_exchange("upbit")
sys.stdin.readline()
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    upbit._calls.get("market", "/v1/market/all", {})
"""


def test_every_home_meets_at_one_place_for_an_address(tmp_path):
    """It is named after the user and the address, lies where the first place can be written, and is not made yet."""
    places = [tmp_path / "gone", tmp_path]
    real, other = (meeting_place(url, places) for url in ("https://api.upbit.com", "http://127.0.0.1:1"))
    assert real == meeting_place("https://api.upbit.com", places) != other
    assert real.parent == tmp_path
    assert real.name.startswith(f"coinhts-upbit-{os.geteuid()}-")
    assert not real.exists()
    assert meeting_place("https://api.upbit.com", [tmp_path / "gone"]).parent == tmp_path / "gone"


def test_the_environment_moves_it_not(monkeypatch, tmp_path):
    """A login and a service of the same user are not told the same."""
    before = meeting_place("https://api.upbit.com")
    for name in ("TMPDIR", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert meeting_place("https://api.upbit.com") == before


def test_it_is_made_for_nobody_else(tmp_path):
    """Whatever the umask says; and a second one finds it good."""
    before = os.umask(0)
    try:
        for _ in range(2):
            enter(tmp_path / "upbit")
    finally:
        os.umask(before)
    assert (tmp_path / "upbit").stat().st_mode & 0o777 == 0o700


def test_a_place_that_is_not_ones_own_is_refused(tmp_path):
    """Somebody else may have been there first: a link, a file, an open directory, a strange owner."""
    link, file, shared, strange = (tmp_path / name for name in ("link", "file", "shared", "strange"))
    link.symlink_to(tmp_path)
    file.touch()
    shared.mkdir(mode=0o750)
    strange.mkdir(mode=0o700)
    reasons = {link: "it is no directory", file: "it is no directory", shared: "others may enter it"}
    if os.geteuid() == 0:
        os.chown(strange, 65_534, 65_534)
        reasons[strange] = "it belongs to user 65534"
    for folder, reason in reasons.items():
        with pytest.raises(CallsUncountedError, match=f"{folder.name} .{reason}.*mend or remove it"):
            enter(folder)


def homes(tmp_path, stand_in):
    return [Settings(home=tmp_path / name, upbit=Upbit(base_url=stand_in.url)) for name in ("one", "two")]


def test_two_homes_share_the_permits(stand_in, tmp_path):
    """By the server's own log, no window of a second holds eleven calls of both."""
    stand_in.set_up()  # ten calls a second are its own limit, too
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", _CALLER, "2.5"],
            env=os.environ | {"COINHTS_HOME": str(of.home), "COINHTS_UPBIT__BASE_URL": of.upbit.base_url},
            stdin=subprocess.PIPE,
            text=True,
        )
        for of in homes(tmp_path, stand_in)
    ]
    for caller in callers:
        caller.stdin.write("\n")
        caller.stdin.flush()
    for caller in callers:
        caller.communicate(timeout=60)
        assert caller.returncode == 0
    arrived = sorted(call["at"] for call in stand_in.calls())
    assert len(arrived) > 20
    assert all(later - earlier >= 1.0 for earlier, later in zip(arrived, arrived[10:], strict=False))
    assert {call["status"] for call in stand_in.calls()} == {200}


def test_a_block_of_one_home_is_known_in_the_other(stand_in, tmp_path):
    """Neither calls until it is over, and both can say when that is."""
    body = json.dumps({"error": {"message": "blocked for 20 seconds"}})
    stand_in.set_up({"route": "/v1", "faults": [{"kind": "status", "status": 418, "body": body}]})
    one, two = (open_exchange("upbit", of) for of in homes(tmp_path, stand_in))
    with closing(one), closing(two):
        assert one.blocked_until() is None
        for upbit in (one, two):
            with pytest.raises(ExchangeUnavailableError, match="it blocked us"):
                upbit.markets()
        assert one.blocked_until() == two.blocked_until() is not None
    assert len(stand_in.calls()) == 1
    (meeting_place(stand_in.url) / "blocked-until").unlink()


def test_nothing_is_written_before_the_first_call(stand_in, tmp_path):
    """Opening a venue, or asking whether it is blocked, leaves no trace."""
    settings = Settings(home=tmp_path, upbit=Upbit(base_url=f"{stand_in.url}/nobody-calls"))
    with closing(open_exchange("upbit", settings)) as upbit:
        assert upbit.blocked_until() is None
    assert not meeting_place(settings.upbit.base_url).exists()
