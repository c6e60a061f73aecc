"""The mapping from the error tree to HTTP is complete and says whose turn it is."""

import inspect

import pytest

from orchestrator import errors
from orchestrator.service.errors import error_body, status_of

CLASSES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.OrchestratorError)
]


def example(kind: type[errors.OrchestratorError]) -> errors.OrchestratorError:
    """An instance of any class of the tree."""
    if issubclass(kind, errors.ExpertError):
        return kind("e", "message")
    if kind is errors.NoExpertLeft:
        return errors.NoExpertLeft([])
    if kind is errors.DeadlineExceeded:
        return errors.DeadlineExceeded(1.0, "e")
    if kind is errors.ConfigError:
        return errors.ConfigError(["problem"])
    return kind("message")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_has_a_status_and_a_body(kind: type[errors.OrchestratorError]) -> None:
    """Walks the tree, so that a new class cannot be forgotten."""
    error = example(kind)
    body = error_body(error)["error"]
    assert 400 <= status_of(error) <= 599
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"]


def test_every_class_is_exported() -> None:
    """`__all__` is complete."""
    assert sorted([*(kind.__name__ for kind in CLASSES), "sole"]) == sorted(errors.__all__)


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([errors.ExpertRejected("a", "x"), errors.ExpertRejected("b", "x")], 400),
        ([errors.ExpertTimeout("a", "x")], 504),
        ([errors.ExpertRejected("a", "x"), errors.ExpertUnavailable("b", "x")], 503),
        ([], 503),
    ],
)
def test_a_run_that_failed_one_way_has_that_ways_status(failures: list[errors.ExpertError], status: int) -> None:
    """All refused: the caller's turn. Mixed: try again later."""
    assert status_of(errors.NoExpertLeft(failures)) == status
