"""What a request costs the gateway, beside nginx in the same run: CPU a request, CPU a streamed chunk, first byte.

Three ways: passed through to a named expert, routed with every prompt new to the router, and routed from its cache.

    python -m eval.speed.gateway [--bench ../shared/bench] [--rounds 5]

The load generator, the upstream and the reading of CPU times come from a folder of tools (mock.c, lg.c, bench.py); this
module builds them, starts the service in front of the upstream (logging as in production, metrics and decision records
on), and sums up. Without that folder, a C compiler or nginx there is nothing to measure, and it says so.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from rich.console import Console

from eval.speed.ratio import Ratio, ratio_table

__all__ = ["main", "ratios_of"]

BENCH = Path(os.environ.get("ORCHESTRATOR_BENCH", "../shared/bench"))
START_S = 120
STOP_S = 15
MODES = ("p16", "s16", "g16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is measured of the service. model: that is asked for. vary: whether no two prompts are the same."""

    name: str
    model: str
    vary: bool
    modes: tuple[str, ...]


WAYS = (
    Way(name="passed through", model="upstream", vary=True, modes=MODES),
    Way(name="routed by the static tier", model="auto", vary=True, modes=("p16",)),
    Way(name="routed from the cache", model="auto", vary=False, modes=("p16",)),
)


def main() -> None:
    """Measure, print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, default=BENCH, help="folder of the load tools (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    missing = lacking(arguments.bench)
    if missing:
        print(f"not measured: {missing}", file=sys.stderr)  # noqa: T201 - the result
        return
    ratios: list[Ratio] = []
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            rows = measured(arguments.bench, Path(folder), way, rounds=arguments.rounds, seconds=arguments.seconds)
        ratios += ratios_of(rows, way)
    if arguments.json:
        print(json.dumps([asdict(row) for row in ratios], indent=2))  # noqa: T201 - the result
    else:
        Console(highlight=False).print(ratio_table(ratios))


def lacking(bench: Path) -> str:
    """Why nothing can be measured here; empty where it can."""
    if not (bench / "bench.py").is_file():
        return f"the load tools are not in {bench} (set ORCHESTRATOR_BENCH)"
    absent = [tool for tool in ("cc", "nginx") if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return "" if len(os.sched_getaffinity(0)) > 1 else "load tools and gateway need a core each, and there is one"


def measured(bench: Path, folder: Path, way: Way, *, rounds: int, seconds: float) -> list[dict[str, str]]:
    """The rows of one run: nginx, the upstream itself, and the service in one of the ways."""
    for tool in ("mock", "lg"):
        subprocess.run(["cc", "-O2", "-o", folder / tool, bench / f"{tool}.c"], check=True)  # noqa: S607
    mock_port, nginx_port, port = _free_ports(3)
    with _service(folder, upstream=mock_port, port=port) as pid:
        command = [sys.executable, bench / "bench.py", "--direct", "--nginx", "--model", way.model]
        command += ["--vary"] if way.vary else []
        command += ["--target", f"ours=http://127.0.0.1:{port}@{pid}", "--build", folder, "--modes", *way.modes]
        command += ["--rounds", str(rounds), "--seconds", str(seconds), "--out", folder / "rows.csv"]
        command += ["--mock-port", str(mock_port), "--nginx-port", str(nginx_port)]
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    with (folder / "rows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def _service(folder: Path, *, upstream: int, port: int) -> Iterator[int]:
    """The service in a session of its own, as the tools want it; its process id."""
    address = f"http://127.0.0.1:{upstream}"
    config = {
        "version": 1,
        "categories": {
            "math": {"description": "calculation", "examples": ["solve for x", "17% of 4310"], "experts": ["upstream"]},
            "general": {"description": "all else", "examples": ["tell a story", "who won"], "experts": ["upstream"]},
        },
        "general": "general",
        "routing": {"classifier": "static"},
        "experts": {"upstream": {"kind": "vllm", "model": "mock", "replicas": [address]}},
    }
    (folder / "experts.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "orchestrator", "serve", "experts.yaml", "--train", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "service.log")
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
            return
        time.sleep(0.2)
    message = f"the service did not start:\n{log.read_text()[-2000:]}"
    raise SystemExit(message)


def ratios_of(rows: Sequence[dict[str, str]], way: Way = WAYS[0]) -> list[Ratio]:
    """Our figures over nginx's of the same round. The first byte: what each adds to asking the upstream itself."""
    if way.model == "auto":
        figure = f"CPU a request {way.name}, 16 connections / nginx"
        return [_ratio(rows, "p16", "cpu_us_per_request", figure, target=12 if way.vary else 9.5)]
    return [
        _ratio(rows, "p16", "cpu_us_per_request", "CPU a request, 16 connections / nginx", target=9),
        _ratio(rows, "g16", "cpu_us_per_event", "CPU a streamed chunk, 5 ms apart / nginx", target=2.5),
        _ratio(rows, "s16", "cpu_us_per_event", "CPU a streamed chunk, all at once / nginx"),
        _ratio(rows, "g16", "ttfb_p50_us", "added time to first byte / nginx", target=2, less="direct"),
    ]


def _ratio(
    rows: Sequence[dict[str, str]],
    mode: str,
    column: str,
    figure: str,
    *,
    target: float | None = None,
    less: str | None = None,
) -> Ratio:
    def of(name: str) -> list[float]:
        found = [row for row in rows if row["mode"] == mode and row["target"] == name]
        return [float(row[column]) for row in found]

    floor = of(less) if less else [0.0] * len(of("ours"))
    times = {
        name: [max(value - least, 1.0 if less else 0.01) for value, least in zip(of(name), floor, strict=True)]
        for name in ("ours", "nginx")
    }
    return Ratio.of(figure, times, ours="ours", yardstick="nginx", target=target)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


if __name__ == "__main__":
    main()
