"""Finds a reader by its name. Imports none of them before it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from eval.datasets.dataset import DataError, Dataset
from eval.datasets.problems import did_you_mean, printable

__all__ = ["READERS", "open_dataset"]

READERS: Mapping[str, str] = MappingProxyType(
    {
        name: f"eval.datasets.readers.{where}"
        for name, where in {
            "azure-trace": "azure_trace:read",
            "banking77": "banking77:read",
            "beir": "beir:read",
            "bfcl": "bfcl:read",
            "clinc": "clinc:read",
            "clinc-domains": "clinc:read_domains",
            "livemcp": "livemcp:read",
            "metatool": "metatool:read",
            "mmlu-pro": "mmlu_pro:read",
            "records": "records:read",
            "routellm": "routellm:read",
            "routerbench": "routerbench:read",
            "smart": "smart:read",
            "ulab": "ulab:read",
            "varierr": "varierr:read",
            "zeroeval": "zeroeval:read",
        }.items()
    }
)
"""By name, where its function stands: module:function, from a path to a data set."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]+")


def open_dataset(spec: str) -> Dataset:
    """Read `reader:path`, or a path of our own records.

    Its name is `spec`. Raises DataError: an unknown reader, a path that is not there, or data that cannot be used.
    """
    try:
        name, path = _parsed(spec)
        if not path.exists():
            raise DataError([f"{printable(str(path))}: no such file or folder"])
        return replace(_reader(name)(path), name=spec)
    except OSError as error:
        raise DataError([f"{printable(spec)}: {printable(error.strerror or str(error))}"]) from error


def _parsed(spec: str) -> tuple[str, Path]:
    name, colon, path = spec.partition(":")
    if name in READERS and colon and path:
        return name, Path(path)
    if name in READERS and not Path(spec).exists():
        raise DataError([f"{printable(spec)}: the reader {name!r} needs a path: {name}:PATH"])
    if colon and NAME.fullmatch(name) and not Path(spec).exists():
        known = ", ".join(sorted(READERS))
        raise DataError([f"{printable(spec)}: unknown reader {name!r}{did_you_mean(name, READERS)}; known are {known}"])
    return "records", Path(spec)


def _reader(name: str) -> Callable[[Path], Dataset]:
    module, _, function = READERS[name].partition(":")
    reader: Callable[[Path], Dataset] = getattr(import_module(module), function)
    return reader
