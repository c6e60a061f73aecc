"""Decisions of services of other versions, as the verbs with `--url` read them."""

import pytest

from orchestrator.cli.remote import decision_of
from orchestrator.config.fusion import Rule
from orchestrator.conversation.turns import turn_of
from orchestrator.decision import Chosen, Decision
from orchestrator.errors import RunError
from orchestrator.trace import Trace


def sent() -> dict[str, object]:
    """What a service sends."""
    trace = Trace(model="fuse", turn=turn_of([{"role": "user", "content": "q"}]))
    trace.chosen = Chosen(plan="fuse", experts=("a", "b"), rule=Rule(keep=2), reason="r", took_ms=0.0)
    return trace.decision().model_dump(mode="json")


def test_what_a_later_version_says_more_is_left_out() -> None:
    """Fields and keys of a rule that this one does not know."""
    found = sent()
    found["choose"]["rule"]["later"] = 1  # type: ignore[index]
    read = decision_of("http://there", found | {"news": True})
    assert isinstance(read, Decision)
    assert read.choose is not None
    assert read.choose.rule == Rule(keep=2)


def test_what_is_no_decision_is_one_clear_message() -> None:
    """With the address and the first field that is wrong, and no trace of the stack."""
    with pytest.raises(RunError, match=r"^http://there: its decision cannot be read \(total_ms\)"):
        decision_of("http://there", sent() | {"total_ms": "soon"})
