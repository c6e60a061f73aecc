"""Likelihood consensus over a base and two adapters on one real server, through REST, held against the wire."""

import re
from typing import Any

import httpx
import numpy as np
import pytest

from orchestrator.stages.agreement.likelihood import distances
from orchestrator.stages.consensus import default_keep, nearest, peer_scores
from tests.vllm.conftest import Fleet
from tests.vllm.overhearing import Heard

PATIENCE_S = 240
SERVED = {"plain": "smollm2", "one": "first", "two": "second"}
"""By expert, the name under which the server knows it."""
ASKED = "Name a colour, and say in one sentence why you like it."


@pytest.fixture(scope="module")
def fused(fleet: Fleet) -> tuple[dict[str, Any], list[Heard]]:
    """The decision on one request for the model `fuse`, and the chats that reached the server for it."""
    before = len(fleet.overheard.chats())
    body = {"model": "fuse", "messages": [{"role": "user", "content": ASKED}], "temperature": 0, "max_tokens": 24}
    with httpx.Client(base_url=fleet.url, timeout=PATIENCE_S, trust_env=False) as client:
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        decision = client.get(f"/v1/decisions/{answer.headers['x-orchestrator-decision-id']}").json()
    chats = fleet.overheard.chats()[before:]
    assert answer.json()["choices"][0]["message"]["content"] == said(chats[-1])
    return decision, chats


def said(chat: Heard) -> str:
    text: str = chat.answered["choices"][0]["message"]["content"]
    return text


def test_every_expert_on_the_server_judges_every_draft(fused: tuple[dict[str, Any], list[Heard]]) -> None:
    """Specified (issue 7): the base and both adapters draft and score; no cell of the matrix is missing."""
    decision, _ = fused
    stage = decision["consensus"]
    assert decision["choose"]["plan"] == "fuse"
    assert (stage["measure"], stage["reason"], stage["unanimous"]) == ("likelihood", "", False)
    assert stage["experts"] == stage["judges"] == list(stage["nll"]) == list(SERVED)
    assert all(cell > 0 for row in stage["nll"].values() for cell in row)
    assert len({tuple(row) for row in stage["nll"].values()}) == len(SERVED)  # the adapters are applied


def test_what_is_kept_follows_from_the_matrix(fused: tuple[dict[str, Any], list[Heard]]) -> None:
    """Scores, kept and dissent recomputed from the likelihoods that the decision shows."""
    stage = fused[0]["consensus"]
    experts = stage["experts"]
    scores = peer_scores(distances(np.array([stage["nll"][judge] for judge in experts])))
    assert [stage["scores"][expert] for expert in experts] == pytest.approx(scores, abs=1e-5)
    kept = [experts[at] for at in nearest(scores, default_keep(len(experts)))]
    assert (stage["kept"], stage["dissent"]) == (kept, [expert for expert in experts if expert not in kept])
    assert (len(kept), len(stage["dissent"])) == (2, 1)


def test_the_verdict_reads_the_kept_drafts_and_no_other(fused: tuple[dict[str, Any], list[Heard]]) -> None:
    """Specified (issue 7): the prompt in the decision has the kept drafts alone, and is what reached the server."""
    decision, chats = fused
    drafting, verdict = chats[:-1], chats[-1]
    drafts = {draft["expert"]: draft["text"] for draft in decision["drafts"]}
    assert drafts == {expert: said(chat) for expert, name in SERVED.items() for chat in drafting if asks(chat, name)}
    stage, prompt = decision["consensus"], decision["verdict"]["prompt"]
    best_first = sorted(stage["kept"], key=stage["scores"].__getitem__)
    (word,) = set(re.findall(r"^\[(\w+) draft \d+\]$", prompt, re.MULTILINE))
    blocks = re.findall(rf"^\[{word} draft \d+\]\n(.*?)\n\[{word} end\]$", prompt, re.MULTILINE | re.DOTALL)
    assert blocks == [drafts[expert] for expert in best_first]
    assert not any(drafts[expert] in prompt for expert in stage["dissent"])
    asked = [{"role": "system", "content": prompt}, {"role": "user", "content": ASKED}]
    assert verdict.asked["messages"] == asked
    assert (decision["verdict"]["kind"], decision["verdict"]["expert"]) == ("synthesize", "plain")
    assert decision["verdict"]["saw"] == best_first


def asks(chat: Heard, model: str) -> bool:
    return bool(chat.asked["model"] == model)
