"""What a chat body says about sampling, checked. Knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["BadRequest", "Options"]

_Stop = Annotated[str, Field(min_length=1)]


class BadRequest(ValueError):
    """A request that a local model cannot follow; the message names the field."""


class _StreamOptions(BaseModel):
    include_usage: bool | None = None


class Options(BaseModel):
    """The fields of a chat body that a local model follows, as OpenAI's API has them; repetition_penalty is vLLM's.

    It ignores the rest: a model this small follows no schema and calls no tools, whoever asks.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    seed: int | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    n: Literal[1] | None = None
    stream_options: _StreamOptions | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Options:
        """Those of a body; raises BadRequest."""
        try:
            return cls.model_validate(dict(body))
        except ValidationError as error:
            objection = _fitting(error.errors(include_url=False))
            raise BadRequest(f"{objection['loc'][0]}: {objection['msg']}") from error

    @property
    def limit(self) -> int | None:
        """The most tokens of the answer, where the request says so; the newer of the two names goes first."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end the answer."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def with_usage(self) -> bool:
        """Whether a stream should end with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def _fitting(objections: Sequence[ErrorDetails]) -> ErrorDetails:
    """The one to tell: about the first wrong field, and of its forms about the one that the value comes closest to."""
    of_first = [each for each in objections if each["loc"][0] == objections[0]["loc"][0]]
    return min(of_first, key=lambda each: (each["type"].endswith("_type"), -len(each["loc"])))
