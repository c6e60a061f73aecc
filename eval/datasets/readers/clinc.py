"""CLINC150: requests to an assistant, 150 intents in 10 domains, and requests that belong to none of them.

Source: clinc/oos-eval @ 828f8093, folder `data`. Licence: CC BY 3.0.
Layout, here and in the original: `data_full.json` (plain or gzip; its sisters data_small, data_imbalanced and
data_oos_plus have the same form): {split: [[text, intent], …]} with the splits train, val, test and oos_train,
oos_val, oos_test; beside it `domains.json`: {domain: [intent, …]}.
Traps: out-of-scope rows carry the intent "oos", which is no category: they have none and are not in_scope, and stand
in the split train, val or test like the others. Two test texts are also in train: noted, kept.

`clinc` takes the intent as the category, `clinc-domains` the domain; in both the intent is the gold answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.datasets.assembly import assemble
from eval.datasets.dataset import DataError, Dataset
from eval.datasets.lines import files_of, json_document
from eval.datasets.problems import Problems
from eval.datasets.record import Record

__all__ = ["read", "read_domains"]

OUT_OF_SCOPE = "oos"
SPLITS = ("train", "val", "test", "oos_train", "oos_val", "oos_test")


def read(path: Path) -> Dataset:
    """The file, or the folder that holds `data_full.json`, with intents as categories; raises DataError."""
    return _read(path, domains=None)


def read_domains(path: Path) -> Dataset:
    """The same with domains as categories; `domains.json` has to lie beside it."""
    problems = Problems()
    file = _file(path)
    found = [file.parent / name for name in ("domains.json", "domains.json.gz") if (file.parent / name).is_file()]
    if not found:
        raise DataError([f"{file}: no domains.json beside it; 'clinc' reads the intents without"])
    listed = json_document(found[0], problems)
    problems.check()
    if not isinstance(listed, dict) or not all(_are_texts(intents) for intents in listed.values()):
        raise DataError([f"{found[0]}: expected an object of lists of texts, domain to intents"])
    return _read(path, domains={intent: domain for domain, intents in listed.items() for intent in intents})


def _are_texts(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, str) for item in items)


def _file(path: Path) -> Path:
    return files_of(path, "data_full.json", "data_full.json.gz")[0]


def _read(path: Path, *, domains: dict[str, str] | None) -> Dataset:
    problems = Problems()
    file = _file(path)
    records: list[Record] = []
    for split, index, item in _items(file, problems):
        place = f"{file}[{split}][{index}]"
        if not isinstance(item, list) or [type(part) for part in item] != [str, str]:
            problems.add(place, "expected [text, intent]")
            continue
        text, intent = item
        in_scope = intent != OUT_OF_SCOPE
        if in_scope and domains is not None and intent not in domains:
            problems.add(place, f"intent {intent!r} has no domain", unknown=intent, known=domains)
            continue
        records.append(
            Record(
                id=f"{split}-{index}",
                query=text,
                category=(domains[intent] if domains else intent) if in_scope else None,
                in_scope=in_scope,
                gold=intent if in_scope else None,
                split=split.removeprefix("oos_"),
                source=place,
            )
        )
    return assemble(str(path), records, problems)


def _items(file: Path, problems: Problems) -> Iterator[tuple[str, int, Any]]:
    before = problems.count
    document = json_document(file, problems)
    if problems.count > before:
        return
    if not isinstance(document, dict):
        problems.add(str(file), "expected an object of lists, split to [text, intent]")
        return
    for split, items in document.items():
        if split not in SPLITS:
            problems.add(str(file), f"unknown split {split!r}", unknown=split, known=SPLITS)
        elif not isinstance(items, list):
            problems.add(f"{file}[{split}]", "expected a list of [text, intent]")
        else:
            for index, item in enumerate(items):
                yield split, index, item
