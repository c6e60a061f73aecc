"""`python -m eval.fuzz.api`: schemathesis against the running service and its own OpenAPI document.

    python -m eval.fuzz.api --minutes 10 [--seed 0] [--report DIR]

Starts `orchestrator serve` over faked model servers, one of which is down, and lets schemathesis make requests that fit
the document and requests that do not, and chains of them. The exit status is 1 where an answer is not what the document
says, where one is 500, where the service's log has a defect, or where the service is gone; 2 without schemathesis.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import anyio
from rich.console import Console

from eval.fuzz.ground import serving

__all__ = ["Found", "fuzz", "main"]

_GRACE_S = 120.0
"""Beyond its time, in which schemathesis ends what it does."""
_ALLOWED_5XX = [502, 503, 504]
"""What a request to an expert that is down may come to; the document names them, 500 is a defect."""
_WITHOUT = ("ignored_auth", "object_level_authorization")
"""Checks that there is nothing to check by: the service under test wants no key and knows no users."""

_BEYOND_SCHEMAS: Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[str]]]] = {
    "positive_data_acceptance": (
        ("2xx", "3xx", "401", "403", "404", "409", "429", "5xx"),
        {
            "POST /v1/embeddings": ["400"],  # which fields there are depends on the model
            "POST /v1/search": ["400"],  # ids of retrievers, and `auto` where something was learned of them
            "POST /v1/feedback": ["400"],  # names of categories, and of the experts that were asked
            "POST /mcp": ["400"],  # methods of the protocol
        },
    ),
    "negative_data_rejection": (
        ("400", "401", "403", "404", "405", "406", "409", "415", "422", "428", "429", "5xx"),
        {
            "POST /mcp": ["200", "202"],  # JSON-RPC tells errors with status 200; without an id it tells nothing
        },
    ),
}
"""By check and operation: what a schema cannot say, with the statuses that are well there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it. status: of schemathesis, 0 for no failure. said: its report. defects: in the service's log."""

    status: int
    said: str
    defects: int
    alive: bool

    @property
    def clean(self) -> bool:
        """Whether there is nothing to mend."""
        return self.status == 0 and self.defects == 0 and self.alive


async def fuzz(folder: Path, *, seconds: float, seed: int, phases: str | None = None) -> Found:
    """Start the service in this folder, fuzz it for so long, and stop it.

    phases: those of schemathesis, with commas; without it all.

    Raises:
        RuntimeError: the service does not start.
        TimeoutError: schemathesis does not end.

    """
    (folder / "schemathesis.toml").write_text(_settings())
    async with serving(folder) as service:
        url = f"{service.url}/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", url]
        command += ["--max-time", f"{seconds:g}", "--seed", str(seed), "--generation-database", "none", "--no-color"]
        command += ["--request-timeout", "20", "--continue-on-failure", "--report-json-path", "report.json"]
        command += ["--exclude-checks", ",".join(_WITHOUT)] + (["--phases", phases] if phases else [])
        with anyio.fail_after(seconds + _GRACE_S):
            ran = await anyio.run_process(
                command, cwd=folder, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
            )
        return Found(
            status=ran.returncode,
            said=ran.stdout.decode(errors="replace"),
            defects=service.defects(),
            alive=service.alive(),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, print, and give the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    if find_spec("schemathesis") is None:
        console.print("schemathesis is not installed: see [dependency-groups] of pyproject.toml")
        return 2
    with tempfile.TemporaryDirectory() as made:
        folder = options.report or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        found = anyio.run(partial(fuzz, folder, seconds=60 * options.minutes, seed=options.seed))
        console.print(found.said, markup=False, soft_wrap=True)
        if not found.clean:
            console.print((folder / "service.log").read_text()[-3000:], markup=False, soft_wrap=True)
    console.print(f"defects in the log: {found.defects}; the service is {'alive' if found.alive else 'GONE'}")
    return 0 if found.clean else 1


def _settings() -> str:
    """The configuration of schemathesis: what answers to which requests are well, beside what it takes for so."""
    # A header that nobody knows is no mistake: proxies and clients add their own.
    lines = ["[generation]", "allow-extra-parameters = false"]
    lines += ["[checks.not_a_server_error]", f"expected-statuses = {json.dumps(['2xx', '3xx', '4xx', *_ALLOWED_5XX])}"]
    for check, (usual, more) in _BEYOND_SCHEMAS.items():
        for operation in more:
            lines += ["[[operations]]", f"include-name = {json.dumps(operation)}"]
            lines += [f"[operations.checks.{check}]", f"expected-statuses = {json.dumps([*usual, *more[operation]])}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m eval.fuzz.api", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="of requests (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the requests (0)")
    parser.add_argument("--report", type=Path, help="folder for the service's log and schemathesis' report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
