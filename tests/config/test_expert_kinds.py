"""Kinds of expert that other packages bring: installed for real, as metadata and a module on the path."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config import expert_kinds, json_schema
from orchestrator.errors import ConfigError
from tests.config.samples import MINIMAL, loaded

ORACLE = '''
from pathlib import Path
from typing import ClassVar, Literal
from pydantic import Field, field_validator
from orchestrator.config.settings import ExpertSettings
from orchestrator.config.values import Settings

class Panel(Settings):
    seats: int = Field(description="how many")

class OracleSettings(ExpertSettings):
    """Asks several others."""
    implementation: ClassVar[str] = "oracle:Oracle"
    kind: Literal["oracle"] = "oracle"
    panel: tuple[str, ...] = Field(description="whom it asks")
    room: Panel | int = Field(default=3, description="where")
    book: Path | None = Field(default=None, description="what it reads")
    motto: str = Field(default="", description="what it says")

    @field_validator("motto")
    @classmethod
    def _short(cls, motto: str) -> str:
        if len(motto) > 9:
            raise ValueError(f"{motto.split()} is\\ntoo long")
        return motto

    def refers_to(self):
        return {f"panel.{n}": expert for n, expert in enumerate(self.panel)}

    def files(self):
        return {} if self.book is None else {"book": self.book}
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one module and one kind of expert."""

    def package(*, name: str = "oracle", code: str = ORACLE, kind: str = "oracle", value: str = "") -> None:
        folder = tmp_path / f"site-{name}"
        metadata = folder / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        entry = f"[orchestrator.experts]\n{kind} = {value or f'{name}:OracleSettings'}\n"
        (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return package


def test_built_in_kinds_are_found_as_plugins() -> None:
    """Specified: defaults load as strangers do."""
    assert list(expert_kinds()) == ["local", "mcp", "retriever", "vllm"]


def test_kind_of_another_package_loads_and_is_in_the_schema(install: Install) -> None:
    """Specified: a plugin needs an entry point and a class, nothing else."""
    install()

    expert = loaded(MINIMAL + "  wise: {kind: oracle, panel: [coder], room: {seats: 5}}\n").config.experts["wise"]

    assert isinstance(expert, expert_kinds()["oracle"])
    assert expert.model_dump()["room"] == {"seats": 5}
    assert "OracleSettings" in json_schema()["$defs"]


def test_problems_of_another_kind_have_their_places(install: Install) -> None:
    """Specified: references, files, unions and validators of plugins are checked like ours; secrets stay hidden."""
    install()
    text = MINIMAL + (
        "  wise: {kind: oracle, panel: [coder, codr, docs], book: none.txt}\n"
        "  loud: {kind: oracle, panel: [], room: {seat: 5}, motto: '${LONG} ${LONG}'}\n"
        "  self: {kind: oracle, panel: [coder, self]}\n"
        "  docs: {kind: retriever, corpus: handbook.jsonl, reader: wise}\n"
    )

    with pytest.raises(ConfigError) as caught:
        loaded(text, {"LONG": "s3cr3t-s3cr3t"})

    known = "(known: coder, docs, loud, self, wise"
    assert caught.value.problems == (
        f"experts.yaml:8:39: experts.wise.panel[1]: unknown expert 'codr' {known}; did you mean 'coder'?)",
        "experts.yaml:8:45: experts.wise.panel[2]: cycle: wise -> docs -> wise",
        "experts.yaml:8:58: experts.wise.book: no file 'none.txt' (relative paths start at the configuration's folder)",
        "experts.yaml:9:41: experts.loud.room: missing key 'seats'",
        "experts.yaml:9:41: experts.loud.room: expected a whole number, found a mapping",
        "experts.yaml:9:42: experts.loud.room.seat: unknown key (known: seats; did you mean 'seats'?)",
        "experts.yaml:9:59: experts.loud.motto: ['${LONG}', '${LONG}'] is too long",
        "experts.yaml:10:39: experts.self.panel[1]: cycle: self -> self",
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere", "No module named 'nowhere'"),
        ("", "module 'oracle' has no attribute 'OracleSettings'"),
        ("OracleSettings = 5", "is no subclass of ExpertSettings"),
        (ORACLE.replace('"oracle"', '"other"'), 'lacks the field: kind: Literal["oracle"] = "oracle"'),
        (ORACLE.replace("implementation:", "_implementation:"), "lacks the class variable `implementation`"),
    ],
)
def test_plugin_that_cannot_be_used_is_named(install: Install, code: str, reason: str) -> None:
    """Ours: a broken package is told apart from a broken file, and never left out in silence."""
    install(code=code)

    with pytest.raises(ConfigError) as caught:
        expert_kinds()

    assert caught.value.problems == (f"expert kind 'oracle' (oracle:OracleSettings of oracle): {reason}",)


def test_kind_that_two_packages_bring_is_refused(install: Install) -> None:
    """Ours: which of the two would win is nobody's guess."""
    install()
    install(name="second")

    with pytest.raises(ConfigError) as caught:
        expert_kinds()

    assert caught.value.problems == (
        "expert kind 'oracle' (second:OracleSettings of second): the name is taken by oracle:OracleSettings of oracle",
    )
