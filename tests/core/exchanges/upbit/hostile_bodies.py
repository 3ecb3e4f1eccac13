"""Bodies that no venue should send, by the hundred; every one of them is to be refused.

What lives here: the corpus. What to add: a body, in the list it belongs to. What stays out: broken transport,
which `test_http` has.
"""

import json
import random
from collections.abc import Iterator

ROW = {
    "market": "KRW-BTC",
    "candle_date_time_utc": "2026-01-05T00:00:00",
    "opening_price": 3.5,
    "high_price": 4.5,
    "low_price": 2.5,
    "trade_price": 3.0,
    "candle_acc_trade_volume": 1.25,
    "candle_acc_trade_price": 3.75,
}
# No amount of any kind, and a price, a volume or a turnover that cannot be; each leaves the answer's other bars alone.
NO_AMOUNTS = (
    None, "1", "", "dear", "NaN", "Infinity", True, False, [], [1], [[]], {}, {"price": 1}, -1, -0.0001, 1e18, 1e25,
    10**30, -(10**30),
)  # fmt: skip
_NO_NUMBERS = (
    "NaN", "Infinity", "-Infinity", "nan", "1e999", "-1e999", "1e31", "-1e31", "1e-99", "0x10", "01", "1.", ".5", "+1",
    "1_000", "1,000", "--1", "1e", "e5", "1e5.5", "1/2", "1 000", "'1'", "undefined", "None", "True", "\xff", "\x00",
    "9" * 400, "-" + "9" * 400, "0." + "0" * 400 + "1",
)  # fmt: skip
_NO_MARKETS = ("KRW-ETH", "krw-btc", "", "KRW-BTC ", "KRW_BTC", "BTC-KRW", "../KRW-BTC", "KRW-BTC\0", "x" * 5_000)
_NO_TIMES = (
    "", "2026-01-05", "2026-01-05 00:00:00", "2026-01-05T00:00:00Z", "2026-01-05T00:00:00+09:00", "2026-13-05T00:00:00",
    "2026-02-30T00:00:00", "2026-01-05T24:00:00", "2026-01-05T00:00:60.5", "05-01-2026T00:00:00", "now", "1767571200",
    "99999-01-01T00:00:00", "-026-01-05T00:00:00", "2026-01-05T00:00:00\n", "0000-01-01T00:00:00",
    "0001-01-01T00:00:00", "1999-12-31T00:00:00", "2026-01-07T00:00:00", "9999-12-31T23:59:59",
)  # fmt: skip
_NO_LISTS = (
    "", " ", "null", "true", "7", '"[]"', "{}", '{"error": {}}', '{"0": []}', "NaN", "[", "]", "[]]", "[],", "[1",
    "[,]", "[[]", "[{]", '[{"a"}]', "['a']", "[] []", "// []", "<html></html>", "\x00", "\xff\xfe[\x00]\x00",
)  # fmt: skip
_NO_ROWS = ("1", "null", '"KRW-BTC"', "[]", "[[]]", "{}", '{"market": "KRW-BTC"}', "true")


def hostile_bodies() -> Iterator[str]:
    """More than three hundred, as Latin-1."""
    yield from _NO_LISTS
    yield from (f"[{row}]" for row in _NO_ROWS)
    for field in list(ROW)[2:]:
        yield from (_with(field, value) for value in _NO_NUMBERS)
        yield _with(field, f'1, "{field}": 1')
    for field in ("market", "candle_date_time_utc"):
        yield f"[{json.dumps({name: value for name, value in ROW.items() if name != field})}]"
    yield from (_with("market", json.dumps(value)) for value in (*_NO_MARKETS, None, 7, ["KRW-BTC"], {}))
    yield from (_with("candle_date_time_utc", json.dumps(value)) for value in (*_NO_TIMES, None, 7, [], {}))
    yield "[" * 5_000 + "]" * 5_000
    yield f"[{json.dumps(ROW)}, {'[' * 30}{']' * 30}]"
    yield "[" + "[]," * 2_600_000 + "[]]"
    yield "[" + " " * 9_000_000 + "]"
    yield f"[{json.dumps(ROW)}" + ", 1" * 50 + "]"
    whole = f"[{json.dumps(ROW)}]"
    yield from (whole[:place] for place in range(1, len(whole), 8))
    chance = random.Random(5)  # noqa: S311 - repeatable on purpose
    yield from (chance.randbytes(length).decode("latin-1") for length in range(1, 4_000, 100))


def _with(field: str, value: str) -> str:
    return f"[{json.dumps(ROW | {field: '@@'})}]".replace('"@@"', value.encode().decode("latin-1"))
