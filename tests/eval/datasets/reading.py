"""What the readers' tests share: the evaluation data, data sets written into a folder, and ways to damage them."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st

from eval.datasets.catalogue import open_dataset
from eval.datasets.dataset import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data"
"""Beside the repository; not part of it."""

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here")

TOKEN = re.compile(rb'"[^"\n]*"|[0-9.]+|null|true|false|[^\s\w]')
INSTEAD = (
    b"",
    b"null",
    b"true",
    b"7",
    b"-1",
    b"1e999",
    b'""',
    b'"x"',
    b"[]",
    b"{}",
    b"[[1]]",
    b'{"x": {"x": 1}}',
    b"\n",
)
DEEP = b"[" * 1500


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The folder with these files in it, by path."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def problems_of(spec: str) -> list[str]:
    """What is wrong with the data, nothing if they can be read; any other error fails the test."""
    try:
        open_dataset(spec)
    except DataError as error:
        return error.problems
    return []


@st.composite
def damaged(draw: st.DrawFn, files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    """The files with one of them no longer what it was: other bytes, a piece replaced, or a value of another kind."""
    whole = {name: content if isinstance(content, bytes) else content.encode() for name, content in files.items()}
    name = draw(st.sampled_from(sorted(whole)))
    content = whole[name]
    spans = [match.span() for match in TOKEN.finditer(content)]
    start, end = draw(
        st.just((0, len(content)))
        | st.sampled_from(spans or [(0, 0)])
        | st.tuples(st.integers(0, len(content)), st.integers(0, len(content))).map(lambda pair: (min(pair), max(pair)))
    )
    middle = draw(st.sampled_from((*INSTEAD, DEEP)) | st.binary(max_size=30))
    return {**whole, name: content[:start] + middle + content[end:]}


def read_damaged(reader: str, files: Mapping[str, bytes], *, inside: str = "") -> None:
    """Read them; hypothesis has no use for a folder of the test's own."""
    with TemporaryDirectory() as folder:
        written(Path(folder), files)
        problems_of(f"{reader}:{Path(folder) / inside}")
