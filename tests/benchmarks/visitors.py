"""Many who ask at once, at moments that are planned, and what they were told.

What lives here: connections, a crowd of visitors, and the table of their waiting. A request is timed from the moment it
was planned for, so an answer that came late cannot hide those that had to wait behind it. What stays out: what is asked
(`load`, `load_requests`).
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

_PATIENCE_S = 30
_TAKEN = frozenset({200, 202, 409})  # what came too late to be changed is an answer like another


class Line:
    """One connection that is kept."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._heads = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._heads}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split(b" ")[1]), await reader.readexactly(length)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


def crowd_asked(about: str, connections: int, think: float, seconds: float) -> Callable[[int, str], "Crowd"]:
    """What the command line says of a crowd, for a port and its token; what it does not say is as told."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=connections)
    parser.add_argument("--think", type=float, default=think, help="seconds between two requests of a connection")
    parser.add_argument("--seconds", type=float, default=seconds)
    chosen = parser.parse_args()
    return lambda port, token: Crowd(port, token, chosen.connections, chosen.think, chosen.seconds)


@dataclass
class Told:
    """What was answered to one thing that was asked: seconds from the planned moment, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The answer that this share of all was as quick as; an error was as slow as can be."""
        ordered = sorted(self.seconds) + [float("inf")] * len(self.errors)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


Visitor = Callable[[Line, str, int], Awaitable[int]]


@dataclass(frozen=True)
class Crowd:
    """How many ask, how often, for how long."""

    port: int
    token: str
    connections: int
    think_s: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.connections} connections, one request each {self.think_s:g} s, for {self.seconds:g} s"

    async def ask(self, things: Sequence[str], arriving: Callable[[int], Visitor]) -> dict[str, Told]:
        """Each visitor asks one thing after another and around again; some begin while others are at the next."""
        told = {what: Told() for what in things}
        begin = time.monotonic() + 1.0
        visits = [self._visit(arriving(number), number, begin, told) for number in range(self.connections)]
        await asyncio.gather(*visits)
        return told

    async def _visit(self, visitor: Visitor, number: int, begin: float, told: dict[str, Told]) -> None:
        """It is late only when an answer was."""
        line, things = Line(self.port, self.token), list(told)
        first = begin + self.think_s * (number / self.connections + number % len(things))
        for turn in range(int(self.seconds / self.think_s)):
            planned, what = first + turn * self.think_s, things[turn % len(things)]
            await asyncio.sleep(max(0.0, planned - time.monotonic()))
            try:
                status = await asyncio.wait_for(visitor(line, what, turn), _PATIENCE_S)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                told[what].errors.append(type(error).__name__)
                line.close()
                continue
            if status in _TAKEN:
                told[what].seconds.append(time.monotonic() - planned)
            else:
                told[what].errors.append(str(status))
        line.close()


def table(crowd: Crowd, told: dict[str, Told]) -> str:
    lines = [
        f"{'':<22}{'offered/s':>10}{'served/s':>10}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'worst ms':>9}{'errors':>8}"
    ]
    for what, of in told.items():
        offered = (len(of.seconds) + len(of.errors)) / crowd.seconds
        served, waits = len(of.seconds) / crowd.seconds, [of.at(share) * 1_000 for share in (0.5, 0.95, 0.99, 1.0)]
        shown = "".join(f"{wait:>9.1f}" for wait in waits)
        lines.append(f"{what:<22}{offered:>10.1f}{served:>10.1f}{shown}{len(of.errors):>8}")
        if of.errors:
            lines.append(f"{'':<22}{', '.join(sorted(set(of.errors)))}")
    return "\n".join(lines)
