"""The classic SMART collections: CRAN (aeronautics), CISI (library science) and CACM (computing).

Sources: CRAN and CISI from ronancummins/gen_polya @ 6415a5fa, CACM from c00kiemon5ter/LuceneEval @ aee70fa0; research
collections without formal licence.
Layout, here and in the originals: a folder with a collection's three files, by their names (each plain or gzip):
`cran.all.1400`, `cran.qry`, `cranqrel`; `CISI.ALL`, `CISI.QRY`, `CISI.REL`; `cacm.all`, `query.text`, `qrels.text`.
An item begins with `.I number`; then come fields, each behind a line with its tag: .T title, .W words, .K keywords,
.A authors, .B where it appeared, .N who asked or entered it, .C classes, .X citations.
A document's title is T, its text W and K; a query is T and W. A line of judgements: query, document, grades.
Traps:
- Files are latin-1, some with CR LF; some tags have spaces behind them.
- The judgements of CRAN name its queries by position, 1 to 225; their `.I` numbers (1 to 365) are something else.
- A tag that stood already stands again in the words of three CRAN documents, once with a sentence torn in two: within
  W, such a tag is passed over and the words go on.
- CRAN's grades are used in several ways (1 is best by its own readme, and there is -1): every judged document counts
  as relevant. The others have no grades.
- CISI judges 76 of 112 queries, CACM 52 of 64: the rest is skipped. Two CRAN documents have no words; they stay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import DataError, Dataset, Document, Skipped
from eval.datasets.lines import text_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Passage, Record

__all__ = ["read"]

ENCODING = "latin-1"
NUMBERED = re.compile(r"\.I\s+([0-9]+)\s*")
BEGINS_ITEM = re.compile(r"\.I(\s|$)")
TAG = re.compile(r"\.([A-Z])\s*")
TAGS = "TWKABNCX"
WORDS = "W"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collection:
    documents: str
    queries: str
    judgements: str
    columns: int
    """Of the judgements."""
    by_position: bool = False
    """Whether judgements count the queries instead of naming their numbers."""


COLLECTIONS = (
    _Collection(documents="cran.all.1400", queries="cran.qry", judgements="cranqrel", columns=3, by_position=True),
    _Collection(documents="CISI.ALL", queries="CISI.QRY", judgements="CISI.REL", columns=4),
    _Collection(documents="cacm.all", queries="query.text", judgements="qrels.text", columns=4),
)


@dataclass(frozen=True, slots=True)
class _Item:
    number: str
    place: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def text(self, *tags: str) -> str:
        found = ("\n".join(self.fields.get(tag, [])).strip() for tag in tags)
        return "\n".join(text for text in found if text)


def read(path: Path) -> Dataset:
    """The folder of one collection, or its file of documents; raises DataError."""
    problems = Problems()
    folder = path.parent if path.is_file() else path
    collection = _collection(folder)
    documents = _documents(_items(_file(folder, collection.documents), problems), problems)
    asked = _items(_file(folder, collection.queries), problems)
    if collection.by_position:
        asked = [replace(item, number=str(position)) for position, item in enumerate(asked, start=1)]
    judged = _judgements(
        _file(folder, collection.judgements),
        problems,
        columns=collection.columns,
        documents=documents,
        queries={item.number for item in asked},
    )
    records: list[Record] = []
    skipped: list[Skipped] = []
    for item in asked:
        with problems.at(item.place):
            if item.number in judged:
                records.append(_record(item, judged[item.number]))
            else:
                skipped.append(Skipped(item.place, f"no document is judged relevant to query {item.number!r}"))
    return replace(assemble(str(path), records, problems, skipped=skipped), documents=documents)


def _collection(folder: Path) -> _Collection:
    for collection in COLLECTIONS:
        if any((folder / (collection.documents + ending)).is_file() for ending in ("", ".gz")):
            return collection
    known = ", ".join(collection.documents for collection in COLLECTIONS)
    raise DataError([f"{folder}: holds no file of documents by a name that is known: {known}"])


def _file(folder: Path, name: str) -> Path:
    for ending in ("", ".gz"):
        if (folder / (name + ending)).is_file():
            return folder / (name + ending)
    raise DataError([f"{folder}: holds no file {name}"])


def _items(file: Path, problems: Problems) -> list[_Item]:
    items: list[_Item] = []
    tag = ""
    for line_number, line in enumerate(text_of(file, problems, encoding=ENCODING).split("\n"), start=1):
        place = f"{file}:{line_number}"
        with problems.at(place):
            if BEGINS_ITEM.match(line):
                items.append(_Item(_number(line), place))
                tag = ""
            elif match := TAG.fullmatch(line):
                tag = _next_tag(match[1], tag, items)
            elif tag:
                items[-1].fields[tag].append(line.rstrip())
            elif line.strip():
                raise Wrong("text that belongs to no field")
    _note_repeated_numbers(items, problems)
    return items


def _number(line: str) -> str:
    if match := NUMBERED.fullmatch(line):
        return _plain(match[1])
    raise Wrong(f"expected .I and a number, found {line.rstrip()!r}")


def _next_tag(found: str, current: str, items: list[_Item]) -> str:
    """The tag of the field that the next lines belong to."""
    if not items:
        raise Wrong(f"a field .{found} before the first .I")
    if found not in TAGS:
        raise Wrong(f"unknown tag .{found}")
    fields = items[-1].fields
    if current == WORDS and found in fields:
        return current
    fields.setdefault(found, [])
    return found


def _note_repeated_numbers(items: list[_Item], problems: Problems) -> None:
    first: dict[str, str] = {}
    for item in items:
        if first.setdefault(item.number, item.place) != item.place:
            problems.add(item.place, f"duplicate id {item.number!r}: it stands already at {first[item.number]}")


def _documents(items: list[_Item], problems: Problems) -> dict[str, Document]:
    for item in items:
        if not item.fields:
            problems.add(item.place, f"document {item.number!r} has no field")
    return {
        item.number: Document(id=item.number, title=" ".join(item.text("T").split()), text=item.text(WORDS, "K"))
        for item in items
    }


def _judgements(
    file: Path, problems: Problems, *, columns: int, documents: Collection[str], queries: Collection[str]
) -> Mapping[str, list[str]]:
    """By query, the relevant documents in the order of the file."""
    judged: dict[str, dict[str, None]] = {}
    for line_number, line in enumerate(text_of(file, problems, encoding=ENCODING).split("\n"), start=1):
        cells = line.split()
        if not cells:
            continue
        with problems.at(f"{file}:{line_number}"):
            if len(cells) != columns or not all(re.fullmatch("[0-9]+", cell) for cell in cells[:2]):
                raise Wrong(f"expected a query, a document and {columns - 2} more, found {line.strip()!r}")
            query, document = (_plain(cell) for cell in cells[:2])
            if query not in queries:
                raise Wrong(f"judges query {query!r}, which is not there")
            if document not in documents:
                raise Wrong(f"judges document {document!r}, which is not there")
            if document in judged.setdefault(query, {}):
                raise Wrong(f"document {document!r} is judged twice for query {query!r}")
            judged[query][document] = None
    return {query: list(found) for query, found in judged.items()}


def _plain(number: str) -> str:
    return number.lstrip("0") or "0"


def _record(item: _Item, relevant: list[str]) -> Record:
    query = item.text("T", WORDS)
    if not query:
        raise Wrong(f"query {item.number!r} has no words")
    passages = tuple(Passage(document=document, relevance=1) for document in relevant)
    return Record(id=item.number, query=query, passages=passages, source=item.place)
