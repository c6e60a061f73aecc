"""What a trained router learned from, by hash: enough to know a query again, not enough to read one.

That is what a fair comparison needs: nobody is judged by what he was taught. Knows texts and grades, no files.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from routers.errors import ArtifactError
from routers.examples import Example, same_text
from routers.mapping.graded import Grade, Graded

__all__ = ["Lessons", "line_key", "text_key"]

FORMAT: Final = 1
DIGITS = 16
"""Of each hash: among a million queries two share one with odds of 1 to 37 million."""


class Lessons(BaseModel):
    """examples: by `text_key` of each, its category. graded: by `line_key`, the `text_key` of its query or ''."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    examples: dict[str, str] = Field(default_factory=dict)
    graded: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, examples: Iterable[Example], lines: Iterable[Graded] = ()) -> Self:
        """Those of a training run."""
        graded = {line_key(line): "" if line.query is None else text_key(line.query) for line in lines}
        return cls(examples={text_key(one.query): one.category for one in examples}, graded=graded)

    def with_graded(self, lines: Iterable[Graded]) -> Self:
        """The same examples, and these graded outcomes."""
        return self.model_copy(update={"graded": self.of((), lines).graded})

    def with_more_graded(self, lines: Iterable[Graded]) -> Self:
        """The same, and these graded outcomes too."""
        return self.model_copy(update={"graded": {**self.graded, **self.of((), lines).graded}})

    @property
    def texts(self) -> frozenset[str]:
        """The `text_key` of every query that was learned from in any way."""
        return frozenset({*self.examples, *self.graded.values()} - {""})

    def as_json(self) -> bytes:
        """In one line, the same for the same lessons."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The inverse of `as_json`; raises ArtifactError for anything else."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise ArtifactError(f"what was learned from cannot be read ({error.error_count()} problems)") from error


def text_key(query: str) -> str:
    """The same for queries that are the same but for case and spacing."""
    return _hash(same_text(query))


def line_key(line: Graded) -> str:
    """The same for graded queries whose every grade is the same."""
    query = None if line.query is None else same_text(line.query)
    outcomes: Mapping[str, object] = {expert: _told(grade) for expert, grade in line.outcomes.items()}
    fused = [[one.experts, one.verdict, _told(one.grade)] for one in line.fused]
    return _hash(json.dumps([query, line.category, outcomes, *([fused] if fused else [])], sort_keys=True))


def _told(grade: Grade) -> Mapping[str, object]:
    """As it stood before answers were recorded, where none is."""
    return {name: value for name, value in asdict(grade).items() if name != "answer" or value is not None}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
