"""The soak: that it takes nothing bad for good, knows growth from noise, and runs against the real service."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.soak.command import main
from eval.soak.outcomes import of_refusal, of_stream
from eval.soak.report import faults_of
from eval.soak.soaking import Plan, Soaked
from eval.soak.tally import Tally
from eval.soak.trend import Trend
from eval.soak.vitals import Vitals

DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "the server died"}}\n\n'


def chunk(text: str) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"delta": {"content": text}}]}).encode()


def tokens(*places: int, server: str = "a", tag: str = "q1") -> bytes:
    return b"".join(chunk(f"[{server}|7|{tag}|{place}/3] ") for place in places)


def test_every_token_once_and_in_order_is_whole() -> None:
    """With what servers send before and after them."""
    outcome = of_stream(chunk("") + tokens(1, 2, 3) + b'data: {"choices": []}\n\n' + DONE, tag="q1")
    assert (outcome.kind, outcome.origin and outcome.origin.server) == ("whole", "a")


@pytest.mark.parametrize("got", [(), (1,), (1, 2, 3)])
def test_a_beginning_and_one_error_is_broken(got: tuple[int, ...]) -> None:
    """The reason is the client's."""
    outcome = of_stream(chunk("") + tokens(*got) + ERROR, tag="q1")
    assert (outcome.kind, outcome.reason) == ("broken", "the server died")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        tokens(1, 2, 3),
        tokens(1, 2) + DONE,
        DONE,
        tokens(1, 2, 2, 3) + DONE,
        tokens(1, 3, 2) + DONE,
        tokens(1) + tokens(2, 3, server="b") + DONE,
        tokens(1, 2, 3, tag="q2") + DONE,
        tokens(1, 2, 3) + DONE + DONE,
        tokens(1, 2, 3) + DONE + tokens(1, 2, 3),
        tokens(1) + ERROR + DONE,
        tokens(1) + ERROR + ERROR,
        tokens(1) + ERROR + tokens(2),
        tokens(1, 2, 2) + ERROR,
        tokens(1) + b'data: {"error": {"message": ""}}\n\n',
        tokens(1, 2, 3) + DONE[:-1],
        tokens(1) + b"data: {\n\n" + DONE,
        tokens(1) + b"data: {}\n\n" + DONE,
        b"<html></html>\n\n",
    ],
    ids=range(19),
)
def test_whatever_else_comes_is_bad(body: bytes) -> None:
    """Lost, doubled, moved, mixed up, another's, without its end, with two, with an error that says nothing."""
    outcome = of_stream(body, tag="q1")
    assert outcome.kind == "bad"
    assert outcome.reason


def test_a_refusal_has_to_say_why() -> None:
    """In OpenAI's form."""
    told = of_refusal(503, b'{"error": {"message": "all servers are dead"}}')
    assert (told.kind, told.status, told.reason) == ("refused", 503, "all servers are dead")
    for body in (b"", b"Bad gateway", b"[]", b'{"error": {}}', b'{"error": {"message": ""}}'):
        assert of_refusal(502, body).kind == "bad"


def series(slope: float, *, noise: float, seed: int = 0, memory: float = 0.0) -> list[tuple[float, float]]:
    """20 minutes of samples, one a second; each has something of the one before."""
    chance, left, samples = random.Random(seed), 0.0, []  # noqa: S311 - noise for a test
    for second in range(1200):
        left = memory * left + chance.gauss(0, noise)
        samples.append((float(second), 300 + slope * second / 60 + left))
    return samples


def test_a_line_is_found_with_its_error() -> None:
    """Half a unit a minute, under noise."""
    trend = Trend.of(series(0.5, noise=3))
    assert abs(trend.slope - 0.5) < 3 * trend.error < 0.2
    assert trend.grows(more_than=3)
    assert not trend.grows(more_than=30)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_growth(seed: int) -> None:
    """Also where neighbours are alike, as memory is."""
    assert not Trend.of(series(0.0, noise=2, seed=seed, memory=0.9)).grows(more_than=3)


def test_a_line_needs_samples() -> None:
    """Two make a line without an error."""
    with pytest.raises(ValueError, match="too few"):
        Trend.of([(0, 1), (1, 1)])


def soaked(tally: Tally, memory: Sequence[tuple[float, float]]) -> Soaked:
    vitals = Vitals(1, rss_mib=[*memory], sockets=series(0.0, noise=1))
    return Soaked(Plan(seconds=1200, warm_up_s=0), tally=tally, vitals=vitals)


def test_a_soak_fails_for_what_was_bad_and_for_what_grows() -> None:
    """And for nothing else: errors that were told are what was promised."""
    flat = series(0.0, noise=2)
    assert faults_of(soaked(Tally(whole=9, broken=3), flat)) == []
    assert faults_of(soaked(Tally(whole=9, bad=1), flat)) == ["1 bad outcomes"]
    assert faults_of(soaked(Tally(), flat)) == ["no whole answer"]
    assert faults_of(soaked(Tally(whole=9), series(1.0, noise=2))) == ["memory grows"]
    assert faults_of(soaked(Tally(whole=9), series(1.0, noise=0)[:290])) == []  # too short to be judged
    assert "soak for longer" in faults_of(soaked(Tally(whole=9), []))[0]


@pytest.mark.slow
def test_a_few_seconds_against_the_real_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Servers are killed, a fifth of the requests meets a fault, and nothing is lost; growth takes longer to see."""
    file = tmp_path / "soak.json"
    flags = ["--clients", "8", "--faults", "0.2", "--up-s", "4", "--seed", "0"]
    assert main(["--minutes", "0.07", *flags, "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures["bad_reasons"], figures["defects"]) == ([], 0)
    assert min(figures["whole"], figures["broken"], figures["kills"]) > 0
    assert figures["requests"] == figures["whole"] + figures["broken"] + sum(figures["refused"].values())
    assert "whole answers" in capsys.readouterr().out
