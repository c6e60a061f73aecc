"""The example's classifiers, trained small, and their MCP server."""

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import TextContent
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from examples.wireless.captures import stored
from examples.wireless.channel import LABELS, TASKS, Task
from examples.wireless.experts import trained_experts
from examples.wireless.features import features
from examples.wireless.network import Network, UnusableNetwork, read, written
from examples.wireless.server import expert_server
from examples.wireless.train import Drawn, card, drawn, trained

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
TOOLS: dict[Task, str] = {"line_of_sight": "line_of_sight", "doppler": "doppler_class", "fading": "fading_type"}


@pytest.fixture(scope="module")
def known() -> Drawn:
    return drawn(11, 350)


@pytest.fixture(scope="module")
def models(known: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three, of 350 channels: enough to beat the majority."""
    folder = tmp_path_factory.mktemp("models")
    held_out = drawn(12, 150)
    for task in TASKS:
        network = trained(known, task)
        made = card(network, task, known=known, held_out=held_out)
        made["sha256"] = written(network, folder / f"{task}.npz")
        (folder / f"{task}.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_each_classifier_beats_the_majority_by_a_quarter(models: Path, task: Task) -> None:
    """On channels of another seed, even where it has seen few."""
    made = json.loads((models / f"{task}.json").read_text())
    assert made["gain_over_majority"] >= 0.25
    assert sum(figure["n"] for figure in made["accuracy_by_snr_db"].values()) == made["accuracy"]["n"] == 150
    assert made["trained_on"]["seed"] != made["held_out"]["seed"]


@pytest.mark.parametrize("task", ["line_of_sight", "doppler"])
def test_a_network_says_what_scikit_learns_model_says(known: Drawn, task: Task) -> None:
    """With two labels, of which scikit-learn keeps one output, and with more."""
    network = trained(known, task)
    rows = np.clip(StandardScaler().fit_transform(known.rows), -8, 8)
    targets = [network.labels.index(label) for label in known.of(task)]
    model = MLPClassifier((64, 32), alpha=1e-3, early_stopping=True, n_iter_no_change=12, random_state=0, max_iter=120)
    assert network.probabilities(known.rows) == pytest.approx(model.fit(rows, targets).predict_proba(rows), abs=1e-6)


def test_a_file_that_was_changed_or_pickled_is_not_read(tmp_path: Path) -> None:
    """By its checksum, by its arrays, and objects are never unpickled."""
    one, two = np.ones((1, 2)), np.zeros(2)
    network = Network(("a", "b"), ("x",), np.zeros(1), np.ones(1), (one,), (two,))
    sha256 = written(network, tmp_path / "n.npz")
    assert read(tmp_path / "n.npz", sha256=sha256).labels == ("a", "b")
    with pytest.raises(UnusableNetwork, match="card"):
        read(tmp_path / "n.npz", sha256="0" * 64)
    with pytest.raises(UnusableNetwork, match="fit"):
        Network(("a", "b"), ("x", "y"), np.zeros(2), np.ones(2), (one,), (two,))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, labels=np.array([object()], dtype=object))
    with pytest.raises(UnusableNetwork, match="allow_pickle=False"):
        read(pickled, sha256=hashlib.sha256(pickled.read_bytes()).hexdigest())


def test_experts_that_are_not_trained_say_how_to(tmp_path: Path) -> None:
    """The message is the command."""
    with pytest.raises(UnusableNetwork, match=r"python -m examples\.wireless\.train"):
        trained_experts(tmp_path)


async def test_tools_return_typed_findings(models: Path) -> None:
    """Read-only, with a schema; the label is the network's, and what names no capture is refused in words."""
    experts = trained_experts(models)
    with anyio.fail_after(30):
        async with Client(expert_server(experts)) as client:
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(listed) == set(TOOLS.values())
            for task, name in TOOLS.items():
                tool = listed[name]
                assert tool.annotations is not None
                assert tool.annotations.read_only_hint is True
                assert tool.output_schema is not None
                assert tool.input_schema["required"] == ["capture"]
                result = await client.call_tool(name, {"capture": "And what of c-0042?"})
                found = result.structured_content
                assert found is not None
                assert found.keys() == tool.output_schema["properties"].keys()
                row = experts[task].network.probabilities(features(stored(42).capture)[None])[0]
                assert found["label"] == LABELS[task][int(row.argmax())]
                assert found["confidence"] == pytest.approx(row.max(), abs=1e-3)
                assert found["expert_id"] == f"wireless-{task.replace('_', '-')}"
                assert result.content == [TextContent(type="text", text=found["answer"])]
            refused = await client.call_tool("fading_type", {"capture": "no id here"})
            assert refused.is_error
            assert isinstance(refused.content[0], TextContent)
            assert "name a capture" in refused.content[0].text


async def test_the_server_speaks_on_stdin_and_stdout(models: Path) -> None:
    """As experts.yaml starts it: from the folder of the example."""
    arguments = ["-m", "examples.wireless.server", "--models", str(models)]
    folder = ROOT / "examples" / "wireless"
    parameters = StdioServerParameters(
        command=sys.executable, args=arguments, cwd=folder, env={"PYTHONPATH": "../..", "PATH": ""}
    )
    with anyio.fail_after(60):
        async with Client(parameters) as client:
            result = await client.call_tool("doppler_class", {"capture": "c-0001"})
            assert result.structured_content is not None
            assert result.structured_content["task"] == "doppler"


async def test_the_server_answers_over_http(models: Path) -> None:
    """The application that `--http` serves, over streamable HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "examples.wireless.server", "--models", str(models), "--http", str(port)]
    async with await anyio.open_process(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            with anyio.fail_after(60):
                while not await _listens(port):
                    assert process.returncode is None
                async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                    result = await client.call_tool("line_of_sight", {"capture": "c-0002"})
        finally:
            process.terminate()
    assert result.structured_content is not None
    assert result.structured_content["expert_id"] == "wireless-line-of-sight"


async def _listens(port: int) -> bool:
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        await anyio.sleep(0.05)
        return False
    await stream.aclose()
    return True
