"""Collections to search in and what is asked of them, from data sets. Knows no index and no figure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from eval.datasets import Dataset, Document, Record
from eval.datasets.problems import Problems

__all__ = ["MEAN", "Collection", "collections_of", "relevance_of"]

MEAN = "mean"
"""What figures over all collections are called, so no collection is."""

ENDINGS = re.compile(r"(\.(zip|gz|jsonl|json))+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents and the queries judged in it, each with something relevant; `dataset` is what they came from."""

    name: str
    dataset: Dataset
    documents: tuple[Document, ...]
    queries: tuple[Record, ...]

    @property
    def left_out(self) -> int:
        """How many queries of the data set have nothing relevant, so no ranking of theirs is better than another."""
        return len(self.dataset.records) - len(self.queries)

    @property
    def judged(self) -> Dataset:
        """The data set with the judged queries alone, under the collection's name."""
        return replace(self.dataset, name=self.name, records=self.queries)


def collections_of(datasets: Sequence[Dataset]) -> list[Collection]:
    """One a data set, with names that tell them apart.

    Raises:
        DataError: a set without documents or without anything relevant, or a judged document that is not there.
    """
    problems = Problems()
    collections = [
        Collection(
            name=name,
            dataset=dataset,
            documents=_documents(dataset, problems),
            queries=tuple(record for record in dataset.records if any(p.relevance > 0 for p in record.passages)),
        )
        for dataset, name in zip(datasets, _names(datasets), strict=True)
    ]
    for collection in collections:
        _check(collection, problems)
    problems.check()
    return collections


def relevance_of(record: Record) -> dict[str, float]:
    """The grade of each judged document."""
    return {passage.document: passage.relevance for passage in record.passages}


def _names(datasets: Sequence[Dataset]) -> Iterator[str]:
    """The last part of each path, without endings or dots (which part the names of figures), numbered where taken."""
    taken = {MEAN}
    for dataset in datasets:
        path = dataset.name.split(":", 1)[-1]
        stem = ENDINGS.sub("", PurePath(path).name).replace(".", "_") or "collection"
        numbered = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(datasets) + 3))
        name = next(name for name in numbered if name not in taken)
        taken.add(name)
        yield name


def _documents(dataset: Dataset, problems: Problems) -> tuple[Document, ...]:
    """Those of the set, or where it has no corpus of its own, the judged passages that have a text."""
    if dataset.documents:
        return tuple(dataset.documents.values())
    documents: dict[str, Document] = {}
    for record in dataset.records:
        for passage in record.passages:
            if passage.text is not None:
                found = Document(id=passage.document, title=passage.title, text=passage.text)
                if documents.setdefault(found.id, found) != found:
                    problems.add(record.source, f"document {found.id!r} has another text than where it stood before")
    return tuple(documents.values())


def _check(collection: Collection, problems: Problems) -> None:
    place = collection.dataset.name
    if not collection.documents:
        problems.add(place, "has no documents to search in; give a set read by beir or smart, or passages with a text")
        return
    if not collection.queries:
        problems.add(place, "has no query with a relevant document")
    known = {document.id for document in collection.documents}
    for record in collection.queries:
        documents = [passage.document for passage in record.passages]
        for document in documents:
            if document not in known:
                problems.add(record.source or place, f"document {document!r} is judged, but its text is nowhere")
        if len(set(documents)) < len(documents):
            problems.add(record.source or place, f"query {record.id!r} judges a document twice")
