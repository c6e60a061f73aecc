"""Train, compare with what serves, promote or refuse: the whole of `orchestrator promote`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from eval.datasets import Dataset
from eval.promotion.measuring import measured
from eval.promotion.refit import crossfitted
from eval.promotion.rows import Row, Said, rows_of, unseen
from eval.promotion.rules import RULES, TOLERANCES, Ruling
from eval.promotion.sides import Side, lessons_of, side_of
from orchestrator.config import Config
from orchestrator.generations import Generation, Generations
from orchestrator.graded import graded_of
from orchestrator.training import examples_of, learned_router, load_mapping, load_router
from routers import artifact
from routers.embedding import Embedder
from routers.errors import ArtifactError
from routers.examples import distinct
from routers.manifest import MANIFEST

__all__ = ["Promotion", "promote"]

FOLDS = 5
NOTHING_SERVES = "nothing serves yet: there is nothing to compare the candidate with"
SAME = "the candidate is byte for byte what serves"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """How it ended. serving, candidate: hashes of their manifests. generation: the new one, if it was promoted.

    reasons: why it was refused, one a figure; none where nothing speaks against it. dry_run: nothing was changed.
    """

    serving: str | None
    candidate: str
    rulings: tuple[Ruling, ...]
    notes: tuple[str, ...]
    reasons: tuple[str, ...]
    dry_run: bool
    generation: Generation | None = None

    @property
    def outcome(self) -> str:
        """In one sentence."""
        if self.reasons:
            return f"refused: {'; '.join(self.reasons)}"
        if self.serving == self.candidate:
            return f"nothing to promote: {SAME}"
        if self.dry_run:
            return "would be promoted; --dry-run changes nothing"
        return "promoted" if self.generation is None else f"promoted: generation {self.generation.number} serves"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "outcome": self.outcome,
            "refused": bool(self.reasons),
            "reasons": list(self.reasons),
            "dry_run": self.dry_run,
            "serving": self.serving,
            "candidate": self.candidate,
            "generation": None if self.generation is None else self.generation.number,
            "figures": {one.name: one.as_dict() for one in self.rulings},
            "not_measured": [name for name in RULES if name not in {one.name for one in self.rulings}],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a promotion is asked for; see `promote`."""

    config: Config
    embedders: Callable[[str], Embedder]
    data: Path | None
    scores: Path | None
    folds: int
    seed: int
    progress: Progress


def promote(
    config: Config,
    *,
    embedders: Callable[[str], Embedder],
    data: Path | None = None,
    scores: Path | None = None,
    candidate: Path | None = None,
    replay: Sequence[Dataset] = (),
    tolerances: Mapping[str, float] = TOLERANCES,
    folds: int = FOLDS,
    seed: int = 0,
    dry_run: bool = False,
    progress: Progress,
) -> Promotion:
    """Compare a candidate with the artifact that serves, and have it serve where every rule holds.

    data, scores: examples and graded outcomes instead of the configuration's. candidate: folder of an artifact that is
    there, instead of one trained on these. replay: fresh queries with their truth; without them both recipes learn
    again on folds. tolerances: by figure, see `RULES`.

    Raises:
        DataError, TrainingError, InfeasibleBudget: the data cannot be learned from, or nothing can be compared fairly.
        ArtifactError: an artifact is damaged or does not fit, somebody else is at work, or the disk is full.
    """
    wanted = _Wanted(
        config=config, embedders=embedders, data=data, scores=scores, folds=folds, seed=seed, progress=progress
    )
    fresh = rows_of(replay) if replay else None  # what is wrong with them is said before anything is trained
    generations = Generations.of(config)
    with _place(generations, dry_run=dry_run) as place:
        _stage(place, wanted, candidate)
        new = side_of("candidate", place, config=config, embedders=embedders)
        old = _serving(generations, wanted)
        if old is not None and old.manifest.sha256 == new.manifest.sha256:
            return _ended(new, old, notes=(SAME,), dry_run=dry_run)
        rulings, notes = ([], [NOTHING_SERVES]) if old is None else _compared(old, new, wanted, fresh, tolerances)
        ended = _ended(new, old, rulings=tuple(rulings), notes=tuple(notes), dry_run=dry_run)
        if ended.reasons or dry_run:
            return ended
        figures: dict[str, object] = {one.name: one.as_dict() for one in rulings}
        kept = generations.add(place, why=_why(rulings), figures=figures)
    return _ended(new, old, rulings=tuple(rulings), notes=tuple(notes), dry_run=False, generation=kept)


def _ended(
    new: Side,
    old: Side | None,
    *,
    rulings: tuple[Ruling, ...] = (),
    notes: tuple[str, ...],
    dry_run: bool,
    generation: Generation | None = None,
) -> Promotion:
    return Promotion(
        serving=None if old is None else old.manifest.sha256,
        candidate=new.manifest.sha256,
        rulings=rulings,
        notes=notes,
        reasons=tuple(one.reason for one in rulings if one.refuses),
        dry_run=dry_run,
        generation=generation,
    )


@contextmanager
def _place(generations: Generations, *, dry_run: bool) -> Iterator[Path]:
    """Where the candidate is put. What serves stays the same meanwhile, but for a dry run, which touches nothing."""
    if dry_run:
        with TemporaryDirectory(prefix="candidate-") as folder:
            yield Path(folder) / "candidate"
        return
    with generations.alone(), generations.staged() as place:
        yield place


def _stage(place: Path, wanted: _Wanted, candidate: Path | None) -> None:
    """Train it there, or copy it there; either way it must be one that this configuration could serve."""
    config, embedder = wanted.config, wanted.embedders(wanted.config.embedder)
    if candidate is not None:
        _copy(candidate, place)
    else:
        trained = learned_router(
            config, embedder, file=wanted.data, scores=wanted.scores, seed=wanted.seed, progress=wanted.progress
        )
        artifact.save(trained, place, embedder=config.embedder)
    load_router(config, embedder, folder=place)
    load_mapping(config, folder=place)


def _copy(source: Path, place: Path) -> None:
    """What its manifest names, which is checked again where it arrived."""
    names = [MANIFEST, *artifact.check(source).files]
    try:
        place.mkdir(parents=True)
        for name in names:
            shutil.copyfile(source / name, place / name)
    except OSError as error:
        raise ArtifactError(f"{source} cannot be copied to {place.parent} ({error.strerror})") from error


def _serving(generations: Generations, wanted: _Wanted) -> Side | None:
    if not generations.path.exists():
        return None
    return side_of("serving", generations.path, config=wanted.config, embedders=wanted.embedders)


def _compared(
    old: Side, new: Side, wanted: _Wanted, fresh: Sequence[Row] | None, tolerances: Mapping[str, float]
) -> tuple[list[Ruling], list[str]]:
    examples = distinct(examples_of(wanted.config, wanted.data))
    graded = graded_of(wanted.config, wanted.scores)
    if fresh is None:
        found = crossfitted(
            old,
            new,
            examples=examples,
            graded=graded,
            folds=wanted.folds,
            seed=wanted.seed,
            progress=wanted.progress,
        )
        rulings = measured(
            found.rows, found.serving, found.candidate, known=found.known, tolerances=tolerances, seed=wanted.seed
        )
        return rulings, found.notes
    rows, notes = unseen(fresh, [lessons_of(side, examples, graded).texts for side in (old, new)])
    said = []
    for done, side in enumerate((old, new)):
        wanted.progress("replaying", done, 2)
        answers = Said(len(rows), general=side.manifest.general)
        answers.ask(side.router, side.plans, rows, np.arange(len(rows)))
        said.append(answers)
    wanted.progress("replaying", 2, 2)
    rulings = measured(rows, *said, tolerances=tolerances, seed=wanted.seed)
    return rulings, [f"{len(rows)} queries of the replay, which neither was trained on", *notes]


def _why(rulings: Sequence[Ruling]) -> str:
    """What the list of generations says."""
    if not rulings:
        return "promoted: nothing served before"
    better = [one.name for one in rulings if one.verdict == "better"]
    return f"promoted: better in {', '.join(better)}" if better else "promoted: no worse in any figure"
