"""What goes wrong on the wire, as errors of the expert."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertMisconfigured,
    ExpertMissing,
    ExpertOverloaded,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.vllm.connection import (
    ConnectFailed,
    ConnectTimeout,
    Disconnected,
    HttpError,
    Malformed,
    ReadTimeout,
)
from orchestrator.experts.vllm.faults import Faults, retry_after_s

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FAULTS = Faults("writer", "http://one:8000", SecretStr("sk-secret"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ExpertFailed),
        (400, ExpertRejected),
        (401, ExpertMisconfigured),
        (403, ExpertMisconfigured),
        (404, ExpertMissing),
        (408, ExpertTimeout),
        (413, ExpertRejected),
        (422, ExpertRejected),
        (429, ExpertOverloaded),
        (500, ExpertFailed),
        (502, ExpertFailed),
        (503, ExpertUnavailable),
        (504, ExpertTimeout),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[ExpertError]) -> None:
    """Specified: whose turn it is follows from the status."""
    error = FAULTS.status(status, {}, b"{}")
    assert type(error) is kind
    assert error.expert == "writer"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "too long", "type": "BadRequestError", "param": null, "code": 400}}', "too long"),
        (b'{"error": "plain"}', "plain"),
        (b'{"object": "error", "message": "old form"}', "old form"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"<html>busy</html>", "<html>busy</html>"),
        (b"", "no message"),
    ],
)
def test_message_of_the_server_is_carried_in_whichever_form_it_came(body: bytes, message: str) -> None:
    """The server knows best why it refused."""
    assert str(FAULTS.status(400, {}, body)) == f"http://one:8000: status 400: {message}"


def test_api_key_is_in_no_error_even_when_the_server_repeats_it() -> None:
    """Keys end in logs and decisions otherwise."""
    body = b'{"error": {"message": "bad key sk-secret"}}'
    errors = [FAULTS.status(status, {}, body) for status in (400, 401, 403, 500)]
    errors.append(FAULTS.make(ExpertFailed, "Bearer sk-secret"))
    assert "sk-secret" not in "".join(f"{error!s} {error!r}" for error in errors)


def test_what_our_configuration_has_wrong_is_not_asked_again_and_says_where_to_look() -> None:
    """No request can mend our key or our name for the model, and the next one would be answered no better."""
    key = FAULTS.status(401, {}, b"{}")
    model = FAULTS.status(404, {}, b'{"error": {"message": "The model `m` does not exist."}}')
    assert (key.retryable, model.retryable) == (False, False)
    assert "credentials" in str(key)
    assert "api_key" in str(key)
    assert "The model `m` does not exist." in str(model)
    assert "check model" in str(model)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        (" 1.5 ", 1.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("9" * 400, None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    """Specified (RFC 9110, 10.2.3); what cannot be read asks for nothing."""
    assert retry_after_s(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("cause", "asking", "reading"),
    [
        (ConnectFailed("refused"), ExpertUnavailable, ExpertCut),
        (ConnectTimeout("slow"), ExpertUnavailable, ExpertCut),
        (Disconnected("closed"), ExpertUnavailable, ExpertCut),
        (ReadTimeout("slow"), ExpertTimeout, ExpertTimeout),
        (Malformed("not HTTP"), ExpertFailed, ExpertCut),
    ],
)
def test_each_fault_of_a_connection_has_its_error(
    cause: HttpError, asking: type[ExpertError], reading: type[ExpertError]
) -> None:
    """A server that cannot be reached in time is not there: another one may be asked in its place."""
    assert (type(FAULTS.asking(cause)), type(FAULTS.reading(cause))) == (asking, reading)


def test_every_fault_of_a_connection_is_mapped() -> None:
    """Ours: only `ExpertError` leaves an expert, whatever a connection may say some day."""
    novel = type("NovelError", (HttpError,), {})("new")
    assert isinstance(FAULTS.asking(novel), ExpertError)
    assert isinstance(FAULTS.reading(novel), ExpertError)
