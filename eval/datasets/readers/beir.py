"""BEIR's layout of retrieval sets: a corpus, queries, and which documents are relevant to which query.

Source of the set at hand, NFCorpus (nutrition): KID-22/Cocktail @ d070bccd, MIT.
Layout, BEIR's own: `corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text}, `qrels/test.tsv` with the header
query-id, corpus-id, score; a folder of them, or a zip of them with or without a folder around.
Cocktail's layout: the same, but with `corpus/human.jsonl` beside a corpus rewritten by a language model.
Traps:
- Cocktail's other corpus is no collection that people wrote: never read.
- `queries.jsonl` holds the queries of all splits; those without a judgement in `qrels/test.tsv` are skipped.
- Lines of the qrels end in CR LF. Grades are kept (NFCorpus: 1, 2); one below 0 (TREC-COVID has -1) counts as 0.
- A judgement of a document or query that is not there is an error: a file is cut off, or the files do not belong
  together.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from eval.datasets.assembly import assemble
from eval.datasets.dataset import DataError, Dataset, Document, Skipped
from eval.datasets.lines import Content, Swelling, json_lines, text_of
from eval.datasets.lines import read as read_content
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Passage, Record

__all__ = ["read"]

CORPUS = ("corpus.jsonl", "corpus/human.jsonl")
QUERIES = ("queries.jsonl",)
QRELS = ("qrels/test.tsv",)
SPLIT = "test"
HEADER = ["query-id", "corpus-id", "score"]

AT_ONCE = 1 << 20
"""Unpacked bytes that are read at a time."""

BROKEN_ZIP = (
    ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError,
    lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What zipfile raises over a damaged, an encrypted or an exotic archive."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    document: str
    grade: float
    place: str


def read(path: Path) -> Dataset:
    """A folder or a zip; raises DataError."""
    problems = Problems()
    corpus, queries, qrels = _zipped(path, problems) if path.is_file() else _unzipped(path, problems)
    problems.check()
    documents = _documents(corpus, problems)
    judgements = _judgements(qrels, problems, documents=documents)
    records: list[Record] = []
    skipped: list[Skipped] = []
    for record in _queries(queries, problems):
        if record.id in judgements:
            passages = [Passage(document=one.document, relevance=one.grade) for one in judgements[record.id]]
            records.append(record.model_copy(update={"passages": tuple(passages)}))
        else:
            skipped.append(Skipped(record.source, f"no judgement of query {record.id!r} in {qrels.place}"))
    _note_unknown_queries(judgements, {record.id for record in records}, problems)
    return replace(assemble(str(path), records, problems, skipped=skipped), documents=documents)


def _unzipped(path: Path, problems: Problems) -> list[Content]:
    present = [
        name + ending
        for name in (*CORPUS, *QUERIES, *QRELS)
        for ending in ("", ".gz")
        if (path / (name + ending)).is_file()
    ]
    return [read_content(path / name, problems) for name in _chosen(path, present)]


def _zipped(path: Path, problems: Problems) -> list[Content]:
    try:
        with zipfile.ZipFile(path) as archive:
            plain = [name for name in archive.namelist() if _belongs(name)]
            return [_member(archive, name, path, problems) for name in _chosen(path, plain)]
    except BROKEN_ZIP as error:
        raise DataError([f"{path}: not a zip that can be read: {error}"]) from error


def _member(archive: zipfile.ZipFile, name: str, path: Path, problems: Problems) -> Content:
    place = f"{path}/{name}"
    swelling = Swelling()
    data = bytearray()
    try:
        with archive.open(name) as file:
            while part := file.read(AT_ONCE):
                swelling.check(added=len(part), packed=archive.getinfo(name).compress_size)
                data += part
    except BROKEN_ZIP as error:
        problems.add(f"{place}:{data.count(10) + 1}", f"broken zip: {error}")
        return Content(place, b"", broken=True)
    return Content(place, bytes(data))


def _belongs(name: str) -> bool:
    """Whether a member may be part of a set: not packed twice, and inside the folder that the zip stands for."""
    return not (name.endswith(".gz") or name.startswith("/") or ".." in PurePosixPath(name.replace("\\", "/")).parts)


def _chosen(path: Path, names: Collection[str]) -> list[str]:
    """Of `names` the corpus, the queries and the judgements; a folder around all of them is passed over."""
    chosen: list[str] = []
    missing: list[str] = []
    for wanted in (CORPUS, QUERIES, QRELS):
        endings = [ending for name in wanted for ending in (name, f"{name}.gz")]
        fitting = [name for ending in endings for name in sorted(names, key=len) if f"/{name}".endswith(f"/{ending}")]
        if fitting:
            chosen.append(fitting[0])
        else:
            missing.append(f"{path}: holds no {' or '.join(wanted)}")
    if missing:
        raise DataError(missing)
    return chosen


def _documents(corpus: Content, problems: Problems) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    places: dict[str, str] = {}
    for row in json_lines(corpus, problems):
        with problems.at(row.place):
            identity = row.identity("_id")
            title = (row.text_or_none("title") if "title" in row.values else None) or ""
            if identity in documents:
                raise Wrong(f"duplicate id {identity!r}: it stands already at {places[identity]}")
            documents[identity] = Document(id=identity, title=title, text=row.text("text"))
            places[identity] = row.place
    return documents


def _queries(queries: Content, problems: Problems) -> Iterator[Record]:
    for row in json_lines(queries, problems):
        with problems.at(row.place):
            yield Record(id=row.identity("_id"), query=row.text("text"), split=SPLIT, source=row.place)


def _judgements(qrels: Content, problems: Problems, *, documents: Collection[str]) -> dict[str, list[_Judgement]]:
    """By query, in the order of the file."""
    judgements: dict[str, list[_Judgement]] = {}
    judged: set[tuple[str, str]] = set()
    header, *lines = text_of(qrels, problems).split("\n")
    if header.rstrip("\r").split("\t") != HEADER:
        problems.add(f"{qrels.place}:1", f"expected the header {', '.join(HEADER)}, separated by tabs")
        return judgements
    for number, line in enumerate(lines, start=2):
        place = f"{qrels.place}:{number}"
        if not line.strip():
            continue
        with problems.at(place):
            query, document, grade = _cells(line)
            if document not in documents:
                raise Wrong(f"judges document {document!r}, which is not in the corpus")
            if (query, document) in judged:
                raise Wrong(f"document {document!r} is judged twice for query {query!r}")
            judged.add((query, document))
            judgements.setdefault(query, []).append(_Judgement(document, max(grade, 0), place))
    return judgements


def _cells(line: str) -> tuple[str, str, int]:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(HEADER) or not all(cells):
        raise Wrong(f"expected {len(HEADER)} cells, separated by tabs, found {line!r}")
    query, document, grade = cells
    try:
        return query, document, int(grade)
    except ValueError:
        raise Wrong(f"score: expected a whole number, found {grade!r}") from None


def _note_unknown_queries(
    judgements: Mapping[str, list[_Judgement]], known: Collection[str], problems: Problems
) -> None:
    for query, found in judgements.items():
        if query not in known:
            problems.add(found[0].place, f"judges query {query!r}, which is not in queries.jsonl")
