"""Records -> what every expert answered to every query, and how good that was. Knows no votes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.datasets import DataError, Dataset, Draft, Record
from eval.datasets.problems import Problems, did_you_mean
from eval.metrics.arrays import Reals
from routers.fusion import Ballots, ballots_of
from routers.fusion.extraction import letter_of, number_alone, plain

__all__ = ["ALL", "CHARACTERS_A_TOKEN", "Drafted", "drafted"]

ALL = "all queries"
"""The category of queries that have none."""
CHARACTERS_A_TOKEN = 4
"""Tokens of drafts are estimated by their characters: no data set has counts of them."""
FEWEST_EXPERTS = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drafted:
    """Queries [n] that all experts [k] have drafted for.

    ids: unique over all data sets. scores: 0 to 1, [n, k]. options: how many each query lists, NaN for none. tokens:
    estimated, [n, k], NaN where a draft's text is not known. draws: [n, k], random in 0 to 1, of seed, query and
    expert. train: how many of the queries, the first ones, are of data to learn from alone. left_out: how many lack a
    draft.
    """

    experts: tuple[str, ...]
    records: tuple[Record, ...]
    ids: tuple[str, ...]
    categories: tuple[str, ...]
    ballots: Ballots
    scores: Reals
    options: Reals
    tokens: Reals
    draws: Reals
    train: int
    left_out: int


def drafted(
    train: Sequence[Dataset], datasets: Sequence[Dataset], *, experts: Sequence[str] | None, seed: int
) -> Drafted:
    """The queries of all data sets; those that lack a draft of one of the experts are left out and counted.

    experts: None for all that have a draft anywhere.

    Raises:
        DataError: sets without drafts, unknown experts, drafts that nothing tells right from wrong, or nothing left.
    """
    sets = [*train, *datasets]
    chosen = _experts(sets, experts)
    rows = [(dataset, record) for dataset in sets for record in dataset.records]
    kept = [(dataset, record) for dataset, record in rows if all(expert in record.drafts for expert in chosen)]
    if not kept:
        raise DataError([_nothing_left(rows, chosen)])
    records = tuple(record for _, record in kept)
    ids = tuple(f"{dataset.name}#{record.id}" if len(sets) > 1 else record.id for dataset, record in kept)
    learned = sum(len(dataset.records) for dataset in train)
    return Drafted(
        experts=chosen,
        records=records,
        ids=ids,
        categories=tuple(record.category or ALL for record in records),
        ballots=ballots_of(
            [[_said(record, record.drafts[expert]) for expert in chosen] for record in records],
            [f"{seed}\0{identity}" for identity in ids],
        ),
        scores=_scores(records, chosen),
        options=np.array([len(record.options) or np.nan for record in records], dtype=np.float64),
        tokens=np.array([[_tokens(record.drafts[expert]) for expert in chosen] for record in records]),
        draws=np.array([[_draw(f"{seed}\0{identity}\0{expert}") for expert in chosen] for identity in ids]),
        train=sum(all(expert in record.drafts for expert in chosen) for _, record in rows[:learned]),
        left_out=len(rows) - len(kept),
    )


def _experts(sets: Sequence[Dataset], wanted: Sequence[str] | None) -> tuple[str, ...]:
    known: dict[str, None] = {}
    problems = []
    for dataset in sets:
        own = dict.fromkeys(expert for record in dataset.records for expert in record.drafts)
        if not any(draft.answer is not None for record in dataset.records for draft in record.drafts.values()):
            problems.append(f"{dataset.name}: no record has drafts with extracted answers, so there is nothing to fuse")
        known |= own
    if problems:
        raise DataError(problems)
    names = tuple(wanted) if wanted is not None else tuple(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError([f"--experts {name}: no drafts by it{did_you_mean(name, known)}" for name in unknown])
    if len(names) < FEWEST_EXPERTS:
        raise DataError([f"--experts: drafts of {len(names)} experts; it takes at least {FEWEST_EXPERTS} to fuse"])
    return names


def _nothing_left(rows: Sequence[tuple[Dataset, Record]], experts: Sequence[str]) -> str:
    counts = Counter(expert for _, record in rows for expert in experts if expert in record.drafts)
    fewest = min(experts, key=lambda expert: counts[expert])
    asked = (
        f"no query has drafts of all {len(experts)} experts; {fewest!r} has drafts of {counts[fewest]} of {len(rows)}"
    )
    return f"{rows[0][0].name}: {asked}: choose others with --experts"


def _scores(records: Sequence[Record], experts: Sequence[str]) -> Reals:
    """By the recorded outcome, else by the gold answer."""
    problems = Problems()
    scores = np.zeros((len(records), len(experts)))
    for row, record in enumerate(records):
        for column, expert in enumerate(experts):
            answer = record.drafts[expert].answer
            if expert in record.outcomes:
                scores[row, column] = record.outcomes[expert].score
            elif record.gold is None:
                problems.add(
                    record.source or record.id, f"no gold answer and no outcome of {expert!r}: right or wrong?"
                )
                break
            elif answer is not None:
                scores[row, column] = float(_key(record, answer) == _key(record, record.gold))
    problems.check()
    return scores


def _said(record: Record, draft: Draft) -> str | None:
    return None if draft.answer is None else _key(record, draft.answer)


def _key(record: Record, answer: str) -> str:
    """An answer in a form that is the same for equal ones: an option's letter, a number, or plain words."""
    if record.options:
        return letter_of(answer, record.options) or answer.strip().upper()
    number = number_alone(answer)
    return plain(answer) or answer if number is None else repr(number)


def _tokens(draft: Draft) -> float:
    return np.nan if draft.text is None else len(draft.text) / CHARACTERS_A_TOKEN


def _draw(key: str) -> float:
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:6], "big") / (1 << 48)
