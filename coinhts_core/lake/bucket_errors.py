"""What the exceptions of a bucket mean: wait or fix, and why, in a word that holds no address and no key.

What lives here: their reading. obstore tells status and code only within its text. What stays out: what is done
about it (`s3`).
"""

import re

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_LASTING = {
    "Encountered object with invalid path": "a name below it has an empty or dotted part, so it is not only ours",
    "Received redirect without LOCATION": "the bucket lies in another region",
}
_PASSING_STATUSES = {"408", "409", "429"}
_PASSING_CODES = {"RequestTimeout", "SlowDown"}


def is_missing_name(error: Exception) -> bool:
    """A bucket that does not exist is told apart from a name in it."""
    return _code(error) != "NoSuchBucket"


def is_passing(error: Exception) -> bool:
    """Connections fail and servers stumble; what a server refuses calmly it refuses again."""
    if _lasting(error):
        return False
    status, code = _status(error), _code(error)
    return status is None or status >= "500" or status in _PASSING_STATUSES or code in _PASSING_CODES


def reason_of(error: Exception) -> str:
    status = _status(error)
    answer = f"it answered {status} {_code(error)}".strip() if status else "no whole answer came"
    return _lasting(error) or answer


def _lasting(error: Exception) -> str:
    return next((reason for words, reason in _LASTING.items() if words in str(error)), "")


def _status(error: Exception) -> str | None:
    found = _STATUS.search(str(error))
    return found[1] if found else None


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""
