import pytest

from coinhts_pipeline.front.api import DESCRIBED, document


def test_the_description_is_of_what_there_is(locked_port):
    """Each path that is described answers whoever may ask; it is OpenAPI 3.1, and behind the login."""
    told = locked_port.read("/api/openapi.json", authorization="Bearer tok").document
    assert told == document()
    assert (told["openapi"], told["info"]["title"]) == ("3.1.0", "coinhts")
    assert told["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in DESCRIBED.items():
        for method in methods:
            heads = {"content_type": "application/json"} if method == "post" else {}
            answer = locked_port.ask(
                method.upper(), path.replace("{path}", ""), None, authorization="Bearer tok", **heads
            )
            assert answer.status == 200, path
            assert answer.headers["content-type"].startswith(next(iter(methods[method]["responses"]["200"]["content"])))


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/backtests/1/result", "/api/graphql"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_there_is_not_is_said_in_json(open_port, method, path):
    """Nothing below /api is the UI's page; a refusal has one form."""
    answer = open_port.ask(method, path, None, origin=open_port.origin, content_type="application/json")
    assert answer.status in {404, 405, 406}
    assert set(answer.document["error"]) == {"code", "message", "field"}
