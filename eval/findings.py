"""What one suite found: figures in a tree, what a report draws of them, and each query's own values.

The values of single queries are what makes two runs comparable in pairs; see `eval.compare`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from eval.datasets import DataError
from eval.metrics import Figure

__all__ = ["FORMAT", "Figures", "Findings", "PerQuery", "flat", "nested", "read_findings"]

FORMAT = 1

Figures: TypeAlias = Mapping[str, "Figure | Figures"]
"""Figures by name; a measure that is taken of several things (experts, collections) holds a tree of its own."""

META = frozenset({"format", "suite", "run", "notes", "queries", "parts"})
"""Keys of the JSON that are no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerQuery:
    """The value of each query, where a figure is their mean.

    ids: of the queries [n], unique. values: by the figure's dotted name, one number a query [n], NaN where the query
    does not enter that figure.
    """

    ids: tuple[str, ...] = ()
    values: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON: NaN is null, and what is a whole number is written as one."""
        return {"ids": list(self.ids), "values": {name: [_short(v) for v in row] for name, row in self.values.items()}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PerQuery:
        """The inverse of `as_dict`; raises KeyError, TypeError or ValueError for anything else."""
        ids = tuple(str(identity) for identity in stored["ids"])
        values = {name: np.array(row, dtype=np.float64) for name, row in stored["values"].items()}
        if any(row.shape != (len(ids),) for row in values.values()):
            message = "each figure needs one value a query"
            raise ValueError(message)
        if len(set(ids)) < len(ids):
            message = "an id of a query stands twice"
            raise ValueError(message)
        return cls(ids=ids, values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The result of a suite; the same data, settings and seed give the same one, byte for byte.

    run: what was run, as JSON: the data (names, rows, rows left out), the seed, folds, experts, router, versions.
    figures: under the names that the documentation of the suite gives.
    parts: what is no single number, as JSON, by name: curves, confusion, heat maps, slices. `eval.report` draws those
    it knows by name. notes: what a reader of the figures has to know, one sentence each.
    """

    suite: str
    run: Mapping[str, Any]
    figures: Figures
    parts: Mapping[str, Any] = field(default_factory=dict)
    queries: PerQuery = field(default_factory=PerQuery)
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON: the figures and parts stand at the top under their own names.

        Raises ValueError where two of them have the same one, or one of them that of something else there.
        """
        if clashes := (set(self.figures) & set(self.parts)) | (META & {*self.figures, *self.parts}):
            message = f"the JSON has no room for two of a name: {', '.join(sorted(clashes))}"
            raise ValueError(message)
        return {
            "format": FORMAT,
            "suite": self.suite,
            "run": dict(self.run),
            "notes": list(self.notes),
            **_plain(self.figures),
            **self.parts,
            "parts": sorted(self.parts),
            "queries": self.queries.as_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Findings:
        """The inverse of `as_dict`; raises KeyError, TypeError or ValueError for anything else."""
        if stored["format"] != FORMAT:
            message = f"format {stored['format']!r}, this version reads {FORMAT}"
            raise ValueError(message)
        if not isinstance(stored["suite"], str) or not isinstance(stored["run"], Mapping):
            message = "expected a text as suite and an object as run"
            raise TypeError(message)
        parts = set(stored["parts"])
        return cls(
            suite=stored["suite"],
            run=stored["run"],
            figures={name: _figures(stored[name]) for name in stored if name not in META | parts},
            parts={name: stored[name] for name in sorted(parts)},
            queries=PerQuery.from_dict(stored["queries"]),
            notes=tuple(stored["notes"]),
        )

    def write(self, path: Path) -> None:
        """One JSON file, whole or not at all."""
        text = json.dumps(self.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(path)


def read_findings(path: Path) -> Findings:
    """The findings of a file.

    Raises:
        DataError: it cannot be read, or is no file of findings.
    """
    try:
        return Findings.from_dict(json.loads(path.read_bytes()))
    except OSError as error:
        raise DataError([f"{path}: cannot be read ({error.strerror})"]) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError([f"{path}: not written by 'orchestrator eval SUITE --json FILE' ({reason})"]) from error


def flat(figures: Figures, prefix: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure with its dotted name, in order."""
    for name, found in figures.items():
        if isinstance(found, Figure):
            yield f"{prefix}{name}", found
        else:
            yield from flat(found, f"{prefix}{name}.")


def nested(figures: Mapping[tuple[str, ...], Figure]) -> Figures:
    """Figures under their names as parts, which may hold dots, as a tree."""
    tree: dict[str, Any] = {}
    for path, figure in figures.items():
        inner = tree
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = figure
    return tree


def _plain(figures: Figures) -> dict[str, Any]:
    return {name: found.as_dict() if isinstance(found, Figure) else _plain(found) for name, found in figures.items()}


def _figures(stored: Mapping[str, Any]) -> Figure | Figures:
    if set(stored) == {"value", "ci95", "n"}:
        return Figure.from_dict(stored)
    return {name: _figures(found) for name, found in stored.items()}


def _short(value: float) -> float | int | None:
    if np.isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(f"{value:.9g}")  # digits, not decimals: costs are small
