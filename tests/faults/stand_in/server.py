"""The stand-in's socket: routes, limits, the log that judges, and the control by which a test writes the script.

What lives here: from a request to bytes. What to add: a route, as a branch of `_rows`. What stays out: what is
true (`truth`), what goes wrong (`faults`).

Each call is in the log, stamped with the machine's running time at its arrival, before it is answered.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from coinhts_core.markets import Timeframe
from tests.faults.stand_in.faults import KINDS, Response, Script, kinds_in, spoiled_reply, spoiled_rows
from tests.faults.stand_in.limits import Limits, Verdict
from tests.faults.stand_in.truth import Truth

NOW = datetime(2026, 11, 20, 6, 30, 30, tzinfo=UTC)
_CANDLES = {
    **{f"minutes/{each.minutes}": each for each in Timeframe if each.minutes < Timeframe.D1.minutes},
    "days": Timeframe.D1,
    "weeks": Timeframe.W1,
}
_GROUPS = {"market": "market", "candles": "candle", "ticker": "ticker", "orderbook": "orderbook"}
_PIECE = b"[" * 65_536


class StandInServer(ThreadingHTTPServer):
    """One venue, as many connections as like."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._log = log.open("a", buffering=1)
        self._lock = Lock()
        self.set_up({})

    def set_up(self, wanted: dict) -> None:
        """Begin anew, as the control says: the moment, delistings, quiet stretches, limits, the script."""
        rules = wanted.get("rules", [])
        unknown = {kind for rule in rules for fault in rule["faults"] for kind in kinds_in(fault)} - KINDS
        if unknown:
            msg = f"no such fault: {unknown}"
            raise ValueError(msg)
        now = datetime.fromisoformat(wanted["now"]) if "now" in wanted else NOW
        gone = {symbol: date.fromisoformat(day) for symbol, day in wanted.get("delisted", {}).items()}
        quiet = [(symbol, *map(datetime.fromisoformat, span)) for symbol, *span in wanted.get("quiet", [])]
        self.truth, self.script = Truth(now, gone, quiet), Script(rules)
        self.limits = Limits(**wanted.get("limits", {}))

    def note(self, call: dict) -> None:
        with self._lock:
            self._log.write(json.dumps(call) + "\n")

    def handle_error(self, request, client_address) -> None:
        """Say nothing: callers that hang up in the middle are the point."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandInServer

    def do_GET(self) -> None:
        arrived_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        address = urlsplit(self.path)
        group = _GROUPS.get(address.path.split("/")[2] if address.path.count("/") > 1 else "", "")
        verdict = self.server.limits.judge(group, arrived_at, has_origin="Origin" in self.headers)
        fault = (verdict.status == 200 and self.server.script.next_fault(address.path, address.query)) or {"kind": ""}
        self.server.note(
            {"at": arrived_at, "path": address.path, "query": address.query, "group": group,
             "status": verdict.status, "fault": fault["kind"], "told": fault.get("status", verdict.status),
             "headers": dict(self.headers)}
        )  # fmt: skip
        self._send(self._answer(address.path, parse_qs(address.query), group, verdict, fault))

    def do_POST(self) -> None:
        """Read the control: what a test wants from now on."""
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.server.set_up(wanted)
            self._send(Response(200, b"{}"))
        except (TypeError, ValueError, KeyError) as error:
            self._send(Response(400, repr(error).encode()))

    def log_message(self, *_) -> None:
        """Write nothing: the log is `note`'s."""

    def _answer(self, path: str, query: dict, group: str, verdict: Verdict, fault: dict) -> Response:
        if verdict.status == 418:
            return Response(418, _error("too_many_requests", f"blocked for {verdict.block_s:.0f} seconds"))
        if verdict.status == 429:
            response = Response(429, _error("too_many_requests", "too many API requests"))
        else:
            rows = self._rows(path, query, inclusive="inclusive" in kinds_in(fault))
            if rows is None:
                response = Response(404, _error(404, "Code not found"))
            else:
                response = Response(200, json.dumps(spoiled_rows(rows, fault)).encode())
        response.headers["Remaining-Req"] = f"group={group}; min=600; sec={verdict.remaining}"
        return spoiled_reply(response, fault)

    def _rows(self, path: str, query: dict, *, inclusive: bool) -> list | None:
        """Rows of an endpoint; None for a market, or a path, that nobody knows."""
        truth = self.server.truth
        _, _, *place = path.split("/")
        symbols = query.get("market", query.get("markets", [""]))[0].split(",")
        if place == ["market", "all"]:
            return truth.markets()
        if not all(map(truth.is_known, symbols)):
            return None
        if place == ["ticker"]:
            return truth.tickers(symbols)
        if place == ["orderbook", "instruments"]:
            return truth.instruments(symbols)
        timeframe = _CANDLES.get("/".join(place[1:]))
        if place[0] != "candles" or timeframe is None:
            return None
        to = datetime.fromisoformat(query.get("to", ["9999-12-31T00:00:00"])[0])
        to = to if to.tzinfo else to.replace(tzinfo=UTC)
        return truth.candles(symbols[0], timeframe, to, int(query.get("count", ["1"])[0]), inclusive=inclusive)

    def _send(self, response: Response) -> None:
        time.sleep(response.hang_s)
        if response.cut_at == -1:
            self.close_connection = True
            return
        head = [f"HTTP/1.1 {response.status} -"]
        length = 2**40 if response.is_endless else len(response.body)
        head += [f"{name}: {value}" for name, value in (response.headers | {"Content-Length": length}).items()]
        self._write(("\r\n".join(head) + "\r\n\r\n").encode(), response.head_pace_s)
        if response.is_endless:
            for _ in range(4_096):
                self.wfile.write(_PIECE)
        self._write(response.body[: response.cut_at], response.body_pace_s)
        self.close_connection = response.cut_at is not None or response.is_endless

    def _write(self, content: bytes, pace_s: float) -> None:
        for piece in _bytewise(content) if pace_s else [content]:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(pace_s)


def _bytewise(content: bytes) -> Iterator[bytes]:
    return (content[place : place + 1] for place in range(len(content)))


def _error(name: str | int, message: str) -> bytes:
    return json.dumps({"error": {"name": name, "message": message}}).encode()
