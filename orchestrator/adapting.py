"""Trains the adapter of one retriever from judged queries: its queries move, its documents stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

from orchestrator.config import Config
from orchestrator.config.kinds import RetrieverSettings
from orchestrator.errors import ConfigError
from orchestrator.experts import Expert
from orchestrator.experts.retriever.adapted import PROBE
from orchestrator.experts.retriever.plan import Plan
from orchestrator.experts.retriever.reports import Reports
from orchestrator.experts.retriever.shelf import open_shelf
from orchestrator.fleet.surroundings import embedders_of, site_of
from routers.calibrate import IntArray, Probabilities
from routers.embedding import FloatArray
from routers.errors import TrainingError
from routers.retrievers.adapter import Judged
from routers.retrievers.fitting import fitted_adapter
from routers.retrievers.gain import ndcg
from routers.retrievers.judged import JudgedQuery, judged_sha256, query_folds, read_judged
from routers.retrievers.stored import AdapterFacts, save_adapter

__all__ = ["Trained", "train_adapter"]

LEAST_QUERIES = 10
COUNTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of it. path: the file. left_out: queries none of whose relevant documents this corpus has."""

    path: Path
    facts: AdapterFacts
    left_out: int


def train_adapter(
    config: Config,
    expert: str,
    *,
    queries: Path | None = None,
    source: str | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Trained:
    """Train on `queries` or else on `routing.retrieval`, and write the file that the expert's `adapter` names.

    source: only the queries of that source. Where no number of steps helps on held-out folds, the adapter that is
    written changes nothing.

    Raises:
        ConfigError: no such retriever, or it has no `adapter`.
        TrainingError: too few queries whose relevant documents are in its corpus.
        ArtifactError: the file cannot be written.

    """
    settings, path = _settings(config, expert)
    file = queries or (config.routing.retrieval and config.path(config.routing.retrieval))
    if file is None:
        raise TrainingError(
            ["there are no judged queries; give --queries, or 'routing.retrieval' in the configuration"]
        )
    judged = [one for one in read_judged(file) if source in (None, one.source)]
    (name,) = settings.text_embedders()
    vectors = anyio.run(_vectors, config, expert, settings, [one.query for one in judged])
    return _trained(judged, vectors, expert=expert, name=name, path=path, folds=folds, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class _Vectors:
    """documents: of each passage. passages, queries: float32 [n, dim]. probe: of `PROBE`."""

    documents: Sequence[str]
    passages: FloatArray
    queries: FloatArray
    probe: FloatArray


def _settings(config: Config, expert: str) -> tuple[RetrieverSettings, Path]:
    settings = config.experts.get(expert)
    if not isinstance(settings, RetrieverSettings):
        known = [name for name, block in config.experts.items() if isinstance(block, RetrieverSettings)]
        raise ConfigError([f"there is no retriever {expert!r}; known: {', '.join(known) or 'none'}"])
    if settings.adapter is None:
        raise ConfigError([f"experts.{expert} has no key 'adapter': name the file that its adapter is to be kept in"])
    return settings, config.path(settings.adapter)


async def _vectors(config: Config, expert: str, settings: RetrieverSettings, queries: Sequence[str]) -> _Vectors:
    (name,) = settings.text_embedders()
    embedders = embedders_of(config)

    def nobody(expert: str) -> Expert:
        raise KeyError(expert)

    async with embedders.background.open():
        site = site_of(config, embedders, nobody)
        reports = Reports(expert)
        shelf = await open_shelf(Plan.of(settings, site.folder), site, progress=reports)
        await shelf.prepare(name, approximate_above=settings.approximate_above, progress=reports)
        documents, passages = shelf.vectors(name)
        embedder = site.embedder(name)
        return _Vectors(documents, passages, await embedder.embed(queries), (await embedder.embed([PROBE]))[0])


def _trained(
    judged: Sequence[JudgedQuery], found: _Vectors, *, expert: str, name: str, path: Path, folds: int, seed: int
) -> Trained:
    rows: dict[str, list[int]] = {}
    for row, document in enumerate(found.documents):
        rows.setdefault(document, []).append(row)
    usable = [number for number, one in enumerate(judged) if any(document in rows for document in one.relevant)]
    if len(usable) < LEAST_QUERIES:
        said = f"{len(usable)} of {len(judged)} judged queries have a relevant document in the corpus of {expert!r}"
        raise TrainingError([f"{said}; {LEAST_QUERIES} are needed"])
    chosen = [judged[number] for number in usable]
    relevant = [[row for document in one.relevant for row in rows.get(document, ())] for one in chosen]
    fold = query_folds([one.query for one in chosen], folds=folds, seed=seed)
    fitted = fitted_adapter(
        Judged(found.queries[usable], relevant), found.passages, gain=_gain(chosen, found), fold=fold, seed=seed
    )
    facts = AdapterFacts(
        expert=expert,
        embedder=name,
        data_sha256=judged_sha256(chosen),
        queries=len(chosen),
        folds=folds,
        seed=seed,
        steps=fitted.steps,
        plain=float(fitted.plain.mean()),
        adapted=float(fitted.adapted.mean()),
    )
    save_adapter(path, fitted.adapter, facts, probe=found.probe)
    return Trained(path=path, facts=facts, left_out=len(judged) - len(chosen))


def _gain(judged: Sequence[JudgedQuery], found: _Vectors) -> Callable[[FloatArray, IntArray], Probabilities]:
    """nDCG@10 of documents: each stands where its best passage does."""

    def gain(vectors: FloatArray, of: IntArray) -> Probabilities:
        values = []
        for vector, number in zip(vectors, of, strict=True):
            order = np.argsort(-(found.passages @ vector), kind="stable")
            ranked: dict[str, None] = {}
            for row in order:
                ranked.setdefault(found.documents[row])
                if len(ranked) == COUNTED:
                    break
            values.append(ndcg(list(ranked), judged[number].relevant, k=COUNTED))
        return np.array(values, dtype=np.float64)

    return gain
