"""MetaTool: its traps on tiny files of our own, its size on the original."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset
from eval.datasets.record import ToolSpec

TOOLS = {"weather": "Says if it will rain.", "maps": "Finds the way.", "news": "Reads the papers."}
SINGLE = 'Query,Tool\r\n"Rain, or not?",weather\r\nWhich way?,maps\r\n"Rain, or not?",news\r\n'
MULTI = [{"query": "Which way is dry?", "tool": ["maps", "weather"]}]
FILES = {
    "plugin_des.json": json.dumps(TOOLS),
    "all_clean_data.csv": SINGLE,
    "multi_tool_query_golden.json": json.dumps(MULTI),
}


def test_rows_are_numbered_and_choose_from_one_catalogue(tmp_path: Path) -> None:
    """Traps: no ids; a request that stands twice with different tools is kept and noted."""
    dataset = open_dataset(f"metatool:{written(tmp_path, FILES)}")
    assert [(record.id, record.query, record.right_tools) for record in dataset.records] == [
        ("all_clean_data-0", "Rain, or not?", ("weather",)),
        ("all_clean_data-1", "Which way?", ("maps",)),
        ("all_clean_data-2", "Rain, or not?", ("news",)),
        ("multi_tool_query_golden-0", "Which way is dry?", ("maps", "weather")),
    ]
    assert {record.split for record in dataset.records} == {"all_clean_data", "multi_tool_query_golden"}
    assert [record.source for record in dataset.records[1::2]] == [
        f"{tmp_path}/all_clean_data.csv:3",
        f"{tmp_path}/multi_tool_query_golden.json[0]",
    ]
    assert dataset.catalogue == tuple(ToolSpec(name=name, description=text) for name, text in TOOLS.items())
    assert all(not record.tools for record in dataset.records)
    assert any("1 rows repeat" in note for note in dataset.notes)


def test_original_layout_and_single_files_are_read(tmp_path: Path) -> None:
    """Ours: there the queries lie in `data`; the descriptions are found above or beside a file."""
    original = written(
        tmp_path / "original",
        {"plugin_des.json": FILES["plugin_des.json"], "data/all_clean_data.csv": gzip.compress(SINGLE.encode())},
    )
    flat = written(tmp_path / "flat", FILES)
    assert len(open_dataset(f"metatool:{original}").records) == 3
    assert len(open_dataset(f"metatool:{original / 'data' / 'all_clean_data.csv'}").records) == 3
    (record,) = open_dataset(f"metatool:{flat / 'multi_tool_query_golden.json'}").records
    assert record.right_tools == ("maps", "weather")


def test_every_malformed_row_is_named(tmp_path: Path) -> None:
    """Issue 3: file and line of each, all at once."""
    written(
        tmp_path,
        {
            "plugin_des.json": '{"weather": "a", "maps": 7, "weather": "b"}',
            "all_clean_data.csv": "Query,Tool\na,wether\nb\n",
            "multi_tool_query_golden.json": '[{"query": "a", "tool": []}, {"query": "b", "tool": "maps"}]',
        },
    )
    single, multi = f"{tmp_path}/all_clean_data.csv", f"{tmp_path}/multi_tool_query_golden.json"
    assert problems_of(f"metatool:{tmp_path}") == [
        f"{tmp_path}/plugin_des.json[weather]: duplicate key 'weather'",
        f"{tmp_path}/plugin_des.json[maps]: expected a description",
        f"{single}:2: unknown tool 'wether': it is not in plugin_des.json (did you mean 'weather'?)",
        f"{single}:3: expected 2 cells, found 1",
        f"{multi}[0]: tool: is empty",
        f"{multi}[1]: tool: expected a list of texts, found text",
    ]


@pytest.mark.parametrize("missing", ["plugin_des.json", "all_clean_data.csv"])
def test_missing_files_are_named(tmp_path: Path, missing: str) -> None:
    """Ours: the descriptions, and queries of either kind."""
    files = {name: content for name, content in FILES.items() if name not in (missing, "multi_tool_query_golden.json")}
    assert f"{tmp_path}: holds no file {missing}" in problems_of(f"metatool:{written(tmp_path, files)}")[0]


@settings(max_examples=80, deadline=None)
@given(files=damaged(FILES))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("metatool", files)


@needs_shared
def test_original_has_its_published_size() -> None:
    """The data's README: 20,614 rows of which 64 are repeats, 199 tools, 497 queries for two tools."""
    dataset = open_dataset(f"metatool:{SHARED}/metatool")
    counts = [len(record.right_tools or ()) for record in dataset.records]
    assert (counts.count(1), counts.count(2), len(counts)) == (20614, 497, 20614 + 497)
    assert len(dataset.catalogue) == 199
    assert {name for record in dataset.records for name in record.right_tools or ()} == {
        tool.name for tool in dataset.catalogue
    }
    single = [record.query for record in dataset.records if record.split == "all_clean_data"]
    assert len(single) - len(set(single)) == 64
