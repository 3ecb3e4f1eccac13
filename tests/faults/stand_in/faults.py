"""What can go wrong with a reply of the stand-in, by name.

What lives here: faults of the rows (they still make a well-formed answer) and faults of the reply (its status,
its bytes, its pace), and the script that says which call meets which. What to add: a function and its name in a
table. What stays out: sockets (`server`).
"""

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from threading import Lock


@dataclass
class Response:
    """What is about to be sent: pieces with pauses before them; cut short, if the length says more."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})
    head_pace_s: float = 0.0
    body_pace_s: float = 0.0
    cut_at: int | None = None
    hang_s: float = 0.0
    is_endless: bool = False


@dataclass
class Script:
    """Rules in order; the first that names the route and the call's number decides.

    A rule is {"route": start of a path, "asked": a part of the query, "calls": [1, 3], "share": 0.3, "seed": 7,
    "faults": [{"kind": …}, …]}: the numbers count a rule's calls from 1, a share leaves it to chance, and one of the
    faults is drawn.
    """

    rules: list[dict] = field(default_factory=list)
    _counts: Counter = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def next_fault(self, route: str, query: str) -> dict | None:
        with self._lock:
            matching = [
                number
                for number, rule in enumerate(self.rules)
                if route.startswith(rule["route"]) and rule.get("asked", "") in query
            ]
            self._counts.update(matching)
            drawn = (_drawn(self.rules[number], self._counts[number]) for number in matching)
            return next(filter(None, drawn), None)


def _drawn(rule: dict, call: int) -> dict | None:
    if "calls" in rule and call not in rule["calls"]:
        return None
    chance = random.Random(f"{rule.get('seed', 0)}/{call}")  # noqa: S311 - repeatable on purpose
    return {"seed": call} | chance.choice(rule["faults"]) if chance.random() < rule.get("share", 1.0) else None


def spoiled_rows(rows: list[dict], fault: dict) -> list[dict]:
    """Rows as a venue in trouble might send them; other faults leave them alone."""
    change = _OF_ROWS.get(fault["kind"])
    return change([dict(row) for row in rows], fault) if change else rows


def spoiled_reply(response: Response, fault: dict) -> Response:
    change = _OF_REPLIES.get(fault["kind"])
    if change:
        change(response, fault)
    return response


def _permute(rows: list[dict], fault: dict) -> list[dict]:
    random.Random(fault.get("seed", 0)).shuffle(rows)  # noqa: S311 - repeatable on purpose
    return rows


def _duplicate(rows: list[dict], fault: dict) -> list[dict]:
    return rows + [dict(rows[place % len(rows)]) for place in fault["places"] if rows]


def _drop(rows: list[dict], fault: dict) -> list[dict]:
    gone = {place % len(rows) for place in fault["places"]} if rows else set()
    return [row for place, row in enumerate(rows) if place not in gone]


def _lose(rows: list[dict], fault: dict) -> list[dict]:
    """Drop rows by chance, other ones each time."""
    chance = random.Random(fault.get("seed", 0))  # noqa: S311 - repeatable on purpose
    return [row for row in rows if chance.random() >= fault["share"]]


def _revise(rows: list[dict], fault: dict) -> list[dict]:
    for place in fault["places"]:
        if rows:
            row = rows[place % len(rows)]
            row["trade_price"] = row["high_price"] = row["high_price"] * 1.01
    return rows


def _change(rows: list[dict], fault: dict) -> list[dict]:
    """Give bars of a market, named by their moments, other values; the same every time they are told."""
    return [row | _other(row, fault) for row in rows]


def _contradict(rows: list[dict], fault: dict) -> list[dict]:
    """Tell such bars a second time, with the other values, and count them into as many rows as there may be."""
    told = [each for row in rows for each in (row, row | _other(row, fault)) if each is row or each != row]
    return told[: fault.get("rows")]


def _other(row: dict, fault: dict) -> dict:
    return fault["bars"].get(row["candle_date_time_utc"], {}) if row["market"] == fault["market"] else {}


def _late(rows: list[dict], fault: dict) -> list[dict]:
    return rows[fault.get("bars", 1) :]


def _all_of(rows: list[dict], fault: dict) -> list[dict]:
    for each in fault["faults"]:
        rows = spoiled_rows(rows, each)
    return rows


def _status(response: Response, fault: dict) -> None:
    response.status = fault["status"]
    response.body = fault.get("body", json.dumps({"error": {"name": "in_trouble", "message": "as told"}})).encode()
    response.headers |= fault.get("headers", {})


def _body(response: Response, fault: dict) -> None:
    """Replace the body; written in Latin-1, any bytes fit into a script."""
    response.body = fault["body"].encode("latin-1")
    response.headers |= fault.get("headers", {})


def _html(response: Response, _: dict) -> None:
    response.body = b"<!doctype html><title>maintenance</title>"
    response.headers["Content-Type"] = "text/html"


def _wrong_type(response: Response, _: dict) -> None:
    response.headers["Content-Type"] = "text/plain"


def _garbage(response: Response, fault: dict) -> None:
    response.body = random.Random(fault.get("seed", 0)).randbytes(fault.get("bytes", 2_000))  # noqa: S311 - repeatable


def _truncate(response: Response, fault: dict) -> None:
    response.cut_at = int(len(response.body) * fault.get("share", 0.5))


def _reset(response: Response, _: dict) -> None:
    response.cut_at = -1


def _hang(response: Response, fault: dict) -> None:
    response.hang_s = fault.get("seconds", 30.0)


def _drip(response: Response, fault: dict) -> None:
    response.body_pace_s = fault.get("seconds", 0.2)


def _drip_head(response: Response, fault: dict) -> None:
    response.head_pace_s = fault.get("seconds", 0.2)


def _huge(response: Response, _: dict) -> None:
    response.is_endless = True


def _bomb(response: Response, fault: dict) -> None:
    response.body = _bomb_of(fault.get("mebibytes", 256))
    response.headers["Content-Encoding"] = "gzip"


@cache
def _bomb_of(mebibytes: int) -> bytes:
    return gzip.compress(b"[" + b" " * (mebibytes * 2**20) + b"]", compresslevel=6)


def _nan(response: Response, fault: dict) -> None:
    """Put a word that is no number of JSON's where the first price is."""
    before, name, after = response.body.partition(b'"trade_price": ')
    response.body = before + name + fault.get("word", "NaN").encode() + after[after.index(b",") :] if name else b"[NaN]"


def _double_keys(response: Response, _: dict) -> None:
    response.body = response.body.replace(b'"market":', b'"market": "KRW-XXX", "market":', 1)


_OF_ROWS = {
    "permute": _permute,
    "duplicate": _duplicate,
    "drop": _drop,
    "lose": _lose,
    "revise": _revise,
    "change": _change,
    "contradict": _contradict,
    "late": _late,
    "all": _all_of,
}
_OF_REPLIES = {
    "status": _status,
    "body": _body,
    "html": _html,
    "wrong_type": _wrong_type,
    "garbage": _garbage,
    "truncate": _truncate,
    "reset": _reset,
    "hang": _hang,
    "drip": _drip,
    "drip_head": _drip_head,
    "huge": _huge,
    "bomb": _bomb,
    "nan": _nan,
    "double_keys": _double_keys,
}
KINDS = {*_OF_ROWS, *_OF_REPLIES, "inclusive"}


def kinds_in(fault: dict) -> Iterator[str]:
    yield fault["kind"]
    for each in fault.get("faults", []):
        yield from kinds_in(each)
