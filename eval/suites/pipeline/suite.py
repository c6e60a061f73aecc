"""The suite `pipeline`: a running engine answers the queries of data sets, and what it answers is graded.

Answers, times and costs are those of this run: unlike the other suites, a second run need not give the same figures.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from eval.datasets import Dataset
from eval.findings import Findings
from eval.runs import describe, notes_of
from eval.suites.pipeline.asking import Progress, Reply, ask_all, start
from eval.suites.pipeline.figures import figures_of, per_query
from eval.suites.pipeline.parts import parts_of
from eval.suites.pipeline.questions import Question, questions_of, sampled
from orchestrator.config import Config
from orchestrator.engine import Engine

__all__ = ["judge_pipeline"]

HOW = {
    "choice": "the letter of the chosen option",
    "number": "a number",
    "text": "the words of the gold answer in the answer",
    "passages": "the share of the relevant documents that are cited",
    "tool": "the expert that answered",
    "category": "the category alone, not the answer",
}
LIVE = "answers, times and costs are of this run: latency_s varies between runs, and so may what samples its words"
TIMES = "latency_s is the time of a query from its start to its end, {concurrency} at a time, failed ones included"


async def judge_pipeline(
    engine: Engine,
    datasets: Sequence[Dataset],
    *,
    model: str = "auto",
    limit: int | None = None,
    concurrency: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Ask every record, or `limit` of them drawn by the seed, and grade the answers.

    model: auto, fuse, or the id of an expert. A query whose expert fails gets a score of 0 and stays.

    Raises:
        DataError: records that cannot be graded with this configuration and model.
        UnknownModel: there is no such expert.
    """
    asked = sampled(datasets, limit=limit, seed=seed)
    questions = questions_of(asked, engine.config, model=model)
    engine.pipeline.request({"messages": []}, model=model)  # an unknown model is refused before anything starts
    await start(engine, model)
    replies = await ask_all(engine, questions, model=model, concurrency=concurrency, progress=progress)
    queries = per_query(replies)
    return Findings(
        suite="pipeline",
        run=describe(asked, seed=seed, **_settings(engine.config, model=model, limit=limit, concurrency=concurrency)),
        figures=figures_of(queries, seed=seed),
        parts=parts_of(replies, seed=seed),
        queries=queries,
        notes=(*notes_of(asked), *_notes(questions, replies, concurrency=concurrency)),
    )


def _settings(config: Config, *, model: str, limit: int | None, concurrency: int) -> dict[str, object]:
    """The configuration goes by its hash: secrets are masked in it, and its file's place does not matter."""
    return {
        "model": model,
        "limit": limit,
        "concurrency": concurrency,
        "deadline_s": config.budget.deadline_s,
        "config_sha256": hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
        "experts": list(config.experts),
    }


def _notes(questions: Sequence[Question], replies: Sequence[Reply], *, concurrency: int) -> list[str]:
    methods = Counter(question.method for question in questions)
    notes = [LIVE, TIMES.format(concurrency=concurrency)]
    notes += [f"{n} queries are graded by {HOW[method]}" for method, n in sorted(methods.items())]
    if foreign := sum(_foreign(question) for question in questions):
        notes.append(f"{foreign} queries have a category that the configuration does not know: not in 'routed'")
    if degraded := sum(
        reply.decision.categorize.method == "degraded" for reply in replies if reply.decision.categorize
    ):
        notes.append(f"{degraded} queries went to the general category because the classifier failed or was too late")
    if failed := Counter(reply.failed for reply in replies if reply.failed):
        notes.append("without an answer: " + ", ".join(f"{n} {kind}" for kind, n in sorted(failed.items())))
    return notes


def _foreign(question: Question) -> bool:
    return question.record.category is not None and question.category is None
