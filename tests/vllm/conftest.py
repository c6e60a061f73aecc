"""Real vLLM servers on the CPU, brought up by `orchestrator up --serve` with the service in front of them.

`make test-vllm` installs vLLM and names it (ORCHESTRATOR_VLLM); without that everything here is skipped. One server
generates, with two random LoRA adapters; the other one pools, for vectors. They are stopped at the end, and nothing may
be left of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from orchestrator.experts.local.weights import prepare
from orchestrator.fleet.surroundings import cache_folder
from tests.live import free_ports, skip_without
from tests.vllm.adapters import write_adapter
from tests.vllm.overhearing import Overhearing

VLLM = os.environ.get("ORCHESTRATOR_VLLM", "")
START_S = 600
HERE = Path(__file__).parent

# One request at a time in the engine: on the CPU, vLLM 0.32 with LoRA fails when a request that wants prompt
# log-probabilities shares a step with another one.
GENERATING = ("--max-num-seqs", "1", "--enable-lora", "--max-lora-rank", "8", "--max-loras", "2")
ALIKE = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "2048")
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "auto",
    "TORCH_COMPILE_DISABLE": "1",  # else the first request for log-probabilities compiles for half a minute
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without("ORCHESTRATOR_VLLM", items, folder=HERE, reason="needs real vLLM servers: make test-vllm")


class Fleet:
    """What runs: `url` of the service, `generating` and `pooling` of the servers; `seen` of `orchestrator up`.

    overheard: what the experts `plain`, `one` and `two` asked of the generating server, and what it answered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = free_ports(4)
        self.url, self.generating, self.pooling, self._listening = (f"http://127.0.0.1:{port}" for port in ports)
        self.overheard = Overhearing(ports[3], self.generating)
        self.model = prepare("smollm2-135m", cache_folder())
        self.adapters = {name: folder / name for name in ("first", "second", "third")}
        self.seen: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        for seed, path in enumerate(self.adapters.values(), start=1):
            write_adapter(path, self.model, seed=seed)
        config = self.folder / "experts.yaml"
        config.write_text(yaml.safe_dump(self._config(), sort_keys=False))
        command = [sys.executable, "-m", "orchestrator", "up", str(config), "--serve", "--json"]
        self.overheard.start()
        with (self.folder / "up.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--logs", str(self.folder)], stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.until("base", "healthy")
        self.until("vectors", "healthy")
        self._until_served()

    def until(self, server: str, state: str, *, beyond: int = 0) -> dict[str, Any]:
        """Read on until a server has that state, in a line after the first `beyond`."""
        assert self._process is not None
        assert self._process.stdout is not None
        while True:
            for line in self.seen[beyond:]:
                if (line["server"], line["state"]) == (server, state):
                    return line
                assert line["state"] not in {"refused", "given up"}, line
            text = self._process.stdout.readline()
            assert text, f"`orchestrator up` ended: {(self.folder / 'up.log').read_text()[-2000:]}"
            self.seen.append(json.loads(text))

    def stop(self) -> list[psutil.Process]:
        """End it all; what is left of it."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(90)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self.overheard.stop()
        return psutil.wait_procs(family, timeout=30)[1]

    def _until_served(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        pytest.fail(f"the service is not ready: {(self.folder / 'up.log').read_text()[-2000:]}")

    def _config(self) -> dict[str, Any]:
        common = {"command": [VLLM, "serve"], "model": str(self.model), "start_timeout_s": START_S}
        environment = {**ENVIRONMENT, "PATH": f"{Path(VLLM).parent}{os.pathsep}{os.environ['PATH']}"}
        modules = [f"{name}={self.adapters[name]}" for name in ("first", "second")]  # the third is loaded at run time
        return {
            "version": 1,
            "general": "general",
            "categories": {
                "code": {
                    "description": "programming",
                    "examples": ["fix this traceback", "write a function that sorts a list", "what does this regex do"],
                    "experts": ["first", "base"],
                },
                "colours": {
                    "description": "colours and paint",
                    "examples": ["name a colour", "which paint suits a kitchen", "what colour is the sea"],
                    "experts": ["plain", "one", "two"],
                    "plan": "fuse",
                },
                "general": {
                    "description": "everything else",
                    "examples": ["tell me a story", "who won the cup", "what is a good name for a cat"],
                    "experts": ["base"],
                },
            },
            "experts": {
                "base": {
                    "kind": "vllm",
                    "model": "smollm2",
                    "replicas": [self.generating],
                    "score": True,
                    "first_token_timeout_s": 120,
                    "read_timeout_s": 120,
                },
                "first": {"kind": "vllm", "base": "base", "adapter": "first", "score": True},
                "second": {"kind": "vllm", "base": "base", "adapter": "second", "score": True},
                "third": {
                    "kind": "vllm",
                    "base": "base",
                    "adapter": "third",
                    "path": str(self.adapters["third"]),
                    "score": True,
                },
                "plain": {
                    "kind": "vllm",
                    "model": "smollm2",
                    "replicas": [self._listening],
                    "score": True,
                    "first_token_timeout_s": 120,
                    "read_timeout_s": 120,
                },
                "one": {"kind": "vllm", "base": "plain", "adapter": "first", "score": True},
                "two": {"kind": "vllm", "base": "plain", "adapter": "second", "score": True},
                "vectors": {
                    "kind": "vllm",
                    "model": "smollm2-vectors",
                    "runner": "pooling",
                    "replicas": [self.pooling],
                },
            },
            "fusion": {"verdict": "plain", "max_drafts": 3, "consensus": "likelihood"},
            "budget": {"deadline_s": 240},
            "serve": {"port": int(self.url.rpartition(":")[2]), "content": True},
            "launch": {
                "base": {
                    **common,
                    "args": [*ALIKE, *GENERATING, "--lora-modules", *modules],
                    "env": {**environment, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"},
                },
                "vectors": {**common, "args": list(ALIKE), "env": environment},
            },
        }


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Everything up, once for all tests here."""
    running = Fleet(tmp_path_factory.mktemp("vllm"))
    try:
        running.start()
        yield running
    finally:
        left = running.stop()
    assert left == []
