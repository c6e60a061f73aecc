"""What agreement and verdict cost, without the experts' own time: five drafts of 500 tokens.

    python -m eval.speed.fusion

CPU of the whole process from the drafts being there to the answer being there: measuring agreement, keeping drafts,
putting the verdict's prompt together, asking a verdict expert that answers at once, adding up the usage. By the measure
`answer`, and for `embedding` with the vectors at hand. Beside it stands parsing and writing the drafts as JSON once, as
they come from servers. The target, 5 ms, is a time and no ratio: it is printed, and tested nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from threadpoolctl import threadpool_limits

from eval.speed.ratio import Ratio, asked_side_by_side, ratio_table
from orchestrator.config import Config
from orchestrator.config.fusion import Fusion
from orchestrator.conversation.turns import turn_of
from orchestrator.decision import Chosen
from orchestrator.experts import Capabilities, Site
from orchestrator.fleet.registry import Registry
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.draft import Drafting, nowhere
from orchestrator.stages.totals import with_total
from orchestrator.stages.verdict import Concluding
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft, Emit
from routers.embedding import FloatArray

__all__ = ["main", "ratios"]

DRAFTS, TOKENS, WORDS_A_TOKEN = 5, 500, 0.75
CALLS = 20
TARGET_US = 5000.0
_WRITER = "writer"


class _AtOnce:
    """An expert that has its answer ready."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.capabilities = Capabilities(chat=True)

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:  # noqa: ARG002 - as every expert
        return Draft(expert=self.id, text="42", total_s=0.0)


class _AtHand:
    """Vectors that are there already, one a draft."""

    def __init__(self, rows: FloatArray) -> None:
        self.dim = rows.shape[1]
        self._rows = rows

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        return self._rows[: len(texts)]


def ratios() -> list[Ratio]:
    """Both measures beside the parsing and writing of the drafts."""
    return asyncio.run(_ratios())


async def _ratios() -> list[Ratio]:
    drafts = _drafts()
    bodies = [orjson.dumps({"choices": [{"message": {"content": draft.text}}]}) for draft in drafts]

    async def parsed(_: str) -> object:
        return [orjson.dumps(orjson.loads(body)) for body in bodies]

    times = await asked_side_by_side(
        {"parsed": parsed, "answer": _fused(drafts, "answer"), "embedding": _fused(drafts, "embedding")},
        ["Which number is it?"],
        calls_a_block=CALLS,
    )
    return [
        Ratio.of(
            f"{DRAFTS} drafts of {TOKENS} tokens by {measure} / their JSON", times, ours=measure, yardstick="parsed"
        )
        for measure in ("answer", "embedding")
    ]


def _drafts() -> list[Draft]:
    """Reasoning of so many tokens that ends with an answer; two of the five give another one."""
    words = ["therefore", "the", "sum", "of", "both", "numbers", "is", "larger", "than", "before"]
    count = int(TOKENS * WORDS_A_TOKEN)
    chance = np.random.default_rng(0)
    texts = [" ".join(chance.choice(words, size=count)) for _ in range(DRAFTS)]
    answers = [42, 42, 41, 42, 40]
    return [
        Draft(expert=f"e{at}", text=f"{text}.\nThe answer is {answer}.", total_s=0.0)
        for at, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]


def _fused(drafts: Sequence[Draft], measure: str) -> Callable[[str], Awaitable[object]]:
    """From the drafts to the answer, as the pipeline goes."""
    registry, rule = _registry(), Fusion.model_validate({"consensus": measure}).rule
    rows = np.random.default_rng(1).normal(size=(len(drafts), 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    measures, drafting = Measures(registry, _AtHand(rows)), Drafting(registry)
    experts = tuple(draft.expert for draft in drafts)
    chosen = Chosen(plan="fuse", experts=experts, verdict=_WRITER, rule=rule, reason="", took_ms=0.0)

    async def fused(query: str) -> object:
        trace = Trace(model="fuse", turn=turn_of([{"role": "user", "content": query}]))
        trace.chosen = chosen
        body: dict[str, Any] = {"messages": [{"role": "user", "content": query}]}
        request = ChatRequest(body=body, deadline=asyncio.get_running_loop().time() + 60)
        found = await measures.consensus(drafts, request, trace, rule=rule)
        by_expert = {draft.expert: draft for draft in drafts}
        kept = [by_expert[expert] for expert in found.kept]
        concluding = Concluding(drafting=drafting, request=request, emit=nowhere, chosen=chosen, trace=trace)
        return with_total(await concluding.answer(kept, (), found), trace.attempts)

    return fused


def _registry() -> Registry:
    """The writer alone; the drafts are there."""
    expert = {"kind": "vllm", "model": "m", "replicas": ["http://127.0.0.1:9"]}
    config = Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": [_WRITER]}},
            "general": "general",
            "experts": {_WRITER: _settings(expert)},
        }
    )
    writer = _AtOnce(_WRITER)
    site = Site(folder=Path(), cache=Path(), expert=lambda _: writer, embedder=_none)
    return Registry(config, site, built={_WRITER: writer})


def _settings(expert: dict[str, Any]) -> Any:
    from orchestrator.config.kinds import VllmSettings  # noqa: PLC0415 - as the loader does, by the kind's name

    return VllmSettings.model_validate(expert)


def _none(name: str) -> Any:
    raise LookupError(name)


def main() -> None:
    """Print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        found = ratios()
    if arguments.json:
        print(json.dumps([asdict(row) for row in found], indent=2))  # noqa: T201 - a command line prints
        return
    console = Console(highlight=False)
    console.print(ratio_table(found))
    for row in found:
        kept = "within" if row.ours_us <= TARGET_US else "over"
        console.print(f"{row.figure}: {row.ours_us / 1000:.2f} ms of CPU, {kept} {TARGET_US / 1000:g} ms")


if __name__ == "__main__":
    main()
