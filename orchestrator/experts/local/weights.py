"""Where the weights of a local model come from: a packaged alias, a folder, or a model hub.

A packaged model is a quantised GGUF file, which transformers takes most of a minute to read. It is turned once into
a folder of the usual form. The weights are stored as float32, though that is twice the size of bfloat16: it is what
the CPU computes in, so that the file is mapped into memory as it is, shared by all processes, instead of being read
and converted into memory of our own (0.6 s against 0.9 s, and 0.25 GB less at the peak).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig, modeling_gguf_pytorch_utils
from transformers.utils import logging

from routers.errors import WeightsError
from routers.weights import PACKAGED, aliases, find

__all__ = ["missing", "prepare", "quiet", "source_of"]

_WEIGHTS = (".safetensors", ".bin")


def quiet() -> None:
    """Keep transformers from drawing progress bars and printing advice on stderr, where the service's log goes."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # The reader of GGUF files draws its bar past that switch: give it the kind of bar that obeys.
    modeling_gguf_pytorch_utils.tqdm = logging.tqdm


def source_of(model: str, *, folder: Path, cache: Path) -> str:
    """What `from_pretrained` takes for a configured model; makes the folder of a packaged one at first use.

    folder: where relative paths start. cache: see `prepare`.
    """
    if model in aliases("language model"):
        return str(prepare(model, cache))
    path = folder / Path(model).expanduser()
    return str(path) if path.is_dir() else model


def missing(model: str, *, folder: Path) -> str:
    """Why a configured model cannot be loaded, as far as its files tell; empty where they say nothing against it.

    Blocking; reads no weights, but those of a packaged model, whose sha256 it verifies.
    """
    quiet()
    if model in aliases("language model"):
        try:
            find(model)
        except WeightsError as error:
            return str(error)
        return ""
    path = folder / Path(model).expanduser()
    try:
        AutoConfig.from_pretrained(str(path) if path.is_dir() else model)
    except (OSError, ValueError) as error:
        return str(error).splitlines()[0]
    if path.is_dir() and not any(file.suffix in _WEIGHTS for file in path.iterdir()):
        return f"no weights in {path}"
    return ""


def prepare(alias: str, cache: Path) -> Path:
    """The folder of a packaged model, ready for `from_pretrained`; made now if it is not there.

    cache: the service's cache folder. Several processes may prepare at once: each works in a folder of its own, and
    the first to finish wins.

    Raises:
        WeightsError: no such alias, not installed, or not the file that we know.
    """
    source = find(alias)
    target = cache / "models" / f"{alias}-{PACKAGED[alias].sha256[:12]}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _convert(source, made)
        _publish(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def _publish(made: Path, target: Path) -> None:
    """Give a finished folder its name at once and as a whole, unless another process was faster."""
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _convert(gguf: Path, folder: Path) -> None:
    quiet()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = type(quantised.config)(
        **{name: value for name, value in quantised.config.to_dict().items() if name != "quantization_config"}
    )
    # A model that was loaded from GGUF cannot be saved: an equal one, which never was, takes its weights.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(quantised.state_dict(), strict=True)
    model.generation_config = GenerationConfig.from_model_config(config)
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
