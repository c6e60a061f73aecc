"""From the name of an embedder in the configuration to the embedder. Light to import; loading is what is heavy."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from routers.embedding.engine import Engine, embedder_of
from routers.embedding.protocol import Embedder
from routers.errors import WeightsError
from routers.importing import load_name
from routers.weights import PACKAGED, aliases, file_sha256, find

__all__ = ["load_embedder"]

MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")
"""Weights, configuration and vocabulary: what shapes the vectors."""

OTHER_ENGINES = frozenset({"onnx", "openvino"})
"""Folders that hold the same model made for an engine by others; we make our own, of the weights we know."""


def load_embedder(
    name: str, *, folder: Path, max_tokens: int = 256, engine: Engine = "torch", cache: Path | None = None
) -> Embedder:
    """The embedder of that name: a packaged alias, else a path that exists, else a hub id.

    folder: where relative paths start. max_tokens: where longer texts are cut. engine, cache: see
    `routers.embedding.engine`.

    Raises:
        WeightsError: there is no such model, its weights are not the ones we know, or the engine cannot run it.
    """
    path = folder / Path(name).expanduser()
    if name in aliases("embedder"):
        model, identity = find(name), f"{name}:{PACKAGED[name].sha256[:16]}"
    elif path.exists():
        model, identity = path, _identity(path)
    elif name.startswith((".", "/", "~")):
        raise WeightsError(f"there is no model at {path}; {_choices()}")
    else:
        model = _downloaded(name)
        identity = _identity(model)
    return embedder_of(model, identity=identity, max_tokens=max_tokens, engine=engine, cache=cache)


def _downloaded(name: str) -> Path:
    try:
        model: Path = load_name("routers.embedding.hub:download")(name, patterns=MODEL_FILES)
    except ImportError as error:
        raise WeightsError(
            f"models of a hub need its client ({error}); run 'pip install expert-orchestrator[embed]'"
        ) from error
    except WeightsError as error:
        raise WeightsError(f"{error}; {_choices()}") from error
    return model


def _choices() -> str:
    return f"an embedder is one of {', '.join(aliases('embedder'))}, the path of a folder, or a hub id"


def _identity(model: Path) -> str:
    """Names a model by what shapes its vectors, wherever it lies: a digest over names and contents."""
    if not any((model / name).is_file() for name in ("modules.json", "config.json")):
        raise WeightsError(f"{model} is not a folder with a model; {_choices()}")
    digest = hashlib.sha256()
    for file in _model_files(model):
        digest.update(f"{file.relative_to(model).as_posix()}\0{file_sha256(file)}\n".encode())
    return f"sha256:{digest.hexdigest()[:16]}"


def _model_files(model: Path) -> Iterator[Path]:
    files = {file for pattern in MODEL_FILES for file in model.rglob(pattern) if file.is_file()}
    return (file for file in sorted(files) if not OTHER_ENGINES.intersection(file.relative_to(model).parts))
