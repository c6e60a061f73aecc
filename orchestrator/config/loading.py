"""A file -> `Config`, or every problem of the file at once. The order of the work on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.catalogue import expert_kinds
from orchestrator.config.conditions import condition_problems, parameter_problems
from orchestrator.config.environment import Filler
from orchestrator.config.memory import memory_problems
from orchestrator.config.notes import notes
from orchestrator.config.problems import Mark, Problem, lines
from orchestrator.config.problems import Path as Place
from orchestrator.config.references import classifier_problems, name_problems, reference_problems
from orchestrator.config.settings import Config
from orchestrator.config.source import MAX_BYTES, decoded, parse
from orchestrator.config.structure import Reader
from orchestrator.config.tree import Block, locate
from orchestrator.errors import ConfigError

__all__ = ["Loaded", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and a printable line for each key in it that has no effect in this version.

    file: as it was named. root: its tree, by which what is found out later has a place too.
    """

    config: Config
    file: str
    root: Block = field(repr=False)
    notes: tuple[str, ...] = ()

    def problem(self, path: Place, message: str) -> Problem:
        """Something about a key, or about the nearest one above it that the file has."""
        return Problem(locate(self.root, path).node.mark, path, message)


def load(path: Path, *, environment: Mapping[str, str]) -> Loaded:
    """Read, fill in, validate and cross-check a file.

    environment: what `${NAME}` stands for.

    Raises:
        ConfigError: `problems` has a line `file:line:column: path: what is wrong` for each, in the file's order.

    """
    text = _text(path)
    parsed = parse(text)
    if parsed.root is None:
        raise ConfigError(lines(parsed.problems, str(path)))
    folder = path.absolute().parent
    filler, reader = Filler(environment), Reader(expert_kinds())
    root = filler.block(parsed.root)
    outline = reader.outline(root)
    experts = reader.experts(root)
    problems = [
        *parsed.problems,
        *filler.problems,
        *reader.problems,
        *name_problems(root),
        *reference_problems(root, experts),
        *condition_problems(root, experts, folder),
        *(parameter_problems(root, outline.routing) if outline is not None else ()),
        *(memory_problems(root, outline, experts) if outline is not None else ()),
        *(classifier_problems(root, outline.routing, experts) if outline is not None else ()),
    ]
    if problems or outline is None:
        raise ConfigError(lines(problems, str(path)))
    blocks = {key: getattr(outline, key) for key in outline.model_fields_set}
    config = Config.model_validate({**blocks, "experts": experts, "folder": folder})
    return Loaded(config, str(path), root, tuple(lines(notes(config, root), str(path))))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = decoded(file.read(MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        text = Problem(Mark(), (), f"cannot be read: {reason}")
    if isinstance(text, Problem):
        raise ConfigError(lines([text], str(path)))
    return text
