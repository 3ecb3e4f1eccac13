"""The one way coinhts hashes facts into an identity.

What lives here: `digest`, used by chains, results, code versions and made_from marks. What stays out: hashes
of rows (`frames.Schema.content_hash`) and of files (`lake`). Changing anything here changes every identity
ever stored.
"""

import json
from hashlib import sha256

Fact = str | int | float | bool | None | list["Fact"] | tuple["Fact", ...] | dict[str, "Fact"]


def canonical(fact: Fact) -> str:
    """One spelling for equal facts: sorted keys, no spaces, plain UTF-8, shortest floats, no NaN."""
    return json.dumps(fact, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(*facts: Fact) -> str:
    return sha256(canonical(list(facts)).encode()).hexdigest()
