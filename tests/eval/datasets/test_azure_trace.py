"""Azure's traces: their traps on tiny files of our own, size and rate on the originals."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from reading import SHARED, damaged, needs_shared, problems_of, read_damaged, written

from eval.datasets.catalogue import open_dataset

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
CODE = HEADER + "2023-11-16 18:00:01.5000000,4808,10\r\n2023-11-16 18:00:01.7500010,7,0\r\n2023-11-16 18:00:03.5,1,2"
CONV = HEADER + "2024-05-10 00:00:00.009930+00:00,5,6\r\n2024-05-10 00:01:00.009930+00:00,5,6\r\n"
FILES = {"AzureLLMInferenceTrace_code.csv": CODE, "AzureLLMInferenceTrace_conv.csv": CONV}


def test_arrivals_count_from_the_first_row_of_each_trace(tmp_path: Path) -> None:
    """Traps: no text, seven decimals, a zone; two traces of one folder both begin at 0."""
    files: dict[str, str | bytes] = {**FILES, "AzureLLMInferenceTrace_conv.csv": gzip.compress(CONV.encode())}
    dataset = open_dataset(f"azure-trace:{written(tmp_path, files)}")
    assert [
        (record.id, record.split, record.arrival_s, record.input_tokens, record.output_tokens)
        for record in dataset.records
    ] == [
        ("code-0", "code", 0.0, 4808, 10),
        ("code-1", "code", 0.250001, 7, 0),
        ("code-2", "code", 2.0, 1, 2),
        ("conv-0", "conv", 0.0, 5, 6),
        ("conv-1", "conv", 60.0, 5, 6),
    ]
    assert {record.query for record in dataset.records} == {""}
    assert dataset.records[1].source == f"{tmp_path}/AzureLLMInferenceTrace_code.csv:3"
    assert dataset.notes == ()


def test_every_malformed_row_is_named(tmp_path: Path) -> None:
    """Issue 3: file and line of each, all at once."""
    rows = ("2023-11-16 18:00:02,1,1", "2023-11-16 18:00:01,1,1", "yesterday,1,1", "2023-11-16 18:00:03,1.5,1")
    more = ("2023-11-16 18:00:04,nan,1", "2023-11-16 18:00:05,1,-1", "2023-11-16 18:00:06,1", "2023-11-16 18:00:07,,1")
    path = written(tmp_path, {"a.csv": HEADER + "\n".join((*rows, *more)) + "\n"}) / "a.csv"
    assert problems_of(f"azure-trace:{path}") == [
        f"{path}:3: TIMESTAMP: earlier than that of the row before",
        f"{path}:4: TIMESTAMP: expected a date and a time, found 'yesterday'",
        f"{path}:5: ContextTokens: expected a number of tokens, found '1.5'",
        f"{path}:6: ContextTokens: expected a number of tokens, found 'nan'",
        f"{path}:7: output_tokens: Input should be greater than or equal to 0",
        f"{path}:8: expected 3 cells, found 2",
        f"{path}:9: ContextTokens: expected a number, found ''",
    ]


def test_wrong_column_is_named(tmp_path: Path) -> None:
    """Issue 3: a wrong column is an error with its place and the column that was meant."""
    path = written(tmp_path, {"a.csv": CODE.replace("ContextTokens", "ContextToken")}) / "a.csv"
    assert problems_of(f"azure-trace:{path}") == [
        f"{path}:1: missing column 'ContextTokens' (did you mean 'ContextToken'?)"
    ]


@settings(max_examples=80, deadline=None)
@given(files=damaged(FILES))
def test_damaged_files_raise_nothing_else(files: dict[str, bytes]) -> None:
    """Ours: whatever the bytes, DataError or a data set."""
    read_damaged("azure-trace", files)


@needs_shared
@pytest.mark.parametrize(("service", "rows", "per_s"), [("code", 8819, 2.6), ("conv", 19366, 5.5)])
def test_original_has_its_published_size(service: str, rows: int, per_s: float) -> None:
    """The data's README: rows, and requests a second over one hour."""
    records = open_dataset(f"azure-trace:{SHARED}/traces/AzureLLMInferenceTrace_{service}.csv.gz").records
    assert len(records) == rows
    lasted_s = records[-1].arrival_s or 0
    assert lasted_s < 3600
    assert rows / lasted_s == pytest.approx(per_s, abs=0.06)
