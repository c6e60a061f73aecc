"""The JSON Schema of the file: what an editor accepts is what the loader accepts."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrator.config import expert_kinds, json_schema
from tests.config.samples import COMPLETE, MINIMAL, changed


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """A validator of the whole schema."""
    return Draft202012Validator(json_schema())


def test_schema_is_one_of_the_draft_that_it_names() -> None:
    """Specified: draft 2020-12."""
    schema = json_schema()

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "text",
    [
        COMPLETE,
        MINIMAL,
        MINIMAL + 'serve: {port: "${PORT}"}\nbudget: {deadline_s: "${SECONDS:-60}", cost_per_query: null}\n',
    ],
)
def test_right_files_are_valid(validator: Draft202012Validator, text: str) -> None:
    """Specified: every kind, and variables where numbers are due."""
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        changed("model: m", "modle: m"),
        changed("kind: vllm, ", ""),
        changed("kind: vllm", "kind: vlm"),
        changed("version: 1", "version: 2"),
        changed("general: general\n", ""),
        changed("experts: [coder]}\n  general", "experts: []}\n  general"),
        MINIMAL + "serv: {}\n",
        MINIMAL + "folder: /tmp\n",
        MINIMAL + "serve: {port: 70000}\n",
        MINIMAL + "serve: {port: eighty}\n",
        MINIMAL + "  docs: {kind: retriever}\n",
        MINIMAL + "  my docs: {kind: local, model: m}\n",
    ],
)
def test_wrong_files_are_not_valid(validator: Draft202012Validator, text: str) -> None:
    """Specified: unknown and missing keys, unknown kinds, values out of range."""
    assert not validator.is_valid(yaml.safe_load(text))


def test_experts_are_told_apart_by_kind() -> None:
    """Specified: a discriminated choice among all kinds that are installed."""
    blocks = json_schema()["properties"]["experts"]["patternProperties"]
    (block,) = blocks.values()

    assert block["discriminator"]["propertyName"] == "kind"
    assert list(block["discriminator"]["mapping"]) == list(expert_kinds())
    assert len(block["oneOf"]) == len(expert_kinds())


def test_secrets_are_strings() -> None:
    """Ours: editors hide them."""
    keys = json_schema()["$defs"]["Serve"]["properties"]["keys"]

    assert {"type": "string", "format": "password", "writeOnly": True} in keys["anyOf"]


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every block that a schema describes."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_every_key_is_described_and_no_block_takes_others() -> None:
    """Specified: every field of the configuration is documented, unknown keys are errors."""
    schema = json_schema()
    described = copy.deepcopy(schema["$defs"])

    for block in objects(schema):
        assert block["additionalProperties"] is False
        for key, value in block["properties"].items():
            target = described[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            assert target.get("description"), f"{block['title']}.{key}"
