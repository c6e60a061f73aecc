"""One run: requests drawn from a seed, each sent and judged, and the service watched meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psutil

from eval.fuzz.exchange import Seen, exchange
from eval.fuzz.frames import Sent, framed
from eval.fuzz.ground import DEADLINE_S, TORN, serving
from eval.fuzz.judge import problem
from eval.fuzz.requests import drawn
from eval.fuzz.samples import called
from eval.fuzz.torn import RIGHT, TornServer, torn_server, wanted

__all__ = ["Plan", "Report", "fuzz", "request_of"]

_GRACE_S = 5.0
"""Beyond the deadline, on a machine that is busy: later is a hang."""
_EVERY = 4
"""Of so many exchanges one is about what the model server answers."""
_STREAMED_OF_FIVE = 3
_NUMBERS = 10_000_000
_MIB = 1024 * 1024
_WARM = 0.2
"""The part of the run after which memory is looked at first."""
_SHOWN = 30
_SUSPENDED = 503
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """count: of exchanges. at_once: of them under way. first: the number of the first one."""

    count: int
    seed: int = 0
    at_once: int = 12
    first: int = 0


@dataclass(slots=True)
class Report:
    """What came of it.

    statuses: by status, 0 for a connection that was closed without an answer. kinds: of what was wrong with requests.
    problems: with the number of the exchange, the first few; bad: how many there were. asked: how often the model
    server was asked. warm_mib, end_mib: resident memory. slowest_s: of an exchange.
    """

    plan: Plan
    exchanges: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    torn: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    asked: int = 0
    warm_mib: float = 0.0
    end_mib: float = 0.0
    slowest_s: float = 0.0
    took_s: float = 0.0
    defects: int = 0
    alive: bool = True
    log: str = ""

    def add(self, number: int, sent: Sent, seen: Seen) -> None:
        """Count one more."""
        self.exchanges += 1
        self.statuses[seen.status] += 1
        self.kinds[sent.kind] += 1
        self.slowest_s = max(self.slowest_s, seen.took_s)
        found = problem(sent.path, seen, whole=sent.whole)
        if not found and sent.kind == f"answer {RIGHT}" and seen.status not in (_OK, _SUSPENDED):
            found = f"a right answer came as status {seen.status}: {seen.body[:300]!r}"
        if found:
            self.bad += 1
            if len(self.problems) < _SHOWN:
                self.problems.append(f"{number}: {sent.path}, {sent.kind}: {found}")


async def fuzz(plan: Plan, folder: Path, *, tell: Callable[[Report], None] = lambda _: None) -> Report:
    """Start the service and its model servers in this folder, send everything, and stop all of it.

    tell: called now and then.

    Raises:
        RuntimeError: the service does not start.

    """
    report = Report(plan)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(torn_server())
        service = await stack.enter_async_context(serving(folder, torn=server.url))
        started = anyio.current_time()
        await _all(plan, service.url, report, tell, lambda: _resident_mib(service.pid))
        report.took_s = anyio.current_time() - started
        report.end_mib = _resident_mib(service.pid)
        report.defects, report.alive = service.defects(), service.alive()
        report.log = service.log.read_text(errors="replace")
        _note(report, server)
    return report


def request_of(number: int, *, seed: int = 0) -> Sent:
    """The request of this number, which is the same at every run of the seed."""
    whole_seed = seed * _NUMBERS + number
    return _about_answer(number, whole_seed) if number % _EVERY == 0 else drawn(whole_seed)


async def _all(
    plan: Plan, url: str, report: Report, tell: Callable[[Report], None], resident_mib: Callable[[], float]
) -> None:
    numbers = iter(range(plan.first, plan.first + plan.count))

    async def some() -> None:
        for number in numbers:
            sent = request_of(number, seed=plan.seed)
            try:
                seen = await exchange(url, sent.raw, within_s=DEADLINE_S + _GRACE_S, hangs_up=sent.hangs_up)
            except OSError as error:
                seen = Seen(malformed=f"nobody takes connections ({error})")
            report.add(number, sent, seen)
            if report.warm_mib == 0.0 and report.exchanges >= _WARM * plan.count:
                report.warm_mib = resident_mib()
            tell(report)

    async with anyio.create_task_group() as group:
        for _ in range(plan.at_once):
            group.start_soon(some)


def _about_answer(number: int, seed: int) -> Sent:
    """A good request to an expert whose server answers as drawn."""
    turn = number // _EVERY
    expert = TORN[turn % len(TORN)]
    kind = "torn" if turn // len(TORN) % 2 == 0 else RIGHT
    text, streamed = wanted(kind, seed), turn % 5 < _STREAMED_OF_FIVE
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]}),
        ("/v1/responses", {"input": text, "metadata": {"a": "b"}}),
        (
            "/v1/messages",
            {"max_tokens": 99, "messages": [{"role": "user", "content": text}], "stop_sequences": ["END"]},
        ),
        ("/mcp", {}),
    ]
    path, body = bodies[turn // 3 % len(bodies)]
    if path == "/mcp":
        whole = called("ask_expert", query=text, expert=expert)
    else:
        whole = {**body, "model": expert, "stream": streamed}
    return Sent(path=path, kind=f"answer {kind}", raw=framed(path, json.dumps(whole).encode()))


def _note(report: Report, server: TornServer) -> None:
    report.asked = server.asked
    report.torn.update(server.kinds)


def _resident_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / _MIB
