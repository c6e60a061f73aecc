"""What a right configuration becomes: types, text as written, variables, notes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import Config, load
from orchestrator.config.fusion import Fusion
from orchestrator.config.kinds import (
    LocalSettings,
    McpServerSettings,
    McpSettings,
    RetrieverSettings,
    VllmSettings,
)
from orchestrator.config.settings import Budget, CategorySettings, Cost, Launch, Routing, Serve
from orchestrator.errors import ConfigError
from tests.config.samples import COMPLETE, COMPLETE_ENVIRONMENT, MINIMAL, changed, loaded


def vllm(**keys: Any) -> VllmSettings:
    return VllmSettings.model_validate({"kind": "vllm", **keys})


def test_complete_example_loads_as_one_typed_value(own_folder: Path) -> None:
    """Specified: the example of the design, every kind of expert in it, becomes this value and no other."""
    config = loaded(COMPLETE, COMPLETE_ENVIRONMENT).config

    assert config == Config(
        version=1,
        embedder="minilm",
        categories={
            "math": CategorySettings(
                description="calculation and proofs",
                examples=("solve for x", "17% of 4310"),
                experts=("coder", "generalist"),
            ),
            "code": CategorySettings(
                description="programming and debugging", examples=("fix this traceback",), experts=("coder", "sql")
            ),
            "policy": CategorySettings(
                description="questions on company policy", examples=("how many leave days",), experts=("handbook",)
            ),
            "weather": CategorySettings(
                description="current conditions", examples=("is it raining in Oslo",), experts=("weather",)
            ),
            "general": CategorySettings(description="everything else", experts=("generalist",)),
        },
        general="general",
        experts={
            "generalist": vllm(
                model="Qwen/Qwen3-8B",
                replicas=("http://10.0.0.1:8000", "http://10.0.0.2:8000"),
                cost=Cost(input=0.05, output=0.2),
                active_params_b=8,
            ),
            "coder": vllm(
                model="Qwen/Qwen2.5-Coder-7B-Instruct",
                replicas=("http://10.0.0.3:8000",),
                api_key="coder-secret",
                sleep=True,
                weights_gb=15.2,
            ),
            "sql": vllm(base="coder", adapter="sql-lora"),
            "handbook": RetrieverSettings(
                corpus=Path("handbook.jsonl"), embedders=("minilm", "bm25"), top_k=5, reader="generalist"
            ),
            "weather": McpSettings(
                server=McpServerSettings(command="uvx", args=("mcp-weather",)),
                tool="get_weather",
                arguments_by="generalist",
            ),
            "small": LocalSettings(model="smollm2-135m"),
        },
        routing=Routing(artifact=Path("artifacts/router"), alpha=0.1, max_latency_ms=50),
        budget=Budget(cost_per_query=0.002, active_params_b=31, deadline_s=60),
        fusion=Fusion(verdict="generalist", max_drafts=5, consensus="likelihood"),
        serve=Serve.model_validate({"keys": "first-secret,second-secret", "store": "sqlite:///state.db"}),
        launch={"coder": Launch(gpus=(0,), args=("--max-model-len", "8192"))},
        folder=own_folder,
    )


def test_complete_example_has_no_key_without_effect() -> None:
    """Ours: keys of later versions would be read and checked, and each noted with its place."""
    assert loaded(COMPLETE, COMPLETE_ENVIRONMENT).notes == ()


def test_a_category_sets_keys_of_fusion_for_itself() -> None:
    """Specified: what it does not set is as for all, also where that is no default."""
    text = changed("examples: [fix this],", "examples: [fix this], fusion: {consensus: likelihood, max_drafts: 5},")
    config = loaded(text + "fusion: {keep: 2, max_drafts: 3}\n").config
    assert config.fusion_of("code") == Fusion(keep=2, max_drafts=5, consensus="likelihood")
    assert config.fusion_of("general") == Fusion(keep=2, max_drafts=3)


@pytest.mark.parametrize(
    "text",
    [
        changed("model: m,", "model: m, sleep: false,"),
        MINIMAL + "launch: {}\n",
        MINIMAL + "serve: {store: null}\n",
        MINIMAL + "fusion: {consensus: embedding}\n",
    ],
)
def test_key_that_changes_nothing_is_not_noted(text: str) -> None:
    """Ours: a key of a later version at its default is no news."""
    assert loaded(text).notes == ()


@pytest.mark.parametrize(
    "written",
    [
        *("17", "3.50", "1e3", "0x1F", "017", "1_000", "12:30", "2024-01-01", "17% of 4310", ".inf", "-1"),
        *("no", "No", "yes", "on", "off", "true", "False", "y", "=", "10:30:00", "+5", "5.", "1" * 5000),
    ],
)
def test_text_arrives_as_written(written: str) -> None:
    """Specified: where a text is due, no scalar becomes a number, a switch or a date on the way."""
    config = loaded(changed("[fix this]", f"[{written}]")).config

    assert config.categories["code"].examples == (written,)


def test_keys_arrive_as_written() -> None:
    """Ours: `no` and `2024` are names of categories like any other."""
    text = MINIMAL.replace("code:", "no:").replace("general:", "2024:", 1).replace("general: general", "general: 2024")

    config = loaded(text).config

    assert (list(config.categories), config.general) == (["no", "2024"], "2024")


@pytest.mark.parametrize("written", ["8000", '"8000"', "'8000'", "0x1F40", "${PORT}", '"${PORT}"', "${NONE:-8000}"])
def test_number_may_be_quoted_or_come_from_the_environment(written: str) -> None:
    """Ours: the field decides what a scalar means, quotes or not, since braces require them around variables."""
    config = loaded(MINIMAL + f"serve:\n  port: {written}\n", {"PORT": "8000"}).config

    assert config.serve.port == 8000


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", True), ("yes", True), ("On", True), ('"true"', True), ("${ON}", True), ("no", False), ("off", False)],
)
def test_switch_may_be_said_in_the_words_of_yaml(written: str, meant: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Ours: `yes` and `no` are texts, unless a switch is due."""
    text = (
        MINIMAL
        + f"  other:\n    {{kind: vllm, model: m, replicas: [http://a], active_params_b: 7, sleep: {written}}}\n"
    )
    text = text.replace("${ON}", '"${ON}"')

    settings = loaded(text, {"ON": "true"}).config.experts["other"]

    assert isinstance(settings, VllmSettings)
    assert settings.sleep is meant


def test_arguments_of_a_tool_keep_their_types() -> None:
    """Ours: where anything goes, scalars mean what YAML 1.2 says."""
    text = MINIMAL + (
        "  tool:\n    kind: mcp\n    server: {url: http://localhost/mcp}\n    tool: t\n"
        "    arguments: {n: 5, s: '5', f: 1.5, b: true, w: no, at: 12:30, on: 2024-01-01, e: ~, l: [1, a]}\n"
    )

    settings = loaded(text).config.experts["tool"]

    assert isinstance(settings, McpSettings)
    assert settings.arguments == {
        "n": 5,
        "s": "5",
        "f": 1.5,
        "b": True,
        "w": "no",
        "at": "12:30",
        "on": "2024-01-01",
        "e": None,
        "l": [1, "a"],
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a ${NAME} b", "a Ada b"),
        ("${NAME}${NAME}", "AdaAda"),
        ("${NONE:-none}", "none"),
        ("${EMPTY:-none}", "none"),
        ("${EMPTY}", ""),
        ("'${NUMBER}'", "5"),
        ("${NUMBER}", "5"),
        ("costs $$5 or $5", "costs $5 or $5"),
        ("$${NAME}", "${NAME}"),
        ("${SELF}", "${NAME}"),
        ("$NAME", "$NAME"),
    ],
)
def test_variables_are_filled_in(written: str, meant: str) -> None:
    """Ours: braces name a variable, `:-` gives a default, two dollars are one, and values are not filled in again."""
    environment = {"NAME": "Ada", "EMPTY": "", "NUMBER": "5", "SELF": "${NAME}"}

    config = loaded(MINIMAL + f"embedder: {written}\n", environment).config

    assert config.embedder == meant


def test_empty_variable_without_quotes_is_nothing() -> None:
    """Ours: `keys: ${KEYS:-}` leaves the service without keys where the variable is not set."""
    assert loaded(MINIMAL + "serve:\n  keys: ${KEYS:-}\n").config.serve.keys is None


def test_alias_stands_for_its_own_copy() -> None:
    """Ours: one anchor may serve fields of different types, and each takes the text in its own way."""
    config = loaded(MINIMAL + "embedder: &five 5\nbudget: {deadline_s: *five}\nrouting: {artifact: *five}\n").config

    assert (config.embedder, config.budget.deadline_s, config.routing.artifact) == ("5", 5.0, Path("5"))


def test_secrets_are_not_shown() -> None:
    """Specified: what the environment put into keys, headers and commands is not in the configuration's repr."""
    text = MINIMAL + (
        '  tool: {kind: mcp, tool: t, server: {command: c, args: ["${K1}"], env: {T: "${K2}"}}}\n'
        '  site: {kind: mcp, tool: t, server: {url: "http://localhost", headers: {Authorization: "${K3}"}}}\n'
        '  peer: {kind: vllm, model: m, replicas: [http://a], api_key: "${K4}"}\n'
        'serve: {keys: "${K5}", store: "${K6}"}\n'
    )

    secrets = {f"K{n}": f"s3cr3t-{n}" for n in range(1, 6)}
    shown = repr(loaded(text, secrets | {"K6": "postgresql://me:s3cr3t-6@host/name"}))

    assert "s3cr3t" not in shown


def test_file_with_a_byte_order_mark_loads() -> None:
    """Ours: editors on Windows write one."""
    Path("experts.yaml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())

    assert load(Path("experts.yaml"), environment={}).config.general == "general"


def test_relative_paths_start_at_the_folder_of_the_file(own_folder: Path) -> None:
    """Specified: not at the current folder."""
    (own_folder / "etc").mkdir()
    (own_folder / "etc" / "handbook.jsonl").touch()
    file = own_folder / "etc" / "experts.yaml"
    file.write_text(MINIMAL + "  docs: {kind: retriever, corpus: handbook.jsonl}\n", encoding="utf-8")

    config = load(Path("etc/experts.yaml"), environment={}).config

    assert config.path(Path("handbook.jsonl")) == own_folder / "etc" / "handbook.jsonl"


def test_examples_may_all_stand_in_a_file() -> None:
    """Ours: with routing.examples no category needs examples of its own."""
    text = changed(" examples: [fix this],", "") + "routing: {examples: handbook.jsonl}\n"

    assert loaded(text).config.categories["code"].examples == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    """Specified: without keys only this machine may ask."""
    assert loaded(MINIMAL + f'serve: {{host: "{host}"}}\n').config.serve.host == host


def test_any_address_is_allowed_with_keys() -> None:
    """Specified: with keys the service may be reached from elsewhere."""
    config = loaded(MINIMAL + 'serve: {host: 0.0.0.0, keys: "${KEYS}"}\n', {"KEYS": "k"}).config

    assert config.serve.host == "0.0.0.0"  # noqa: S104 - the point of the test


def test_file_that_cannot_be_read_is_one_problem(own_folder: Path) -> None:
    """Ours: a missing file, a folder and an impossible name are problems of the configuration, too."""
    problems = []
    for path in (Path("none.yaml"), own_folder, Path("a\0b")):
        with pytest.raises(ConfigError) as caught:
            load(path, environment={})
        problems += caught.value.problems

    assert problems == [
        "none.yaml:1:1: cannot be read: No such file or directory",
        f"{own_folder}:1:1: cannot be read: Is a directory",
        "a\0b:1:1: cannot be read: embedded null byte",
    ]


def test_importing_the_configuration_is_light() -> None:
    """Specified: heavy packages load when a configuration names what needs them."""
    code = "import sys, orchestrator.config; print(*{'torch', 'mcp', 'aiohttp', 'fastapi', 'numpy'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


def test_the_tool_that_runs_code_need_not_chat() -> None:
    """Ours: `judge` of `consensus: outcome` is a tool; of any other measure it has to speak."""
    tool = "  run: {kind: mcp, tool: run_python, server: {command: c}}\n"
    fusion = "fusion: {consensus: outcome, judge: run}\n"
    config = loaded(MINIMAL + tool + fusion).config
    assert (config.fusion.consensus, config.fusion.judge) == ("outcome", "run")
    with pytest.raises(ConfigError, match="cannot compare drafts"):
        loaded(MINIMAL + tool + fusion.replace("outcome", "judge"))
    with pytest.raises(ConfigError, match="needs the expert that runs their code as `judge`"):
        loaded(MINIMAL + "fusion: {consensus: outcome}\n")
