"""`python -m eval.fuzz.bodies`: damaged requests, and damaged answers of model servers, sent to the running service.

    python -m eval.fuzz.bodies --count 10000 [--seed 0] [--json FILE]
    python -m eval.fuzz.bodies --replay 4711 [--seed 0]

Starts `orchestrator serve`. Of four exchanges three have a request that is damaged, in its body or in its frame; one
has a good request whose model server gives a damaged answer. The exit status is 1 where an exchange has no end in time,
or one that is neither an answer nor an error with its reason; where the service dies, grows, or logs a defect.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.fuzz.fuzzing import Plan, Report, fuzz, request_of

__all__ = ["faults_of", "figures_of", "main"]

MOST_GROWTH_MIB = 150.0
"""Of resident memory after the warm-up; bodies of a megabyte and lines of one are part of the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, print, and give the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    if options.replay is not None:
        sent = request_of(options.replay, seed=options.seed)
        console.print(f"{sent.path}, {sent.kind}:\n{sent.raw[:4000]!r}", markup=False, soft_wrap=True)
    plan = Plan(
        count=options.count if options.replay is None else 1,
        seed=options.seed,
        at_once=options.at_once,
        first=options.replay or 0,
    )
    progress = Progress(
        TextColumn("fuzzing"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn(), console=console
    )
    with tempfile.TemporaryDirectory() as folder, progress:
        report = anyio.run(partial(fuzz, plan, Path(folder), tell=_shown(progress, plan)))
    if report.defects or not report.alive:
        console.print("\n".join(_defects(report.log)), markup=False, soft_wrap=True)
    return _told(report, options.json)


def faults_of(report: Report) -> list[str]:
    """What must not be."""
    grown = report.end_mib - report.warm_mib
    found = [f"{report.bad} bad answers"] if report.bad else []
    found += [] if report.alive else ["the service died"]
    found += [f"{report.defects} defects in the log"] if report.defects else []
    found += [f"memory grew by {grown:.0f} MiB"] if grown > MOST_GROWTH_MIB else []
    return found


def figures_of(report: Report) -> dict[str, Any]:
    """For a file."""
    return {
        "exchanges": report.exchanges,
        "seed": report.plan.seed,
        "took_s": round(report.took_s, 1),
        "slowest_s": round(report.slowest_s, 2),
        "statuses": {str(status): count for status, count in sorted(report.statuses.items())},
        "requests": dict(report.kinds.most_common()),
        "answers": dict(report.torn.most_common()),
        "asked": report.asked,
        "warm_mib": round(report.warm_mib),
        "end_mib": round(report.end_mib),
        "bad": report.bad,
        "defects": report.defects,
        "alive": report.alive,
    }


def _told(report: Report, file: Path | None) -> int:
    console, faults = Console(highlight=False), faults_of(report)
    table = Table("figure", "value")
    for name, value in figures_of(report).items():
        table.add_row(name, ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    console.print(table)
    for one in report.problems:
        console.print(f"bad: {one}", markup=False, soft_wrap=True)
    console.print(f"FAILED: {'; '.join(faults)}" if faults else "Every exchange ended well.")
    if file is not None:
        file.write_text(json.dumps(figures_of(report), indent=2) + "\n")
    return 1 if faults else 0


def _defects(log: str) -> list[str]:
    lines = [line for line in log.splitlines() if '"level":"error"' in line or not line.startswith("{")]
    return lines[-40:]


def _shown(progress: Progress, plan: Plan) -> Callable[[Report], None]:
    task = progress.add_task("fuzzing", total=plan.count, told="starting")

    def tell(report: Report) -> None:
        progress.update(task, completed=report.exchanges, told=f"{report.exchanges:,} exchanges, {report.bad} bad")

    return tell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m eval.fuzz.bodies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="of exchanges (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of what is sent (0)")
    parser.add_argument("--at-once", type=int, default=12, help="exchanges under way (12)")
    parser.add_argument("--replay", type=int, metavar="NUMBER", help="only the exchange of this number")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
