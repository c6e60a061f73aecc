"""What a run stood on, in the order a reader asks: data, seed, settings, versions, then whatever else is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Data", "Run", "run_of"]


@dataclass(frozen=True, slots=True)
class Data:
    """One data set: rows that were used, rows that were left out, and what identifies them."""

    name: str
    rows: int
    left_out: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Run:
    """The run as text; facts: (name, value) of settings and of everything that is no data and no version."""

    data: Sequence[Data]
    facts: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]

    @property
    def rows(self) -> int:
        """Of all data sets together."""
        return sum(data.rows for data in self.data)


def run_of(run: Mapping[str, Any]) -> Run:
    """Read `Findings.run` as `eval.runs.describe` writes it; what is of another shape is shown as it is."""
    known = {"data", "settings", "versions"}
    try:
        data = [
            Data(str(row["name"]), int(row["rows"]), int(row.get("left_out", 0)), str(row.get("sha256", "")))
            for row in run.get("data", ())
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        data, known = [], known - {"data"}
    settings, versions = (_pairs(run.get(key)) for key in ("settings", "versions"))
    others = [(str(name), _text(found)) for name, found in run.items() if name not in known]
    return Run(data, [*others, *settings], versions)


def _pairs(found: Any) -> list[tuple[str, str]]:
    return [(str(name), _text(entry)) for name, entry in found.items()] if isinstance(found, Mapping) else []


def _text(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list | tuple) and all(isinstance(entry, str) for entry in found):
        return ", ".join(found)
    return json.dumps(found, ensure_ascii=False)
