"""experts.yaml as a JSON Schema, for editors and for `orchestrator schema`. Knows no file.

It is a little stricter than the loader, which takes `17` where a text is due: an editor then asks for quotes.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchestrator.config.catalogue import expert_kinds
from orchestrator.config.settings import Config
from orchestrator.config.values import Identifier

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the whole file with every kind of expert that is installed."""
    kinds = reduce(or_, expert_kinds().values())
    experts = dict[Identifier, Annotated[kinds, Field(discriminator="kind")]]  # type: ignore[valid-type]
    field = Config.model_fields["experts"]
    whole = create_model(
        "Config", __base__=Config, experts=(experts, Field(min_length=1, description=field.description))
    )
    schema = whole.model_json_schema(schema_generator=_FileSchema)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "experts.yaml"}


class _FileSchema(GenerateJsonSchema):
    """Where the file has a number or a switch, `${NAME}` may stand for it; names that are none are refused."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Pydantic leaves keys that do not match their pattern to themselves."""
        described = super().dict_schema(schema)
        return {**described, "additionalProperties": False} if "patternProperties" in described else described

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return _or_variable(super().int_schema(schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return _or_variable(super().float_schema(schema))

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return _or_variable(super().bool_schema(schema))


def _or_variable(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]}
