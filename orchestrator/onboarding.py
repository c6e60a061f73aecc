"""A new expert of the configuration, placed in the served mapping from a few graded queries ("shots").

Which artifact, does it fit, and what to say of it; how the expert is placed is in `routers.mapping.onboarding`. The
classifier and all that is known of the other experts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.config import Config
from orchestrator.generations import Generations
from orchestrator.graded import limits_of, sizes_of
from orchestrator.interference import Report, report
from orchestrator.shared_bases import SharedBase, shared_bases
from orchestrator.shots import distinct_shots, elsewhere, grades_table, read_shots, shots_of
from orchestrator.training import load_router
from routers import artifact
from routers.embedding import Embedder
from routers.errors import TrainingError
from routers.manifest import MappingPart
from routers.mapping.change import Change, Gain, changes, total
from routers.mapping.graded import Graded, read_graded
from routers.mapping.learned import LearnedMapping
from routers.mapping.onboarding import LEAST_SHOTS, onboard
from routers.mapping.redundancy import Pair, pairs_of
from routers.router import Router
from routers.trained import Mapped, Placed

__all__ = ["Placement", "add_expert"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Placement:
    """What came of it.

    shots: distinct queries that counted. paired: those of them of which it is known how others did. elsewhere: shots of
    categories that were not learned. pairs: experts that err together, and how the new one does with each, see
    `routers.mapping.redundancy`. seen: what the shots say it interferes with. shared: the base that it was made from
    and lives on, with all that do; None for an expert of its own. mapping: as it was written.
    """

    expert: str
    shots: int
    paired: int
    elsewhere: int
    changes: tuple[Change, ...]
    total: Gain
    pairs: tuple[Pair, ...]
    seen: Report
    shared: SharedBase | None
    mapping: LearnedMapping


def add_expert(
    config: Config,
    expert: str,
    shots: Path,
    *,
    scores: Path | None = None,
    load_embedder: Callable[[str], Embedder],
) -> Placement:
    """Place an expert in the mapping of `routing.artifact`, and write it there.

    shots: graded outcomes of the expert, and of others where they are known. scores: the graded outcomes that the
    mapping was learned from, instead of `routing.scores`; without them only the shots say how others did.
    load_embedder: is called where a shot's category is to be predicted.

    Raises:
        TrainingError: unknown or graded expert, too few shots, malformed lines, or nothing learned to place it in.
        ArtifactError: no artifact, damaged, or it cannot be written.

    """
    if expert not in config.experts:
        raise TrainingError([f"--add-expert: {expert!r} is not in experts; known: {', '.join(config.experts)}"])
    folder = config.path(config.routing.artifact)
    before, part = _served(config, expert, folder)
    read = read_shots(config, expert, shots)
    behind = _learned_from(config, scores, part)

    def router() -> Router:
        return load_router(config, load_embedder(config.embedder))

    lines = distinct_shots(read.lines, behind=behind, load_router=router)
    counting = [line for line in lines if line.category in before.ranking]
    if len(counting) < LEAST_SHOTS:
        raise TrainingError([_too_few(shots, len(counting), lines=len(lines), read=len(read.lines))])
    sizes = sizes_of(config)
    onboarded = onboard(before, expert, shots_of(before, expert, counting), active_params_b=sizes)
    own_size = {expert: sizes[expert]} if expert in sizes else {}
    mapped = Mapped(
        learned=onboarded.mapping,
        data_sha256=part.data_sha256,
        active_params_b={**part.active_params_b, **own_size},
        placed=(*part.placed, Placed(expert=expert, shots=len(counting), data_sha256=read.sha256)),
    )
    known = artifact.load_lessons(folder)
    lessons = known and known.with_more_graded(counting)
    Generations.of(config).save_mapping(mapped, lessons=lessons, why=f"{expert} added")
    return Placement(
        expert=expert,
        shots=len(counting),
        paired=sum(len(line.outcomes) > 1 for line in counting),
        elsewhere=len(lines) - len(counting),
        changes=tuple(changes(before, onboarded, sizes=sizes)),
        total=total(before, onboarded),
        pairs=tuple(_pairs(onboarded.mapping, expert, [*elsewhere(counting, behind), *counting], sizes)),
        seen=report(before, onboarded.mapping, counting, base=config.experts[expert].shares()),
        shared=next((each for each in shared_bases(config, onboarded.mapping) if expert in each.adapters), None),
        mapping=onboarded.mapping,
    )


def _served(config: Config, expert: str, folder: Path) -> tuple[LearnedMapping, MappingPart]:
    """The mapping to enlarge, if it is the one that this configuration would serve and the expert can be added."""
    part = artifact.read_manifest(folder).mapping
    mapping = artifact.load_mapping(folder)
    if mapping is None or part is None:
        raise TrainingError([f"no mapping was learned at {folder}; run 'orchestrator train --scores FILE' first"])
    if expert in mapping.experts:
        how = "append its shots to the graded outcomes and run 'orchestrator train', which learns from all of them"
        if any(placed.expert == expert for placed in part.placed):
            how += "; or run 'orchestrator train' without them and add it again"
        raise TrainingError([f"--add-expert: {expert!r} is graded already; to replace that, {how}"])
    sizes = sizes_of(config)
    then, now = ({**known, expert: 0.0} for known in (part.active_params_b, sizes))  # its own size may be new
    if (part.budget, then) != (limits_of(config), now):
        reason = "the budget or the experts' active_params_b have changed since the mapping was learned"
        raise TrainingError([f"{reason}; run 'orchestrator train' first"])
    wanted = mapping.budget.active_params_b is not None or mapping.cost_unit == "active_params_b"
    if wanted and expert not in sizes:
        raise TrainingError([f"experts.{expert}.active_params_b: needed, since the mapping was learned with it"])
    return mapping, part


def _learned_from(config: Config, file: Path | None, part: MappingPart) -> Sequence[Graded]:
    """The graded outcomes behind the mapping, where they can be had."""
    path = file if file is not None else config.routing.scores and config.path(config.routing.scores)
    if path is None:
        return ()
    graded = read_graded(path)
    if graded.sha256 != part.data_sha256:
        raise TrainingError([f"{path}: not what the mapping was learned from; run 'orchestrator train' first"])
    return graded.lines


def _too_few(path: Path, usable: int, *, lines: int, read: int) -> str:
    why = []
    if lines < read:
        why.append(f"{read - lines} of {read} lines repeat a query")
    if usable < lines:
        why.append(f"{lines - usable} are of categories that nothing was learned of")
    return f"{path}: {usable} shots that count ({'; '.join(why)}); at least {LEAST_SHOTS} are needed"


def _pairs(mapping: LearnedMapping, expert: str, lines: Sequence[Graded], sizes: Mapping[str, float]) -> list[Pair]:
    """Of all experts of the mapping; queries without a category are together."""
    names = {category: row for row, category in enumerate(dict.fromkeys(line.category for line in lines))}
    group = np.array([names[line.category] for line in lines], dtype=np.intp)
    prices = [_price(mapping, name, sizes) for name in mapping.experts]
    return pairs_of(mapping.experts, grades_table(mapping.experts, lines), group, of=expert, prices=prices)


def _price(mapping: LearnedMapping, expert: str, sizes: Mapping[str, float]) -> float | None:
    if mapping.cost_unit == "active_params_b":
        return sizes.get(expert)
    costs = [mapping.cells[category][expert].cost_usd for category in mapping.categories]
    known = [cost for cost in costs if cost is not None]
    return sum(known) / len(known) if known else None
