"""What the blocks of experts.yaml are made of: the class that they all are, and the types of values that recur."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = ["IDENTIFIER", "Identifier", "Origin", "Parameters", "PositiveInt", "Seconds", "Settings", "Share", "Use"]

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER, max_length=64)]
Origin = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://[^/\s?#@*]+$")]
"""Of a web page: scheme, host, and port where it is not the scheme's own; no path."""
Share = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[float, Field(gt=0)]
Parameters = dict[str, JsonValue]
PositiveInt = Annotated[int, Field(ge=1)]
Use = Literal["chat", "answer"]
"""What others want of an expert: text for a prompt of theirs, or answers to queries."""


class Settings(BaseModel):
    """Base of every block: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)
