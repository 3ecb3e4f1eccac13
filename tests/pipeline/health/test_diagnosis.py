import json
import time
from threading import Event

import pytest

from coinhts_core.errors import BadSettingError, LedgerUnreachableError, PortTakenError, UnknownSettingError
from coinhts_core.ops.health import Judged, Status
from coinhts_pipeline.health.diagnosis import Begun, Finding, State, Trouble, diagnosed, said

START_IT = "start it, or mend COINHTS_POSTGRES_URL, or unset it to use the embedded server"


def test_what_is_well_is_told_as_it_is():
    """A sentence that a look gives back is a finding, with nothing to do."""
    assert diagnosed("home", lambda: "/data", "move") == Finding("home", State.OK, "/data", "")


@pytest.mark.parametrize(("state", "is_well"), [(State.WARNING, True), (State.FAILED, False)])
def test_a_trouble_says_what_and_what_to_do(state, is_well):
    """Both in one sentence, the latter by itself as well; only what failed is not well."""
    found = diagnosed("disk", lambda: Trouble("it is full", "make room", state), "")
    assert found == Finding("disk", state, "it is full; make room", "make room")
    assert found.is_well is is_well


@pytest.mark.parametrize(
    ("error", "found", "to_do"),
    [
        (
            PortTakenError(host="a; b", port=1),
            "port 1 on a; b is taken; set COINHTS_WEB__PORT to a free one",
            "set COINHTS_WEB__PORT to a free one",
        ),
        (
            LedgerUnreachableError(address="here", reason="x; y"),
            f"no PostgreSQL answers at here (x; y); {START_IT}",
            START_IT,
        ),
        (
            UnknownSettingError(name="COINHTS_SYMBOL", hint="; did you mean COINHTS_SYMBOLS?"),
            "COINHTS_SYMBOL is not a setting of coinhts (.env.example lists them all); did you mean COINHTS_SYMBOLS?",
            "did you mean COINHTS_SYMBOLS?",
        ),
        (
            UnknownSettingError(name="COINHTS_X", hint=""),
            "COINHTS_X is not a setting of coinhts (.env.example lists them all); mend it",
            "mend it",
        ),
        (
            BadSettingError(name="A", value=1, reason="no; never"),
            "A cannot be '1': no; never; mend it",
            "mend it",
        ),
    ],
)
def test_a_refusals_own_advice_is_kept(error, found, to_do):
    """Where its sentence ends with none, the check's is added; a semicolon among the facts misleads nobody."""

    def look():
        raise error

    assert diagnosed("check", look, "mend it") == Finding("check", State.FAILED, found, to_do)


def test_a_crash_is_a_finding_that_tells_no_secret():
    """Words of other people's exceptions may hold an address with its password."""

    def look():
        msg = "postgresql://me:canary@host"
        raise KeyError(msg)

    found = diagnosed("check", look, "mend it")
    assert (found.state, found.found) == (State.FAILED, "the check itself broke (KeyError); mend it")


@pytest.mark.parametrize("state", [State.FAILED, State.WARNING])
def test_a_look_that_hangs_is_left_behind(state):
    """The others need not wait for it; where there may be much to look through, that alone is no failure."""
    released, began = Event(), time.monotonic()
    found = diagnosed("check", lambda: str(released.wait(30)), "mend it", patience_s=0.2, when_late=state)
    assert time.monotonic() - began < 10
    assert (found.state, found.found) == (state, "it did not answer within 0.2 s; mend it")
    released.set()


def test_a_finding_is_a_document():
    """Machines read name, state, what was found and what to do."""
    found = diagnosed("disk", lambda: Trouble("it is full", "make room"), "")
    assert json.loads(json.dumps(vars(found))) == {
        "check": "disk",
        "state": "warning",
        "found": "it is full; make room",
        "to_do": "make room",
    }


def test_what_hung_tells_later_what_it_saw():
    """Until then it is told since when it hangs, and how long it took at last."""
    released = Event()
    begun = Begun("lake", lambda: str(released.wait(30)), "mend it")
    assert begun.found(0.2).found == "it did not answer within 0.2 s; mend it"
    assert (begun.has_told, begun.seconds >= 0.2) == (False, True)
    released.set()
    assert begun.found(30.0) == Finding("lake", State.OK, "True")
    assert begun.has_told
    assert begun.seconds == begun.seconds < 30


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        (Status.HEALTHY, "full"),
        (Status.WARNING, Trouble("full", "make room", State.WARNING)),
        (Status.UNHEALTHY, Trouble("full", "make room", State.FAILED)),
    ],
)
def test_what_was_judged_elsewhere_is_told_as_a_look_is(status, seen):
    """What is well has nothing to be done about."""
    assert said(Judged(status, "full", "make room")) == seen
