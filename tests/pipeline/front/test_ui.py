import json
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from websockets.sync.client import unix_connect

from coinhts_pipeline.front.proxy import ROLE_HEADER
from coinhts_pipeline.front.ui import build, open_workspace
from tests.pipeline.front.conftest import served

_DELETE = 'mutation { deletePipelineRun(runId: "nobody") { __typename } }'
_FOLLOW = 'subscription { pipelineRunLogs(runId: "nobody") { __typename } }'


class Asked:
    """The UI's socket."""

    def __init__(self, place):
        self.place = place

    def query(self, query, role=None):
        connection = HTTPConnection("ui")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.place))
        heads = {"Content-Type": "application/json"} | ({ROLE_HEADER: role} if role else {})
        connection.request("POST", "/graphql", json.dumps({"query": query}), heads)
        answer = json.load(connection.getresponse())
        connection.close()
        return answer["data"]

    def subscribe(self, query, role):
        with unix_connect(
            str(self.place), "ws://ui/graphql", subprotocols=["graphql-ws"], additional_headers={ROLE_HEADER: role}
        ) as browser:
            browser.send(json.dumps({"type": "connection_init"}))
            browser.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
            return [json.loads(browser.recv(timeout=20)) for _ in range(2)]


@pytest.fixture
def dagster(house):
    """Dagster's application over this house's storage, with no code behind it."""
    with TemporaryDirectory(prefix="coinhts-") as folder:
        (workspace := Path(folder) / "workspace.yaml").write_text('{"load_from": []}')
        with open_workspace(house.instance, workspace) as opened, socket.socket(socket.AF_UNIX) as place:
            place.bind(f"{folder}/ui")
            place.listen()
            with served(build(opened), place):
                yield Asked(f"{folder}/ui")


def test_dagsters_ui_is_as_we_use_it(dagster):
    """It answers a query, lets the owner change, refuses everybody else, and tells a subscriber what happens."""
    assert dagster.query("{ version }", "viewer")["version"]
    outcomes = {role: dagster.query(_DELETE, role) for role in ("owner", "viewer", "", "Owner", None)}
    kinds = {role: outcome["deletePipelineRun"]["__typename"] for role, outcome in outcomes.items()}
    assert kinds.pop("owner") == "RunNotFoundError"
    assert set(kinds.values()) == {"UnauthorizedError"}
    for role in ("owner", "viewer"):
        welcome, told = dagster.subscribe(_FOLLOW, role)
        assert (welcome["type"], told["type"]) == ("connection_ack", "data")
        assert told["payload"]["data"]["pipelineRunLogs"]["__typename"] == "PipelineRunLogsSubscriptionFailure"
    allowed = {
        role: {
            of["permission"]
            for of in dagster.query("{ permissions { permission value } }", role)["permissions"]
            if of["value"]
        }
        for role in ("owner", "viewer")
    }
    assert "launch_pipeline_execution" in allowed["owner"]
    assert allowed["viewer"] == set()


def test_the_front_starts_without_dagster():
    """Its process is there before the UI's, and small."""
    heavy = (
        "import sys, coinhts_pipeline.front.serve; print({'dagster', 'polars', 'numba', 'boto3'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
