"""Conversations as coding agents send them: what is read in them, and where their steps go."""

from functools import partial
from typing import cast

import anyio
import pytest

from eval.conversations.__main__ import figures
from eval.conversations.agents import AGENTS, Called, Entry, Said
from eval.conversations.replay import _CHAT, Arm, Step, replay
from eval.conversations.scenarios import Request, drawn
from orchestrator.conversation.turns import turn_of
from routers.calibration import Calibration
from routers.classify.protocol import CategoryClassifier
from routers.examples import Example
from routers.gate import Gate
from routers.router import Router
from tests.flowing import FirstWord, config_of

CATEGORIES = {"math": ["solver"], "verse": ["poet"], "general": ["poet"]}
LOOP = (Called("Read", "a.txt", "verse verse verse"), Called("Bash", "ls", "verse"))
SCENARIO = [
    Request(text="math one two", kind="first", category="math", loop=LOOP),
    Request(text="are you sure about that?", kind="follow-up", category="math", loop=LOOP),
    Request(text="verse on the sea in spring", kind="moved", category="verse", loop=LOOP),
]
HISTORY: list[Entry] = [Said("fix the <b> tag", "Fixed."), Called("Read", "a", "x"), Said("now commit it"), *LOOP]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_latest_request_is_found_in_what_an_agent_sends(agent: str) -> None:
    """Whatever it puts around it; and an agent that goes on with it is known for one."""
    for length, (query, looping) in {
        1: ("fix the <b> tag", False),
        3: ("now commit it", False),
        5: ("now commit it", True),
    }.items():
        sent = AGENTS[agent](HISTORY[:length], "s")
        body = _CHAT[sent.path](dict(sent.body))
        turn = turn_of(body["messages"], tools=bool(body.get("tools")))
        assert (turn.query, turn.looping, turn.by_agent) == (query, looping, True)
        assert list(turn.earlier) == ["fix the <b> tag"] * (length > 1)


def replayed(arm: Arm) -> list[Step]:
    config = config_of(["solver", "poet"], categories=CATEGORIES)
    router = Router(
        classifier=cast("CategoryClassifier", FirstWord(["math", "verse"])),
        calibration=Calibration(1.0),
        gate=Gate(0.9),
        qhat=0.5,
        general="general",
    )
    return anyio.run(partial(replay, config, router, [SCENARIO], arm=arm))


def test_the_product_keeps_loops_and_moves_with_the_subject() -> None:
    """Specified: three agents' shapes; each of their steps goes where it should."""
    steps = replayed("conversation")
    assert len(steps) == 3 * 9
    assert [step for step in steps if step.expert != step.expected] == []
    shares = figures(steps, 1)
    assert {name: figure.value for name, figure in shares.items()} == dict.fromkeys(shares, 1.0)


def test_without_the_conversation_steps_go_astray() -> None:
    """The arms that are compared: results of tools look like requests, and follow-ups have no subject."""
    last = figures(replayed("last message"), 1)
    latest = figures(replayed("latest request"), 1)
    assert last["loop"].value < 1
    assert (latest["loop"].value, latest["moved"].value, latest["follow-up"].value) == (1.0, 1.0, 0.0)


def test_conversations_are_drawn_by_their_seed() -> None:
    """Three subjects of three categories, each gone on with once at most."""
    examples = [Example(f"{name} {n}", name, "") for name in ("a", "b", "c", "d") for n in range(3)]
    one, same, other = (drawn(examples, 5, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    for scenario in one:
        subjects = [request for request in scenario if request.kind != "follow-up"]
        assert len({request.category for request in subjects}) == len(subjects) == 3
