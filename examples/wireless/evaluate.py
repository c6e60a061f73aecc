"""Language model alone, language model with tools, tools alone: asked over REST of the running service.

    python -m examples.wireless.evaluate
    python -m examples.wireless.evaluate --each 20 --json report.json --url http://127.0.0.1:8080

Without --url it starts the service itself, and trains what is not trained. The questions' wording is none that the
router has learned, and their captures are none that the classifiers were trained or measured on.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from examples.wireless.arms import EXPERTS, LLM, Asked, Routed, ask, route
from examples.wireless.channel import TASKS
from examples.wireless.experts import FOLDER, trained_experts
from examples.wireless.findings import ARMS, findings
from examples.wireless.network import UnusableNetwork
from examples.wireless.questions import ASKED_GENERAL, Question, questions

__all__ = ["ServiceNotUp", "main"]

_CONFIG = Path(__file__).parent / "experts.yaml"
_ROOT = Path(__file__).parents[2]
_START_S, _CALL_S, _STOP_S = 240.0, 120.0, 20.0


class ServiceNotUp(Exception):
    """The service ended, or one of its experts is not up in time."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A service. ended: whether it is known to have."""

    url: str
    ended: Callable[[], bool]


def main() -> None:
    """Ask, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=60, help="questions of each task (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the questions (0)")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and all answers; - prints them")
    arguments = parser.parse_args()
    console = Console(highlight=False, stderr=str(arguments.json) == "-")
    _train_if_needed()
    started = time.monotonic()
    try:
        with _service(arguments.url) as running:
            asked, others = asyncio.run(_asked(running, questions(arguments.each, seed=arguments.seed), console))
    except (ServiceNotUp, httpx.HTTPError) as error:
        sys.exit(f"evaluate: {str(error) or type(error).__name__}")
    figures = findings(asked, others) | {"seed": arguments.seed, "seconds": round(time.monotonic() - started, 1)}
    console.print(_accuracies(figures))
    console.print(_tools(figures))
    if arguments.json is not None:
        text = json.dumps(figures | {"answers": [_row(one) for one in asked]}, indent=2)
        if str(arguments.json) == "-":
            sys.stdout.write(text + "\n")
        else:
            arguments.json.write_text(text + "\n", encoding="utf-8")


async def _asked(running: _Running, wanted: list[Question], console: Console) -> tuple[list[Asked], list[Routed]]:
    async with httpx.AsyncClient(base_url=running.url, timeout=_CALL_S) as client:
        await _until_up(client, running.ended)
        with Progress(console=console, transient=True) as progress:
            asked = [await ask(client, question) for question in progress.track(wanted, description="questions")]
            others = [await route(client, text) for text in progress.track(ASKED_GENERAL, description="others")]
    return asked, others


async def _until_up(client: httpx.AsyncClient, ended: Callable[[], bool]) -> None:
    """All experts: a tool that is not connected yet would count as one not selected."""
    deadline = time.monotonic() + _START_S
    states: Mapping[str, str] = {}
    while time.monotonic() < deadline and not ended():
        try:
            states = {one["id"]: one["state"] for one in (await client.get("/v1/experts")).json()}
        except httpx.TransportError:
            states = {}
        if all(states.get(name) == "up" for name in (LLM, *EXPERTS.values())):
            return
        await asyncio.sleep(0.2)
    raise ServiceNotUp(f"not every expert is up: {states or 'the service does not answer'}")


@contextmanager
def _service(url: str | None) -> Iterator[_Running]:
    """The address of a service: the one given, or one that runs until the end of this."""
    if url is not None:
        yield _Running(url, ended=lambda: False)
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "orchestrator", "serve", str(_CONFIG), "--train", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
        try:
            yield _Running(f"http://127.0.0.1:{port}", ended=lambda: process.poll() is not None)
        except ServiceNotUp:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _train_if_needed() -> None:
    try:
        trained_experts(FOLDER)
    except UnusableNetwork:
        subprocess.run([sys.executable, "-m", "examples.wireless.train"], cwd=_ROOT, check=True, stdout=sys.stderr)


def _accuracies(figures: Mapping[str, Any]) -> Table:
    title = f"{figures['questions']} questions: accuracy and gain over the language model, with 95 % intervals"
    table = Table(title=title, box=SIMPLE, pad_edge=False)
    for heading in ("", *ARMS):
        table.add_column(heading, justify="right" if heading else "left")
    for task in TASKS:
        table.add_row(task, *(_text(figures["accuracy_by_task"][task].get(arm)) for arm in ARMS))
    table.add_row("all", *(_text(figures["accuracy"][arm]) for arm in ARMS))
    for kind in ("absolute", "relative"):
        gains = [figures["gain_over_llm"].get(arm, {}).get(kind) for arm in ARMS]
        table.add_row(f"{kind} gain", *(_text(gain, signed=True) for gain in gains))
    majority = ", ".join(f"{task} {share:.2f}" for task, share in figures["most_frequent_label"].items())
    table.caption = f"always the label most frequent among these questions: {majority}"
    return table


def _tools(figures: Mapping[str, Any]) -> Table:
    table = Table("use of tools", "share", title="tools, and answers without a label", box=SIMPLE, pad_edge=False)
    for name, figure in figures["tools"].items():
        table.add_row(name.replace("_", " "), _text(figure))
    for arm in ARMS:
        table.add_row(f"no label from {arm}", _text(figures["without_label"][arm]))
    return table


def _text(figure: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    form = "+.2f" if signed else ".2f"
    interval = "" if figure["ci95"] is None else " [{:{f}}, {:{f}}]".format(*figure["ci95"], f=form)
    return f"{figure['value']:{form}}{interval}"


def _row(one: Asked) -> dict[str, Any]:
    question = one.question
    return {
        "question": question.text,
        "task": question.task,
        "truth": question.truth,
        "expert": one.routed.expert,
        "labels": dict(one.labels),
        "answers": dict(one.answers),
    }


if __name__ == "__main__":
    main()
