"""LiveMCPBench: its traps on tiny files of our own, its size on the original."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset
from eval.datasets.record import ToolSpec

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}


def task(identity: str, tools: str, answers: str = "") -> dict[str, Any]:
    return {
        "task_id": identity,
        "Question": f"Do {identity}.",
        "answers": answers,
        "category": "Office",
        "file_name": "",
        "Annotator Metadata": {"Steps": "1. do it", "Number of steps": "1", "Tools": tools, "Number of tools": "9"},
    }


def server(name: str, *tools: str) -> dict[str, Any]:
    specs = [{"name": tool, "description": None, "inputSchema": SCHEMA, "annotations": None} for tool in tools]
    return {
        "name": name,
        "config": {"mcpServers": {name: {"command": "install-and-run", "args": ["me"]}}},
        "tools": {name: {"server_name": name, "tools": specs}},
    }


TASKS = [
    task("a", "1. write\n2.  search\n3. write", answers="four"),
    task("b", "1. gone\n2. read"),
    task("c", "1. gone"),
]
SERVERS = [server("disk", "read", "write"), server("web", "search", "read")]
FILES = {"all_annotations.json": json.dumps(TASKS), "tools.json": json.dumps(SERVERS)}


def test_numbered_names_become_right_tools(tmp_path: Path) -> None:
    """Traps: names in numbered text, once each; the stated number is wrong; an empty answer is none."""
    dataset = open_dataset(f"livemcp:{written(tmp_path, FILES)}")
    first = dataset.records[0]
    assert (first.id, first.query, first.category, first.gold) == ("a", "Do a.", "Office", "four")
    assert first.right_tools == ("write", "search")
    assert first.source == f"{tmp_path}/all_annotations.json[0]"
    assert dataset.records[1].gold is None
    assert [tool.name for tool in dataset.catalogue] == ["read", "write", "search", "read"]
    assert dataset.catalogue[0] == ToolSpec(name="read", description="", parameters=SCHEMA)
    assert dataset.notes == ("1 names belong to tools of several servers: a tool is right by its name",)


def test_name_of_no_server_is_left_out_and_reported(tmp_path: Path) -> None:
    """Trap: a task of whose tools none is known is not one that needs no tool."""
    dataset = open_dataset(f"livemcp:{written(tmp_path, FILES)}")
    assert [record.right_tools for record in dataset.records[1:]] == [("read",), None]
    assert [(skipped.place, skipped.reason) for skipped in dataset.skipped] == [
        (f"{tmp_path}/all_annotations.json[1]", "tool 'gone' is in no server"),
        (f"{tmp_path}/all_annotations.json[2]", "tool 'gone' is in no server"),
    ]


def test_commands_of_servers_are_in_no_record(tmp_path: Path) -> None:
    """Trap: `config` holds commands; nothing that could be run comes out."""
    dataset = open_dataset(f"livemcp:{written(tmp_path, FILES)}")
    assert "install-and-run" not in repr(dataset)


def test_original_layouts_are_read(tmp_path: Path) -> None:
    """Ours: the repository's, the data set's, and the file of tasks by itself."""
    tasks, tools = FILES["all_annotations.json"], FILES["tools.json"]
    repository = {"annotated_data/all_annotations.json": tasks, "tools/LiveMCPTool/tools.json": tools}
    release = {"tasks/all_annotations.json": tasks, "tools/tools.json": tools}
    paths = [
        written(tmp_path / "repository", repository),
        written(tmp_path / "release", release),
        written(tmp_path / "flat", FILES) / "all_annotations.json",
    ]
    for path in paths:
        assert len(open_dataset(f"livemcp:{path}").records) == 3


def test_every_malformed_task_is_named(tmp_path: Path) -> None:
    """Issue 3: file and place of each, all at once, tools too."""
    tasks = [*TASKS, task("a", "1. read"), task("d", "read"), {"task_id": "e"}, 7]
    servers = [*SERVERS, {"name": "x", "tools": {"x": {"tools": [{"name": "y", "description": ""}]}}}]
    written(tmp_path, {"all_annotations.json": json.dumps(tasks), "tools.json": json.dumps(servers)})
    problems = problems_of(f"livemcp:{tmp_path}")
    assert [problem.removeprefix(f"{tmp_path}/") for problem in problems] == [
        "tools.json[2]: missing column 'inputSchema'",
        "all_annotations.json[4]: Tools: expected a number and a name, found 'read'",
        "all_annotations.json[5]: missing column 'Annotator Metadata'",
        "all_annotations.json[6]: expected an object, found 7",
        f"all_annotations.json[3]: duplicate id 'a': it stands already at {tmp_path}/all_annotations.json[0]",
    ]


def test_missing_tools_are_named(tmp_path: Path) -> None:
    """Ours: tasks alone have nothing to choose from."""
    written(tmp_path, {"all_annotations.json": FILES["all_annotations.json"]})
    assert problems_of(f"livemcp:{tmp_path}")[0].startswith(f"{tmp_path}: holds no file tools.json")


@settings(max_examples=80, deadline=None)
@given(files=damaged(FILES))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("livemcp", files)


@needs_shared
def test_original_has_its_published_size() -> None:
    """The data's README: 95 tasks, 527 tools, 251 of 256 names are found."""
    dataset = open_dataset(f"livemcp:{SHARED}/livemcpbench")
    assert (len(dataset.records), len(dataset.catalogue)) == (95, 527)
    assert sum(len(record.right_tools or ()) for record in dataset.records) == 251
    assert len(dataset.skipped) == 256 - 251
    assert sum(record.right_tools is None for record in dataset.records) == 1
    assert sum(not tool.description for tool in dataset.catalogue) == 19
