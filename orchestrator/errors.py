"""The errors of the service: what went wrong and whose turn it is, never an HTTP status.

    OrchestratorError
    ├── ConfigError              the configuration; one or more problems, each with its place
    ├── RequestError             the caller's mistake
    │   ├── InvalidRequest       the body is not what the API takes
    │   ├── UnknownModel         no expert and no alias of that name
    │   ├── UnknownDecision      no decision of that id is kept
    │   ├── FeedbackOff          the configuration does not keep feedback
    │   ├── RequestTooLarge      more bytes than `serve.max_body_bytes`
    │   ├── WrongMediaType       a body that is not JSON
    │   └── NotAuthorized        no key, or not one of ours
    ├── ExpertError              one expert did not answer; a value in the decision, not the end
    │   ├── ExpertUnavailable    nobody there: refused, died, not started
    │   │   └── ExpertSuspended  failed repeatedly and is left alone for a while: not asked
    │   ├── ExpertTimeout        there, but too slow
    │   │   └── ExpertLate       too slow for the time that this request had left
    │   ├── ExpertOverloaded     asked us to come back later
    │   ├── ExpertBusy           all its places are taken, and the queue for them is full or too slow: not asked
    │   ├── ExpertRejected       understood and refused this request
    │   ├── ExpertMisconfigured  refuses us, not this request: credentials, name of the model
    │   │   └── ExpertMissing    its server is there and does not have its model
    │   ├── ExpertFailed         broke, or answered something that is no answer
    │   │   └── ExpertDoubtful   broke while at work, and may have done what was asked: not asked twice
    │   └── ExpertCut            the stream ended before its end
    └── RunError                 the whole request failed
        ├── NoExpertLeft         every expert of the plan failed
        └── DeadlineExceeded     the request's time was used up

Each surface (REST, MCP, CLI) maps this tree once.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

__all__ = [
    "ConfigError",
    "DeadlineExceeded",
    "ExpertBusy",
    "ExpertCut",
    "ExpertDoubtful",
    "ExpertError",
    "ExpertFailed",
    "ExpertLate",
    "ExpertMisconfigured",
    "ExpertMissing",
    "ExpertOverloaded",
    "ExpertRejected",
    "ExpertSuspended",
    "ExpertTimeout",
    "ExpertUnavailable",
    "FeedbackOff",
    "InvalidRequest",
    "NoExpertLeft",
    "NotAuthorized",
    "OrchestratorError",
    "RequestError",
    "RequestTooLarge",
    "RunError",
    "UnknownBatch",
    "UnknownCategory",
    "UnknownDecision",
    "UnknownModel",
    "UnknownResponse",
    "WrongMediaType",
    "sole",
]


class OrchestratorError(Exception):
    """Anything that this service raises on purpose."""


class ConfigError(OrchestratorError):
    """The configuration cannot be used; `problems` has one printable line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class RequestError(OrchestratorError):
    """The caller's mistake: the message says what to change, `param` names the field."""

    code: ClassVar[str] = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class InvalidRequest(RequestError):
    """The body is not what the API takes."""


class UnknownModel(RequestError):
    """Neither an expert nor an alias."""

    code = "model_not_found"


class UnknownBatch(RequestError):
    """No file or batch of that name."""

    code: ClassVar[str] = "not_found"


class UnknownCategory(RequestError):
    """A request names a category that is none."""

    code: ClassVar[str] = "category_not_found"


class UnknownResponse(RequestError):
    """A response to go on from that is not kept."""

    code: ClassVar[str] = "response_not_found"


class UnknownDecision(RequestError):
    """Never made here, or so long ago that it is not kept."""

    code = "decision_not_found"


class FeedbackOff(RequestError):
    """Feedback has nowhere to go: the configuration names no file for it."""

    code = "feedback_off"


class RequestTooLarge(RequestError):
    """More bytes than the service accepts."""

    code = "request_too_large"


class WrongMediaType(RequestError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"


class NotAuthorized(RequestError):
    """No API key, or one that this service does not know."""

    code = "invalid_api_key"


class ExpertError(OrchestratorError):
    """One expert did not answer.

    `retryable`: the same expert may succeed if asked again at once.
    `retry_after_s`: seconds that the expert asked to be left alone, where it said so.
    `others_well`: the expert has a server that is well and was not asked, so that this tells nothing about the whole.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self, expert: str, message: str, *, retry_after_s: float | None = None, others_well: bool = False
    ) -> None:
        super().__init__(message)
        self.expert = expert
        self.retry_after_s = retry_after_s
        self.others_well = others_well

    def passed_on(self, expert: str) -> Self:
        """The same failure as one of an expert that needed this one."""
        message = f"{self.expert!r} failed: {self}"
        return type(self)(expert, message, retry_after_s=self.retry_after_s, others_well=self.others_well)


class ExpertUnavailable(ExpertError):
    """Nobody there: the connection was refused, the process died, the model is not loaded."""

    retryable = True


class ExpertSuspended(ExpertUnavailable):
    """It failed so often that it is left alone for a while: it was not asked."""

    retryable = False


class ExpertTimeout(ExpertError):
    """There, but too slow."""


class ExpertLate(ExpertTimeout):
    """The request's own time was used up while it was asked, which may have been short: no word about the expert."""


class ExpertOverloaded(ExpertError):
    """There, but it asked to be asked later."""

    retryable = True


class ExpertBusy(ExpertError):
    """It has as much to do as the configuration lets it have, and as many wait: it was not asked."""


class ExpertRejected(ExpertError):
    """It understood this request and refused it (too long, wrong arguments)."""


class ExpertMisconfigured(ExpertError):
    """It refuses us whatever we ask: our credentials, or the name by which we call its model, are wrong."""


class ExpertMissing(ExpertMisconfigured):
    """Its server is there and does not have what we ask for: the model, the adapter, or the path."""


class ExpertFailed(ExpertError):
    """It broke, or answered with something that is no answer."""

    retryable = True


class ExpertDoubtful(ExpertFailed):
    """It broke while it worked on this request, and may have done what was asked: asking it again might do it twice."""

    retryable = False


class ExpertCut(ExpertError):
    """The stream ended before its end: what was sent is not the whole answer."""

    retryable = True


class RunError(OrchestratorError):
    """The whole request failed."""


class NoExpertLeft(RunError):
    """Every expert that the plan allows failed; `failures` has them in the order tried."""

    def __init__(self, failures: Sequence[ExpertError]) -> None:
        tried = "; ".join(f"{error.expert}: {error}" for error in failures) or "none was allowed"
        super().__init__(f"no expert could answer ({tried}); see 'orchestrator experts' or GET /v1/experts")
        self.failures = tuple(failures)


class DeadlineExceeded(RunError):
    """The request's time (`budget.deadline_s`) was used up."""

    def __init__(self, deadline_s: float, waiting_for: str) -> None:
        super().__init__(f"no answer within {deadline_s:g} s (waiting for {waiting_for})")
        self.deadline_s = deadline_s


def sole(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error in a task group's: handlers match errors, not groups. The first where there are several."""
    first = group.exceptions[0]
    return sole(first) if isinstance(first, BaseExceptionGroup) else first
