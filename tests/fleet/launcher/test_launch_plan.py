"""Which servers a configuration wants started, and how."""

from typing import Any

import pytest

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ConfigError
from orchestrator.fleet.launcher.plan import plans_of


def configured(launch: dict[str, Any], **experts: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": list(experts)}},
            "general": "general",
            "experts": {
                name: VllmSettings.model_validate({"kind": "vllm", **block}) for name, block in experts.items()
            },
            "launch": launch,
        }
    )


CODER = {"model": "org/coder", "replicas": ["http://127.0.0.1:8001", "http://127.0.0.1:8002"]}


def test_each_replica_is_a_server_with_its_share_of_the_accelerators() -> None:
    """Specified: a launch block of an expert with two replicas starts two servers."""
    plans = plans_of(configured({"coder": {"gpus": [0, 1, 2, 3], "args": ["--max-model-len", "8192"]}}, coder=CODER))
    assert [plan.name for plan in plans] == ["coder-0", "coder-1"]
    assert [plan.environment["CUDA_VISIBLE_DEVICES"] for plan in plans] == ["0,1", "2,3"]
    assert plans[1].command == (
        *("vllm", "serve", "org/coder", "--served-model-name", "org/coder", "--host", "127.0.0.1", "--port", "8002"),
        *("--tensor-parallel-size", "2", "--max-model-len", "8192"),
    )


def test_a_key_goes_into_the_environment_and_not_into_the_command() -> None:
    """Everybody on a machine can read command lines."""
    coder = {"model": "m", "replicas": ["http://127.0.0.1:8001"], "api_key": "sk-secret"}
    (plan,) = plans_of(configured({"coder": {}}, coder=coder))
    assert plan.environment["VLLM_API_KEY"] == "sk-secret"
    assert "sk-secret" not in repr(plan)


def test_what_experts_need_of_their_servers_is_switched_on() -> None:
    """Sleep wants the development paths, adapters want LoRA and leave to load them."""
    coder = {"model": "m", "replicas": ["http://127.0.0.1:8001"], "sleep": True, "weights_gb": 2}
    (plan,) = plans_of(
        configured({"coder": {"model": "/models/m"}}, coder=coder, sql={"base": "coder", "adapter": "sql"})
    )
    assert plan.command[2] == "/models/m"
    assert {"--enable-sleep-mode", "--enable-lora"} <= set(plan.command)
    assert plan.environment == {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}


@pytest.mark.parametrize(
    ("launch", "replicas", "place"),
    [
        ({"coder": {}}, ["http://192.0.2.1:8001"], "experts.coder.replicas[0]"),
        ({"coder": {}}, ["https://127.0.0.1:8001"], "experts.coder.replicas[0]"),
        ({"coder": {"gpus": [0, 1, 2]}}, CODER["replicas"], "launch.coder.gpus"),
        ({}, CODER["replicas"], "launch"),
        ({"coder": {}, "other": {}}, ["http://127.0.0.1:8009"], "experts.other.replicas"),
    ],
)
def test_what_cannot_be_started_here_is_refused_with_its_place(
    launch: dict[str, Any], replicas: list[str], place: str
) -> None:
    """Another machine, TLS, an uneven share, nothing at all, one port twice."""
    config = configured(
        launch,
        coder={"model": "m", "replicas": replicas},
        other={"model": "m", "replicas": ["http://127.0.0.1:8009"]},
    )
    with pytest.raises(ConfigError) as caught:
        plans_of(config)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [place]
