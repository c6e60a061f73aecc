"""Readers are found by name; whatever a file holds, only DataError comes out."""

import json
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.datasets.catalogue import READERS, open_dataset
from eval.datasets.dataset import DataError

FILES = {
    "banking77": ["train.csv"],
    "clinc": ["data_full.json"],
    "clinc-domains": ["data_full.json", "domains.json"],
    "mmlu-pro": ["a.jsonl", "model_outputs_b.json"],
    "records": ["a.jsonl"],
    "routellm": ["mmlu_a.csv", "contaminated_prompts.jsonl"],
    "routerbench": ["a_train.csv"],
    "ulab": ["a.json"],
    "zeroeval": ["a.jsonl", "b.json"],
}
HEADERS = [
    b"",
    b"\x1f\x8b\x08",
    b"text,category\n",
    b"prompt,weak,strong\n",
    b"sample_id,prompt,eval_name,m,m|total_cost,m|model_response\n",
    b"[",
    b"{",
]
COLUMNS = [
    "id",
    "question_id",
    "query",
    "question",
    "options",
    "answer",
    "pred",
    "drafts",
    "text",
    "scores",
    "outputs",
    "output",
    "outcomes",
    "train",
    "eval_prompt",
    "category",
    "translate",
    "m",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=6),
    max_leaves=12,
)


def problems_of(spec: str) -> list[str]:
    """What is wrong with the data, nothing if they can be read."""
    try:
        open_dataset(spec)
    except DataError as error:
        return error.problems
    return []


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_can_be_loaded(name: str) -> None:
    """Ours: the catalogue names functions that are there."""
    module, _, function = READERS[name].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("name", sorted(FILES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arbitrary_bytes_raise_nothing_but_data_errors(name: str, data: st.DataObject) -> None:
    """Issue 3: a hostile file is a clear error, never a traceback."""
    arbitrary = st.builds(bytes.__add__, st.sampled_from(HEADERS), st.binary(max_size=80))
    document = JSON.map(lambda value: json.dumps(value).encode())
    contents = arbitrary | document | st.lists(document, max_size=3).map(b"\n".join)
    with TemporaryDirectory() as folder:
        for file in FILES[name]:
            Path(folder, file).write_bytes(data.draw(contents))
        for path in (folder, f"{folder}/{FILES[name][0]}"):
            assert all(line.isprintable() for line in problems_of(f"{name}:{path}"))


def test_unknown_reader_is_named_with_the_nearest_and_all_others() -> None:
    """Ours: a slip of the pen says what was meant."""
    with pytest.raises(DataError, match=r"unknown reader 'mmlupro' \(did you mean 'mmlu-pro'\?\); known are .*ulab"):
        open_dataset("mmlupro:somewhere")


@pytest.mark.parametrize(
    "spec", ["mmlu-pro:nowhere", "nowhere.jsonl", "some/where.jsonl", "a\0b", "\x1bno:\x1b", "x" * 5000, ""]
)
def test_path_that_is_not_there_is_a_data_error(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 3: a missing path is a clear error."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        open_dataset(spec)
    assert all(line.isprintable() for line in caught.value.problems)


def test_reader_without_a_path_says_so() -> None:
    """Ours: both forms of forgetting it."""
    for spec in ("mmlu-pro", "mmlu-pro:"):
        with pytest.raises(DataError, match="needs a path"):
            open_dataset(spec)


def test_plain_path_holds_our_own_records(tmp_path: Path) -> None:
    """Ours: no reader's name is needed, not even for a name with a colon; the set is called as it was asked for."""
    path = tmp_path / "odd:name.jsonl"
    path.write_text('{"id": "1", "query": "q", "source": "elsewhere"}\n')
    dataset = open_dataset(str(path))
    assert dataset.name == str(path)
    assert dataset.records[0].source == f"{path}:1"
    assert open_dataset(f"records:{path}").records == dataset.records
