"""The figures of the README: start to ready, memory, first token, a remembered decision. `make bench`.

Starts the embedded example as a user would, once with nothing trained and once with the router there, and asks it.
Times on shared machines vary, so each also stands as a multiple of a yardstick measured in the same run: importing
torch, transformers and sentence-transformers in a fresh interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from orchestrator.config import load
from orchestrator.engine import embedders_of
from orchestrator.stages.categorize import Categorizer
from orchestrator.training import load_router
from routers.router import Router

__all__ = ["main", "remembered_decision"]

START_LIMIT_S = 180
ASKED = {
    "calculator (mcp)": "What is 17% of 4310?",
    "manual (retriever)": "How do I set the deadline of a query in experts.yaml?",
    "chatter (local)": "hello there, how are you today?",
}
CLASSIFIED = 200
REMEMBERED = 20_000
YARDSTICK = "import torch, transformers, sentence_transformers"


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("experts.yaml"), help="default: experts.yaml")
    parser.add_argument("--runs", type=int, default=5, help="streamed answers to time (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    yardstick_s = _yardstick()
    with _copy_of(arguments.config) as config:
        with _service(config) as (_, cold_s, _):
            pass
        with _service(config) as (url, warm_s, process):
            _all_up(url)
            for query in ASKED.values():
                _ask(url, query)
            first_token_s = statistics.median(_first_token_s(url) for _ in range(arguments.runs))
            memory_mb = _memory_mb(process)
        router = _router(config)
    fresh_us, remembered_us = asyncio.run(remembered_decision(router, list(ASKED.values())))
    figures = {
        "start to ready, router trained on the way (s)": cold_s,
        "start to ready, router there (s)": warm_s,
        "first token of a local answer, routed, median (s)": first_token_s,
        "resident memory, all processes, all experts up (MB)": memory_mb,
        "CPU of a decision, classified (us)": fresh_us,
        "CPU of a decision, remembered (us)": remembered_us,
        "remembered / classified": remembered_us / fresh_us,
    }
    if arguments.json:
        print(json.dumps({"yardstick_s": yardstick_s, **figures}, indent=2))  # noqa: T201 - the result
    else:
        _print(figures, yardstick_s)


def _print(figures: dict[str, float], yardstick_s: float) -> None:
    table = Table("figure", "value", "x yardstick", caption=f"yardstick: {YARDSTICK}: {yardstick_s:.1f} s")
    for name, value in figures.items():
        ratio = f"{value / yardstick_s:.2f}" if name.endswith("(s)") else ""
        table.add_row(name, f"{value:.2f}" if ratio else f"{value:.0f}" if value > 1 else f"{value:.2g}", ratio)
    Console().print(table)


async def remembered_decision(router: Router, queries: Sequence[str]) -> tuple[float, float]:
    """Microseconds of CPU of one decision on category: classified, and remembered; the same router, one at a time."""
    fresh, keeping = Categorizer(router, deadline_s=60), Categorizer(router, deadline_s=60, remembered=len(queries))
    working = [asyncio.create_task(categorizer.serve()) for categorizer in (fresh, keeping)]
    for query in queries:  # the first of each is dearer: what loads lazily loads now
        await fresh.categorize(query)
        await keeping.categorize(query)
    figures = await _cpu_us(fresh, queries, times=CLASSIFIED), await _cpu_us(keeping, queries, times=REMEMBERED)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    return figures


async def _cpu_us(categorizer: Categorizer, queries: Sequence[str], *, times: int) -> float:
    started = time.process_time()
    for number in range(times):
        await categorizer.categorize(queries[number % len(queries)])
    return (time.process_time() - started) / times * 1e6


def _router(config: Path) -> Router:
    loaded = load(config, environment=os.environ).config
    return load_router(loaded, embedders_of(loaded).load(loaded.embedder))


def _yardstick() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", YARDSTICK], check=True, capture_output=True)
    return time.monotonic() - started


@contextmanager
def _copy_of(config: Path) -> Iterator[Path]:
    """The configuration in a folder of its own beside links to its data, so that no router is there yet."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for entry in config.resolve().parent.iterdir():
            if entry.name not in {"artifacts", config.name}:
                (here / entry.name).symlink_to(entry)
        shutil.copy(config, here / config.name)
        yield here / config.name


@contextmanager
def _service(config: Path) -> Iterator[tuple[str, float, psutil.Process]]:
    """A running service: its address, the seconds until it was ready, its process."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "orchestrator", "serve", str(config), "--train", "--port", str(port)]
    started = time.monotonic()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(lambda: httpx.get(f"{url}/health/ready").is_success, process)
            yield url, time.monotonic() - started, psutil.Process(process.pid)
        finally:
            process.terminate()


def _free_port() -> int:
    import socket  # noqa: PLC0415 - the one place that needs it

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(holds: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if process is not None and process.poll() is not None:
            message = f"the service ended with status {process.returncode}"
            raise RuntimeError(message)
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    message = f"not there after {START_LIMIT_S} s"
    raise RuntimeError(message)


def _all_up(url: str) -> None:
    _wait(lambda: all(expert["state"] == "up" for expert in httpx.get(f"{url}/v1/experts").json()))


def _ask(url: str, query: str) -> dict[str, Any]:
    body = {"model": "auto", "messages": [{"role": "user", "content": query}]}
    answer: dict[str, Any] = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).raise_for_status().json()
    return answer


def _first_token_s(url: str) -> float:
    """Seconds from the request to the first text of an answer that is routed to a local expert."""
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": ASKED["chatter (local)"]}]}
    started = time.monotonic()
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                return time.monotonic() - started
    message = "the stream had no text"
    raise RuntimeError(message)


def _memory_mb(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1e6


if __name__ == "__main__":
    main()
