"""`python -m eval.soak`: the service under mixed faults for minutes, and whether it is as well at the end as before.

    python -m eval.soak --minutes 20 [--clients 64] [--seed 0] [--json FILE]

Starts `orchestrator serve` before three faked vLLM servers, which meet every kind of fault and are killed by chance,
and lets clients stream from it on connections that they keep. Each answer is checked token by token. The exit status
is 1 where an answer was lost, doubled, mixed up or later than its deadline, where memory or open sockets of the service
grow, or where its log has a defect.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eval.soak.report import faults_of, figures_of, long_enough, table_of
from eval.soak.soaking import Plan, Soaked, soak

__all__ = ["main"]

_WARM_UP = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, and give the exit status."""
    options = _parser().parse_args(arguments)
    plan = Plan(
        seconds=60 * options.minutes,
        warm_up_s=60 * options.minutes * _WARM_UP,
        clients=options.clients,
        seed=options.seed,
        share=options.faults,
        up_s=options.up_s,
    )
    console = Console(stderr=True, highlight=False)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=console,
    )
    with tempfile.TemporaryDirectory() as folder, progress:
        soaked = anyio.run(partial(soak, plan, Path(folder), tell=_shown(progress, plan)))
        if soaked.tally.bad or soaked.defects:
            console.print((Path(folder) / "service.log").read_text()[-3000:], markup=False)
    return _report(soaked, options.json)


def _shown(progress: Progress, plan: Plan) -> Callable[[float, Soaked], None]:
    """What moves the bar."""
    task = progress.add_task("soaking", total=plan.seconds, told="starting")

    def tell(seconds: float, soaked: Soaked) -> None:
        tally = soaked.tally
        told = f"{tally.requests:,} requests, {tally.whole:,} whole, {tally.bad} bad, {len(soaked.killed)} kills"
        progress.update(task, completed=seconds, told=told)

    return tell


def _report(soaked: Soaked, file: Path | None) -> int:
    console, faults = Console(highlight=False), faults_of(soaked)
    console.print(table_of(soaked))
    for reason in soaked.tally.bad_reasons:
        console.print(f"bad: {reason}", markup=False)
    grown = "nothing grows" if long_enough(soaked) else "too short to judge growth"
    console.print(f"FAILED: {'; '.join(faults)}" if faults else f"Nothing lost, nothing doubled; {grown}.")
    if file is not None:
        file.write_text(json.dumps(figures_of(soaked), indent=2) + "\n")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m eval.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20, help="of load; the first fifth is warm-up (20)")
    parser.add_argument("--clients", type=int, default=64, help="that stream at once (64)")
    parser.add_argument("--seed", type=int, default=0, help="of faults and kills (0)")
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests at a server that meet one (0.05)")
    parser.add_argument("--up-s", type=float, default=30, help="mean seconds of a server between two kills (30)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser
