"""Configurations for the tests: one of each kind, and the smallest one to break."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.config import Loaded, load

COMPLETE = """\
version: 1
embedder: minilm                      # a packaged alias, a hub id or a path
categories:
  math:    {description: calculation and proofs, examples: [solve for x, 17% of 4310], experts: [coder, generalist]}
  code:    {description: programming and debugging, examples: [fix this traceback], experts: [coder, sql]}
  policy:  {description: questions on company policy, examples: [how many leave days], experts: [handbook]}
  weather: {description: current conditions, examples: [is it raining in Oslo], experts: [weather]}
  general: {description: everything else, experts: [generalist]}
general: general                      # where the gate sends what it does not know
experts:
  generalist:
    kind: vllm
    model: Qwen/Qwen3-8B
    replicas: [http://10.0.0.1:8000, http://10.0.0.2:8000]
    cost: {input: 0.05, output: 0.20}
    active_params_b: 8
  coder:
    kind: vllm
    model: Qwen/Qwen2.5-Coder-7B-Instruct
    replicas: [http://10.0.0.3:8000]
    api_key: "${CODER_KEY}"
    sleep: true
    weights_gb: 15.2
  sql:        {kind: vllm, base: coder, adapter: sql-lora}           # LoRA adapter on the coder's servers
  handbook:   {kind: retriever, corpus: handbook.jsonl, embedders: [minilm, bm25], top_k: 5, reader: generalist}
  weather:    {kind: mcp, server: {command: uvx, args: [mcp-weather]}, tool: get_weather, arguments_by: generalist}
  small:      {kind: local, model: smollm2-135m}                     # in this process, no GPU
routing:  {artifact: artifacts/router, alpha: 0.1, max_latency_ms: 50}
budget:   {cost_per_query: 0.002, active_params_b: 31, deadline_s: 60}
fusion:   {verdict: generalist, max_drafts: 5, consensus: likelihood}
serve:    {keys: "${ORCHESTRATOR_KEYS}", store: sqlite:///state.db}
launch:   {coder: {gpus: [0], args: [--max-model-len, "8192"]}}      # `orchestrator up` starts and supervises vLLM
"""

COMPLETE_ENVIRONMENT = {"CODER_KEY": "coder-secret", "ORCHESTRATOR_KEYS": "first-secret,second-secret"}

MINIMAL = """\
version: 1
categories:
  code: {description: programming, examples: [fix this], experts: [coder]}
  general: {description: the rest, experts: [coder]}
general: general
experts:
  coder: {kind: vllm, model: m, replicas: [http://127.0.0.1:8000]}
"""


def changed(old: str, new: str) -> str:
    """The minimal configuration with one piece replaced."""
    assert MINIMAL.count(old) == 1, old
    return MINIMAL.replace(old, new)


def loaded(text: str, environment: Mapping[str, str] | None = None) -> Loaded:
    """The text loaded as `experts.yaml` of the current folder, where there is a `handbook.jsonl`, too."""
    Path("handbook.jsonl").write_text('{"id": "leave", "title": "Leave", "text": "25 days a year"}\n', encoding="utf-8")
    Path("experts.yaml").write_text(text, encoding="utf-8")
    return load(Path("experts.yaml"), environment=environment or {})
