"""A batch's file is checked as a whole before anything is asked."""

import orjson
import pytest

from orchestrator.batch.lines import BadBatch, read_lines


def line(custom_id: object = "a", url: object = "/v1/chat/completions", **more: object) -> bytes:
    return orjson.dumps({"custom_id": custom_id, "url": url, "body": {"messages": []}, **more})


def test_lines_are_read_in_their_order() -> None:
    """Blank ones do not count."""
    found = read_lines([line("a"), b"\n", line("b", "/v1/embeddings", method="POST")], "x")
    assert [(one.custom_id, one.url) for one in found] == [("a", "/v1/chat/completions"), ("b", "/v1/embeddings")]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "x:1: not valid JSON"),
        (b"[]", "x:1: not a JSON object"),
        (line(3), "x:1: 'custom_id' must be a non-empty string"),
        (line(""), "x:1: 'custom_id' must be a non-empty string"),
        (line(url="/v1/files"), "x:1: 'url' must be one of /v1/chat/completions"),
        (line(method="GET"), "x:1: 'method' must be POST"),
        (line(body="text"), "x:1: 'body' must be an object"),
        (line(body={"stream": True}), "x:1: 'body.stream': answers of a batch come whole"),
        (line("a") + b"\n" + line("a"), "x:2: custom_id 'a' stands in line 1 too"),
        (b"", "x: there is no request in it"),
    ],
)
def test_what_is_no_request_is_named_by_its_line(raw: bytes, problem: str) -> None:
    """And all of them at once, twenty at most."""
    with pytest.raises(BadBatch) as caught:
        read_lines(raw.split(b"\n"), "x")
    assert caught.value.problems[0].startswith(problem)
    with pytest.raises(BadBatch) as caught:
        read_lines([b"{"] * 30, "x")
    assert len(caught.value.problems) == 20
