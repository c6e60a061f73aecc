"""Engines of an embedder: the same vectors from torch and ONNX Runtime, near ones from 8-bit weights, kept graphs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from routers.embedding import Embedder
from routers.embedding.engine import Engine, embedder_of, engine_of
from routers.embedding.layered import layered, views_of
from routers.embedding.load import load_embedder
from routers.embedding.pieces import pieces_of
from routers.errors import WeightsError
from routers.weights import find

HARD = [
    "",
    "   ",
    "reset my password",
    "caf\udce9 na\u00efve r\u00e9sum\u00e9",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",
    "\u4f60\u597d\uff0c\u4e16\u754c",
    "\N{ROBOT FACE}\N{ZERO WIDTH JOINER}\N{ROBOT FACE}",
    "\x00\x01\x02 binary \x7f",
    "x" * 1_000_000,
    "word " * 400,
]
PLAIN = [f"how much is {n} times {n * n} and why does it matter to us" for n in range(40)]


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of kept graphs; each is made once in the session."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def exact(graphs: Path) -> Embedder:
    """MiniLM as a float32 graph."""
    return load_embedder("minilm", folder=Path(), engine="onnx", cache=graphs)


@pytest.fixture(scope="session")
def small(graphs: Path) -> Embedder:
    """MiniLM with 8-bit weights."""
    return load_embedder("minilm", folder=Path(), engine="auto", cache=graphs)


def test_float32_graph_gives_the_vectors_of_torch(minilm: Embedder, exact: Embedder) -> None:
    """The same to the last bits, so it goes by the same fingerprint, alone and in company, whatever the text."""
    assert exact.fingerprint == minilm.fingerprint
    np.testing.assert_allclose(exact.embed(HARD + PLAIN), minilm.embed(HARD + PLAIN), atol=2e-6)


def test_layers_of_the_graph_are_those_of_torch(minilm: Embedder, exact: Embedder) -> None:
    """The views come out of the graph with the final vector first."""
    ours, theirs = layered(exact), layered(minilm)
    assert (views_of(ours), ours.dim, ours.fingerprint) == (views_of(theirs), theirs.dim, theirs.fingerprint)
    np.testing.assert_allclose(ours.embed(HARD), theirs.embed(HARD), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(ours.embed(PLAIN), axis=1), 1, atol=1e-5)


def test_eight_bit_vectors_are_near_and_named_apart(minilm: Embedder, small: Embedder) -> None:
    """Near enough to decide by, not the same: what was trained on one is not served by the other."""
    assert small.fingerprint == f"{minilm.fingerprint}:int8"
    cosines = (small.embed(PLAIN) * minilm.embed(PLAIN)).sum(axis=1)
    assert cosines.min() > 0.98
    assert np.isfinite(small.embed(HARD)).all()


def test_eight_bit_vector_does_not_depend_on_the_company(small: Embedder) -> None:
    """Scales are found at run time, so texts must not share them: a decision would depend on who else was waiting."""
    together = layered(small).embed(PLAIN + HARD)
    alone = np.concatenate([layered(small).embed([text]) for text in PLAIN + HARD])
    np.testing.assert_array_equal(together, alone)


def test_no_texts_are_no_rows_of_a_graph(exact: Embedder, small: Embedder) -> None:
    """An empty list keeps its second dimension."""
    assert exact.embed([]).shape == (0, 384)
    assert layered(small).embed([]).shape == (0, 3 * 384)


def test_threads_share_a_graph(exact: Embedder) -> None:
    """Concurrent calls give what one gives."""
    expected = exact.embed(PLAIN)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(lambda _: exact.embed(PLAIN), range(8)):
            np.testing.assert_allclose(rows, expected, atol=1e-6)


@pytest.mark.parametrize("damage", ["truncated", "no digest"])
def test_damaged_graph_is_made_again(damage: str, exact: Embedder, graphs: Path, tmp_path: Path) -> None:
    """A process that was killed, or a full disk, leaves nothing that would be run."""
    for file in graphs.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    digests = {file.stem: file.read_text(encoding="ascii") for file in tmp_path.glob("*.sha256")}
    for graph in tmp_path.glob("*.onnx"):
        if damage == "truncated":
            graph.write_bytes(graph.read_bytes()[:5000])
        else:
            graph.with_suffix(".sha256").unlink()
    again = load_embedder("minilm", folder=Path(), engine="onnx", cache=tmp_path)
    np.testing.assert_allclose(again.embed(PLAIN[:2]), exact.embed(PLAIN[:2]), atol=1e-6)
    assert digests
    assert not list(tmp_path.glob("*.new*"))


def test_kept_graph_runs_without_torch(small: Embedder, graphs: Path) -> None:
    """What makes graphs takes seconds to import and hundreds of megabytes; a process that finds one pays neither."""
    assert small.dim == 384
    program = (
        "import sys; from pathlib import Path; from routers.embedding.load import load_embedder; "
        f"e = load_embedder('minilm', folder=Path(), engine='auto', cache=Path({str(graphs)!r})); "
        "print(e.embed(['hello']).shape, sorted({'torch', 'onnx', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "(1, 384) []\n"


@pytest.mark.parametrize(("engine", "runs"), [("auto", True), ("onnx", False), ("onnx-int8", False)])
def test_model_that_is_no_graph(engine: Engine, runs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """`auto` takes torch then; an engine that was asked for by name is not replaced in silence."""
    monkeypatch.setattr("routers.embedding.export._objection", lambda _: "it is of no kind we know")
    model = find("minilm")
    if runs:
        assert embedder_of(model, identity="x", max_tokens=64, engine=engine, cache=tmp_path).fingerprint == "x:64"
        return
    with pytest.raises(WeightsError, match="does not become a graph: it is of no kind we know"):
        embedder_of(model, identity="x", max_tokens=64, engine=engine, cache=tmp_path)


@pytest.mark.parametrize("engine", ["onnx", "auto"])
def test_place_that_holds_no_graphs_is_said(engine: Engine, tmp_path: Path) -> None:
    """A file where the folder should be: no reason for `auto` to go on with other vectors than yesterday's."""
    (tmp_path / "graphs").write_text("not a folder")
    with pytest.raises(WeightsError, match="cannot be used for graphs"):
        load_embedder("minilm", folder=Path(), engine=engine, cache=tmp_path / "graphs")


def test_engine_is_read_from_a_fingerprint(exact: Embedder, small: Embedder) -> None:
    """An artifact names its vectors, and so what gives them."""
    assert engine_of(small.fingerprint) == "onnx-int8"
    assert engine_of(layered(small).fingerprint) == "onnx-int8"
    assert engine_of(exact.fingerprint) == "torch"


def test_engines_read_the_same_pieces(minilm: Embedder, exact: Embedder, small: Embedder) -> None:
    """A static classifier learned with one engine's embedder looks up the same rows with another's."""
    found = [pieces_of(layered(one)) for one in (minilm, exact, small)]
    numbers = [list(one.numbers("Ünïcode, 17%")) for one in found if one is not None]
    assert len(numbers) == 3
    assert numbers[0] == numbers[1] == numbers[2] != []
