"""What must hold beyond types and names: files that are there, reserved ids, examples, who may reach the service."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path as FilePath

from orchestrator.config.problems import Path, Problem, choices, shown
from orchestrator.config.references import key_path
from orchestrator.config.settings import ExpertSettings, Routing
from orchestrator.config.tree import Block, Items, Node, Scalar, entries, find, locate, single_name, written

__all__ = ["condition_problems", "is_loopback", "parameter_problems"]

RESERVED = ("auto", "fuse")


def condition_problems(root: Block, experts: Mapping[str, ExpertSettings], folder: FilePath) -> Iterator[Problem]:
    """Everything of this module; relative paths start at `folder`."""
    yield from _reserved(root)
    yield from _without_examples(root)
    yield from _missing_files(root, experts, folder)
    yield from _exposed(root)
    yield from _unknown_classifier(root)


def parameter_problems(root: Block, routing: Routing) -> Iterator[Problem]:
    """What the classifier kind would not take, where the file chooses one or gives it parameters."""
    if not routing.parameters and "classifier" not in routing.model_fields_set:
        return
    from routers.classify.parameters import check_parameters  # noqa: PLC0415 - numpy, for those that choose a kind
    from routers.errors import TrainingError, UnknownClassifier  # noqa: PLC0415 - with it

    path = ("routing", "parameters")
    try:
        check_parameters(routing.classifier, routing.parameters)
    except TrainingError as error:
        for message in error.problems:
            yield Problem(locate(root, path).node.mark, path, message)
    except UnknownClassifier:
        return  # a problem of the key `classifier`, or of the installation, which training will tell


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a service that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reserved(root: Block) -> Iterator[Problem]:
    experts = entries(root, "experts")
    for taken in experts.keys() & RESERVED:
        message = f"{taken!r} is the name of a model of the service itself; choose another id"
        yield Problem(experts[taken].key, ("experts", taken), message)


def _without_examples(root: Block) -> Iterator[Problem]:
    """Only the category for everything else needs none: it is what is far from the others' examples."""
    categories = entries(root, "categories")
    general = {scalar.text for _, scalar in single_name(root, "general")} & categories.keys()
    if find(root, "routing", "examples") is not None or not general:
        return
    for category, entry in categories.items():
        examples = find(entry.node, "examples")
        empty = examples is None or (isinstance(examples, Items) and not examples.items)
        if empty and category not in general and isinstance(entry.node, Block):
            message = "no examples: give some here, or a file of them as routing.examples"
            yield Problem(entry.node.mark, ("categories", category), message)


def _missing_files(root: Block, experts: Mapping[str, ExpertSettings], folder: FilePath) -> Iterator[Problem]:
    needed: list[tuple[Path, str]] = [
        (path, scalar.text) for key in ("examples", "scores") for path, scalar in single_name(root, "routing", key)
    ]
    for expert, settings in experts.items():
        files = settings.files().items()
        needed += ((("experts", expert, *key_path(key)), str(file)) for key, file in files)
    yield from _not_there(root, needed, folder, what="file")
    for expert, settings in experts.items():
        places = [(("experts", expert, *key_path(key)), str(place)) for key, place in settings.places().items()]
        yield from _not_there(root, places, folder, what="file or folder")


def _not_there(root: Block, needed: list[tuple[Path, str]], folder: FilePath, *, what: str) -> Iterator[Problem]:
    there = os.path.isfile if what == "file" else os.path.exists  # those of Path raise for odd names
    for path, file in needed:
        found = locate(root, path)
        if not found.broken and not there(folder / file):
            name = shown(written(found.node) or file)
            message = f"no {what} {name} (relative paths start at the configuration's folder)"
            yield Problem(found.node.mark, found.path, message)


def _exposed(root: Block) -> Iterator[Problem]:
    if not _keyless(find(root, "serve", "keys")):
        return
    for path, scalar in single_name(root, "serve", "host"):
        if not is_loopback(scalar.text):
            message = f"without serve.keys only loopback is allowed, found {shown(scalar.written)}"
            yield Problem(scalar.mark, path, message)


def _unknown_classifier(root: Block) -> Iterator[Problem]:
    known = [entry.name for entry in entry_points(group="orchestrator.routers")]
    for path, scalar in single_name(root, "routing", "classifier"):
        if scalar.text not in known:
            message = f"unknown classifier {shown(scalar.written)}{choices(scalar.text, known)}"
            yield Problem(scalar.mark, path, message)


def _keyless(keys: Node | None) -> bool:
    if isinstance(keys, Scalar) and not keys.broken:
        return keys.null or not keys.text.replace(",", "").strip()
    return keys is None
