"""MetaTool: requests made up for the plugins of a chat assistant, each with the one or the two that serve it.

Source: HowieHwong/MetaTool @ 35e81bb7, folder `dataset`. Licence: MIT.
Layout here: `plugin_des.json` {tool: description}, `all_clean_data.csv` (plain or gzip) with columns Query, Tool, and
`multi_tool_query_golden.json`, a list of {query, tool: [names]}. In the original the last two lie in `data` below;
read too. A file of queries may be named alone: the descriptions are sought beside it and above it.
Traps:
- Rows have no ids: they are numbered within their file, whose name is the split.
- 64 rows repeat the request of another, 13 of them with another tool: kept and noted; split by the text.
- All records choose from the same 199 tools, so these stand once, as the catalogue. They have no parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset
from eval.datasets.entries import json_entries
from eval.datasets.lines import Row, csv_rows, files_of, json_list, stem_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record, ToolSpec

__all__ = ["read"]

DESCRIPTIONS = "plugin_des.json"
QUERIES = ("all_clean_data.csv", "multi_tool_query_golden.json")


def read(path: Path) -> Dataset:
    """The folder, or one of its files of queries; raises DataError."""
    problems = Problems()
    files = files_of(path, *(f"{below}{name}{gz}" for name in QUERIES for below in ("", "data/") for gz in ("", ".gz")))
    tools = _tools(path, problems)
    records: list[Record] = []
    for file in files:
        for index, (row, query, names) in enumerate(_rows(file, problems)):
            with problems.at(row.place):
                records.append(
                    Record(
                        id=f"{stem_of(file)}-{index}",
                        query=query,
                        right_tools=_known(names, tools),
                        split=stem_of(file),
                        source=row.place,
                    )
                )
    return replace(assemble(str(path), records, problems), catalogue=tuple(tools.values()))


def _tools(path: Path, problems: Problems) -> dict[str, ToolSpec]:
    folder = path.parent if path.is_file() else path
    above = folder.parent if folder.name == "data" else folder
    file = files_of(folder if _described(folder) else above, DESCRIPTIONS, f"{DESCRIPTIONS}.gz")[0]
    tools: dict[str, ToolSpec] = {}
    for name, place, description in json_entries(file, problems):
        if isinstance(description, str):
            tools[name] = ToolSpec(name=name, description=description)
        else:
            problems.add(place, "expected a description")
    if not tools and not problems.count:
        problems.add(str(file), "holds no tool")
    return tools


def _described(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (DESCRIPTIONS, f"{DESCRIPTIONS}.gz"))


def _rows(file: Path, problems: Problems) -> Iterator[tuple[Row, str, tuple[str, ...]]]:
    """Each row with its request and the names of the tools that serve it."""
    if file.name.removesuffix(".gz").endswith(".csv"):
        for row in csv_rows(file, problems, columns=["Query", "Tool"]):
            yield row, row.text("Query"), (row.text("Tool"),)
    else:
        for row in json_list(file, problems):
            with problems.at(row.place):
                yield row, row.text("query"), row.texts("tool")


def _known(names: tuple[str, ...], tools: Mapping[str, ToolSpec]) -> tuple[str, ...]:
    if not names:
        raise Wrong("tool: is empty")
    for name in names:
        if name not in tools:
            raise Wrong(f"unknown tool {name!r}: it is not in {DESCRIPTIONS}", unknown=name, known=tools)
    return names
