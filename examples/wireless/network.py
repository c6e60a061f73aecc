"""A trained classifier as arrays: standardised features through a small multilayer perceptron, in numpy alone.

A file of it is .npz without pickled objects, so that reading one runs nothing. Knows no training and no channels.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

__all__ = ["Network", "UnusableNetwork", "read", "written"]

Reals: TypeAlias = npt.NDArray[np.float64]


class UnusableNetwork(Exception):
    """A file that holds no network, or another one than its card says."""


@dataclass(frozen=True, slots=True)
class Network:
    """Weights [in, out] and biases [out] of the layers, ReLU between them; labels in the order of the last layer."""

    labels: tuple[str, ...]
    features: tuple[str, ...]
    mean: Reals
    scale: Reals
    weights: tuple[Reals, ...]
    biases: tuple[Reals, ...]

    def __post_init__(self) -> None:
        widths = [len(self.features), *(len(bias) for bias in self.biases)]
        shapes = list(pairwise(widths))
        same = [weight.shape for weight in self.weights] == shapes and widths[-1] == len(self.labels)
        if not same or self.mean.shape != (widths[0],) or self.scale.shape != (widths[0],):
            raise UnusableNetwork("its arrays do not fit each other")
        if not all(np.isfinite(array).all() for array in (self.mean, self.scale, *self.weights, *self.biases)):
            raise UnusableNetwork("its arrays hold what is no number")

    def probabilities(self, rows: Reals) -> Reals:
        """[n, features] -> [n, labels], rows of sum 1."""
        hidden = np.clip((rows - self.mean) / self.scale, -8, 8)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0)
        scores = hidden @ self.weights[-1] + self.biases[-1]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def written(network: Network, path: Path) -> str:
    """Write it; the SHA-256 of the file."""
    arrays = {"labels": np.array(network.labels), "features": np.array(network.features)}
    layers = {f"weight_{place}": array for place, array in enumerate(network.weights)}
    layers |= {f"bias_{place}": array for place, array in enumerate(network.biases)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **arrays, mean=network.mean, scale=network.scale, **layers)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path, *, sha256: str) -> Network:
    """The network of a file with that checksum.

    Raises:
        UnusableNetwork: it is not that file, or holds no network.
        OSError: it cannot be read.

    """
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise UnusableNetwork(f"{path} is not the file that its card describes: train again")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            layers = sum(name.startswith("weight_") for name in arrays.files)
            return Network(
                labels=tuple(map(str, arrays["labels"])),
                features=tuple(map(str, arrays["features"])),
                mean=arrays["mean"],
                scale=arrays["scale"],
                weights=tuple(arrays[f"weight_{place}"] for place in range(layers)),
                biases=tuple(arrays[f"bias_{place}"] for place in range(layers)),
            )
    except (KeyError, ValueError, EOFError, BadZipFile) as error:
        raise UnusableNetwork(f"{path} holds no network: {error}") from error
