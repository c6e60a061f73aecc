"""LiveMCPBench: everyday tasks for an agent, and the tools of real MCP servers that an annotator solved them with.

Source: icip-cas/LiveMCPBench @ a928e57d. Licence: Apache-2.0.
Layout here: a folder with `all_annotations.json`, a list of {task_id, Question, answers, category, file_name,
Annotator Metadata {Tools, …}}, and `tools.json` (each plain or gzip), a list of servers {name, config, tools
{server: {tools: [{name, description, inputSchema}]}}}. In the original they lie in `annotated_data` and in
`tools/LiveMCPTool`; in its release as a data set in `tasks` and in `tools`: the folder above is read too.
Traps:
- `config` holds commands that would install and start somebody's server: never looked at, in no record.
- Tools are numbered text, one "1. name" a line; "Number of tools" is not always their number and is not read.
- 5 of the 256 names are no tool of any server: such a name is left out of its task and reported as skipped. The one
  task of whose names none is left has right_tools None, not empty: it needs tools, nobody knows which.
- Most tasks end in a file or a fetched fact: 60 of 95 have no text as their answer ("") and so no gold.
- A name may belong to several servers, and nothing says whose is meant: a tool is right by its name.
- 19 tools have no description (null or empty).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Row, files_of, json_list
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record, ToolSpec

__all__ = ["read"]

TASKS, TOOLS = "all_annotations.json", "tools.json"
NUMBERED = re.compile(r"\s*[0-9]+[.)]\s*(\S+)\s*")


def read(path: Path) -> Dataset:
    """The folder, or the file of tasks with the tools beside it; raises DataError."""
    problems = Problems()
    folder = path.parent if path.is_file() else path
    catalogue = _catalogue(_file(folder, TOOLS, "tools", "tools/LiveMCPTool"), problems)
    servers = Counter(tool.name for tool in catalogue)
    records: list[Record] = []
    skipped: list[Skipped] = []
    for row in json_list(_file(path, TASKS, "tasks", "annotated_data"), problems):
        with problems.at(row.place):
            names = _names(row)
            skipped += [Skipped(row.place, f"tool {name!r} is in no server") for name in names if name not in servers]
            records.append(_record(row, names, servers))
    shared = sum(count > 1 for count in servers.values())
    notes = [f"{shared} names belong to tools of several servers: a tool is right by its name"] if shared else []
    return replace(assemble(str(path), records, problems, skipped=skipped, notes=notes), catalogue=catalogue)


def _file(path: Path, name: str, *below: str) -> Path:
    return files_of(
        path, *(f"{folder}{name}{gz}" for folder in ("", *(f"{one}/" for one in below)) for gz in ("", ".gz"))
    )[0]


def _catalogue(file: Path, problems: Problems) -> tuple[ToolSpec, ...]:
    tools: list[ToolSpec] = []
    for row in json_list(file, problems):
        with problems.at(row.place):
            servers = row.row("tools")
            for server in servers.values:
                tools += [_tool(tool) for tool in servers.row(server).rows("tools")]
    if not tools and not problems.count:
        problems.add(str(file), "holds no tool")
    return tuple(tools)


def _tool(tool: Row) -> ToolSpec:
    return ToolSpec(
        name=tool.identity("name"),
        description=tool.text_or_none("description") or "",
        parameters=dict(tool.row("inputSchema").values),
    )


def _names(row: Row) -> list[str]:
    """The tools the annotator used, each once, in the order of use."""
    lines = [line for line in row.row("Annotator Metadata").text("Tools").split("\n") if line.strip()]
    names: list[str] = []
    for line in lines:
        match = NUMBERED.fullmatch(line)
        if match is None:
            raise Wrong(f"Tools: expected a number and a name, found {line!r}")
        names.append(match[1])
    return list(dict.fromkeys(names))


def _record(row: Row, names: list[str], known: Collection[str]) -> Record:
    right = tuple(name for name in names if name in known)
    return Record(
        id=row.identity("task_id"),
        query=row.text("Question"),
        category=row.identity("category"),
        gold=row.text("answers") or None,
        right_tools=right if right or not names else None,
        source=row.place,
    )
