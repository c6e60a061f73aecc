"""Routing among the retrievers of a configuration: learned from judged queries, changed without training, served.

What is learned is a table of how well each retriever, and each two that search differently, did on each query; see
`routers.retrievers.router`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import anyio
import numpy as np

from orchestrator.config import Config
from orchestrator.config.kinds import RetrieverSettings
from orchestrator.embedders import Embedders
from orchestrator.errors import ConfigError, ExpertUnavailable
from orchestrator.experts import Searcher
from orchestrator.fleet.registry import Registry
from orchestrator.fleet.surroundings import embedders_of, experts_of
from orchestrator.training import Progress
from routers.calibrate import Probabilities
from routers.errors import TrainingError
from routers.retrievers.arms import DEPTH, Arm, arms_of, blended
from routers.retrievers.gain import ndcg
from routers.retrievers.impact import Change, HeldOut, changes, held_out
from routers.retrievers.judged import JudgedQuery, judged_sha256, query_folds, read_judged
from routers.retrievers.router import ArmTable, best_rule
from routers.retrievers.stored import RouterFacts, load_router, save_router

__all__ = ["Learned", "add_retriever", "learn_retrievers", "remove_retriever", "retrievers_of"]

COUNTED = 10
FOLDS = 5

_Hits = Mapping[str, Sequence[Sequence[tuple[str, float]]]]
"""By retriever, for each query the documents with their scores, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A router of retrievers that was saved. changes: what the last change did to each source; empty of a new one."""

    facts: RouterFacts
    changes: tuple[Change, ...] = ()


def retrievers_of(config: Config) -> list[str]:
    """The retrievers that can be asked for passages, in the order of the configuration."""
    return [name for name, block in config.experts.items() if block.searches]


def learn_retrievers(config: Config, *, seed: int = 0, progress: Progress | None = None) -> Learned:
    """Ask every retriever every query of `routing.retrieval`, and save the table with the rule that does best on folds.

    Raises:
        ConfigError: fewer than two retrievers, or one that is not up.
        TrainingError: the judged queries cannot be read.
        ArtifactError: it cannot be saved.

    """
    judged = _judged(config)
    names = retrievers_of(config)
    if len(names) < 2:  # noqa: PLR2004 - nothing to choose between
        raise ConfigError(["routing among retrievers needs two of them; 'routing.retrieval' is of no use with fewer"])
    embedders = embedders_of(config)
    hits = anyio.run(_asked, config, embedders, names, judged, progress)
    arms = arms_of(names, families=_families(config))
    vectors = embedders.load(config.embedder).embed([one.query for one in judged])
    table = ArmTable(vectors, _scores(arms, hits, judged), arms, tuple(one.source for one in judged))
    return _saved(config, table, judged, embedders, seed=seed)


def add_retriever(config: Config, name: str, *, progress: Progress | None = None) -> Learned:
    """Ask one more retriever, and keep what is known of the others: nothing is trained.

    Raises:
        ConfigError: there is no such retriever, it is known already, or nothing was learned yet.
        TrainingError: `routing.retrieval` is not what was learned from.

    """
    table, facts = _known(config)
    if name not in retrievers_of(config):
        raise ConfigError([f"there is no retriever {name!r}; known: {', '.join(retrievers_of(config)) or 'none'}"])
    if name in table.experts:
        raise ConfigError([f"{name!r} is routed to already; take it out first with --remove-retriever"])
    judged = _judged(config)
    if judged_sha256(judged) != facts.data_sha256:
        raise TrainingError(["'routing.retrieval' has changed since; run 'orchestrator train' without --add-retriever"])
    embedders = embedders_of(config)
    arms = arms_of([*table.experts, name], families=_families(config))
    new = [arm for arm in arms if name in arm]
    hits = anyio.run(_asked, config, embedders, sorted(set(chain(*new))), judged, progress)
    wider = table.with_scores(new, _scores(new, hits, judged))
    return _saved(config, wider, judged, embedders, seed=facts.seed, before=(table, facts))


def remove_retriever(config: Config, name: str) -> Learned:
    """Forget one retriever: its columns are dropped, and nobody is asked.

    Raises:
        ConfigError: it is not routed to, or the only one; or nothing was learned yet.

    """
    table, facts = _known(config)
    if name not in table.experts or len(table.experts) == 1:
        known = ", ".join(table.experts)
        raise ConfigError([f"{name!r} cannot be taken out; routed to are {known}, and one has to stay"])
    return _saved(
        config, table.without(name), _judged(config), embedders_of(config), seed=facts.seed, before=(table, facts)
    )


def _known(config: Config) -> tuple[ArmTable, RouterFacts]:
    found = load_router(config.path(config.routing.retrievers))
    if found is None:
        raise ConfigError(["nothing was learned of the retrievers yet; run 'orchestrator train' first"])
    return found


def _judged(config: Config) -> list[JudgedQuery]:
    if config.routing.retrieval is None:
        raise ConfigError(["'routing.retrieval' names no file of judged queries"])
    return read_judged(config.path(config.routing.retrieval))


def _families(config: Config) -> dict[str, str]:
    """How each retriever searches: two of one corpus and the same embedders differ by an adapter at most."""
    return {
        name: f"{sorted(map(str, block.corpus))} {block.chunk} {sorted(block.embedders)}"
        for name, block in config.experts.items()
        if isinstance(block, RetrieverSettings)
    }


async def _asked(
    config: Config,
    embedders: Embedders,
    names: Sequence[str],
    judged: Sequence[JudgedQuery],
    progress: Progress | None,
) -> _Hits:
    found: dict[str, list[list[tuple[str, float]]]] = {}
    async with experts_of(config, embedders) as registry:
        for name in names:
            searcher = await _started(registry, name)
            found[name] = []
            for number, one in enumerate(judged, start=1):
                passages = await searcher.search(one.query, top_k=DEPTH)
                best: dict[str, float] = {}
                for passage in passages:
                    best.setdefault(passage.document, passage.score)
                found[name].append(list(best.items()))
                if progress is not None:
                    progress(f"asking {name}", number, len(judged))
    return found


async def _started(registry: Registry, name: str) -> Searcher:
    await registry.start(name)
    searcher = registry[name]
    if not isinstance(searcher, Searcher):
        raise ExpertUnavailable(name, "it cannot be asked for passages")
    return searcher


def _scores(arms: Sequence[Arm], hits: _Hits, judged: Sequence[JudgedQuery]) -> Probabilities:
    """nDCG@10, [n, n_arms]."""
    return np.array(
        [
            [
                ndcg([document for document, _ in blended([hits[name][row] for name in arm])], one.relevant, k=COUNTED)
                for arm in arms
            ]
            for row, one in enumerate(judged)
        ],
        dtype=np.float64,
    )


def _saved(
    config: Config,
    table: ArmTable,
    judged: Sequence[JudgedQuery],
    embedders: Embedders,
    *,
    seed: int,
    before: tuple[ArmTable, RouterFacts] | None = None,
) -> Learned:
    fold = query_folds([one.query for one in judged], folds=FOLDS, seed=seed)
    if len(fold) != len(table.vectors):
        raise TrainingError(["'routing.retrieval' has changed since; run 'orchestrator train' first"])
    reached = held_out(table, fold, rule="auto", seed=seed)
    embedder = embedders.load(config.embedder)
    facts = RouterFacts(
        rule=best_rule(table, seed=seed),
        arms=table.arms,
        sources=table.sources,
        embedder=config.embedder,
        fingerprint=embedder.fingerprint,
        data_sha256=judged_sha256(judged),
        folds=FOLDS,
        seed=seed,
        figures=reached.means(),
    )
    save_router(config.path(config.routing.retrievers), table, facts)
    if before is None:
        return Learned(facts=facts)
    earlier: HeldOut = held_out(before[0], fold, rule="auto", seed=seed)
    return Learned(facts=facts, changes=tuple(changes(earlier, reached, seed=seed)))
