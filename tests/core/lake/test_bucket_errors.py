import pytest

from coinhts_core.lake.bucket_errors import is_missing_name, is_passing, reason_of


def said(status, code):
    return OSError(
        f"Generic S3 error: Error performing GET http://user:canary@127.0.0.1/bucket in 3ms - Server returned non-2xx "
        f"status code: {status} Some Words: <?xml?>\n<Error><Code>{code}</Code><Message>canary</Message></Error>"
    )


@pytest.mark.parametrize(
    ("error", "is_worth_waiting"),
    [
        (said(500, "InternalError"), True),
        (said(503, "SlowDown"), True),
        (said(409, "ConditionalRequestConflict"), True),
        (said(429, "TooManyRequests"), True),
        (said(400, "RequestTimeout"), True),
        (OSError("HTTP error: error sending request"), True),
        (said(301, "PermanentRedirect"), False),
        (said(400, "ExpiredToken"), False),
        (said(403, "SignatureDoesNotMatch"), False),
        (said(404, "NoSuchBucket"), False),
    ],
)
def test_what_passes_is_told_from_what_stays(error, is_worth_waiting):
    """Servers that stumble and connections that break are worth waiting for; a calm refusal is not."""
    assert is_passing(error) is is_worth_waiting


def test_missing_bucket_is_not_a_missing_name():
    """A bucket that is not there must never look like a lake that is empty."""
    assert is_missing_name(said(404, "NoSuchKey"))
    assert not is_missing_name(said(404, "NoSuchBucket"))


def test_reasons_hold_status_and_code_only():
    """The rest of an answer, and the address asked, may hold secrets."""
    assert reason_of(said(403, "AccessDenied")) == "it answered 403 AccessDenied"
    assert reason_of(said(502, "<canary>")) == "it answered 502"
    assert reason_of(OSError("http://user:canary@127.0.0.1")) == "no whole answer came"
