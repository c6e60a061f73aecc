"""Plays episodes with a policy, writes down what happened, and plays what was written again, to the byte.

A trajectory is JSON lines in one canonical form: a header (data, rules, policy, seed), then each episode's steps and a
line that sums it up. What was observed stands there as a hash, since the texts are in the data.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from eval.datasets import DataError, Dataset
from eval.datasets.problems import Problems, Wrong
from eval.environment import Action, ActionError, Environment, Observation, Rules
from eval.runs import describe

__all__ = ["Mismatch", "Policy", "Trajectory", "fixed", "random_expert", "read_lines", "replay", "run_episodes"]

FORMAT = 1
Policy: TypeAlias = Callable[[Observation, np.random.Generator], Action]
"""From what is observed to an action. The generator is the episode's own: a policy that draws, draws from it."""
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first line (from 1) that a replay does not give.

    written: None where the file ends before the run does. replayed: None where the run has ended, or goes no further
    because no action that can be taken is written.
    """

    line: int
    written: str | None
    replayed: str | None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What happened: one mapping a line."""

    lines: tuple[Mapping[str, Any], ...]

    @property
    def episodes(self) -> list[Mapping[str, Any]]:
        """The lines that sum up an episode: return, mean score, cost_usd, latency_s and steps."""
        return [line for line in self.lines if line["type"] == "episode"]

    def write(self, path: Path) -> None:
        """JSON lines; the same run gives the same bytes."""
        path.write_bytes("".join(_canonical(line) for line in self.lines).encode())


def fixed(action: Action) -> Policy:
    """Always the same expert, or the same ones fused."""
    return lambda _observation, _random: action


def random_expert(experts: Sequence[str]) -> Policy:
    """One of the experts, each as likely."""
    return lambda _observation, random: experts[int(random.integers(len(experts)))]


def run_episodes(
    datasets: Sequence[Dataset],
    rules: Rules,
    policy: Policy,
    *,
    name: str,
    episodes: int,
    seed: int,
    progress: Progress | None = None,
) -> Trajectory:
    """Play so many episodes; `name` is the policy's, for the header.

    Raises:
        DataError: data that these rules cannot be played on, or an action that cannot be taken.
    """
    environment = Environment(datasets, rules)
    header = _header(datasets, environment, policy=name, episodes=episodes, seed=seed)
    lines: list[Mapping[str, Any]] = []
    try:
        for line in _played(environment, policy, header):
            lines.append(line)
            if progress and line["type"] == "episode":
                progress("episodes", line["episode"] + 1, episodes)
    except ActionError as error:
        raise DataError([f"policy {name}: {error}"]) from error
    return Trajectory(tuple(lines))


def read_lines(path: Path) -> list[str]:
    """The lines of a file as they are, with their ends; raises DataError where it cannot be read."""
    try:
        return list(io.StringIO(path.read_bytes().decode("utf-8"), newline="\n"))
    except OSError as error:
        raise DataError([f"{path}: cannot be read ({error.strerror})"]) from error
    except UnicodeDecodeError as error:
        raise DataError([f"{path}: not utf-8"]) from error


def replay(written: Sequence[str], datasets: Sequence[Dataset]) -> Mismatch | None:
    """Take the written actions again, and compare every line; None where all are the same.

    Raises:
        DataError: the first line is no header of a trajectory, or its rules cannot be played on this data.
    """
    header = _read_header(written[0] if written else "")
    environment = Environment(datasets, header.rules)
    now = _header(datasets, environment, policy=header.policy, episodes=header.episodes, seed=header.seed)
    at = 0

    def as_written(_observation: Observation, _random: np.random.Generator) -> Action:
        if at >= len(written):
            raise ActionError("nothing is written")
        return _action(written[at])

    replayed: str | None = None
    try:
        for line in _played(environment, as_written, now):
            replayed = _canonical(line)
            if written[at : at + 1] != [replayed]:
                break
            at, replayed = at + 1, None
    except ActionError:  # no action is written there
        replayed = None
    else:
        if at == len(written) and replayed is None:
            return None
    return Mismatch(at + 1, written[at] if at < len(written) else None, replayed)


def _played(environment: Environment, policy: Policy, header: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield header
    for number in range(header["episodes"]):
        seed = _episode_seed(header["seed"], number)
        random = np.random.default_rng([seed, 1])  # apart from the environment's, which draws by the seed alone
        observation, _ = environment.reset(seed)
        steps: list[Mapping[str, Any]] = []
        over = False
        while not over:
            action = policy(observation, random)
            seen = _hash(observation)
            observation, reward, terminated, truncated, info = environment.step(action)
            over = terminated or truncated
            steps.append(
                {
                    "type": "step",
                    "episode": number,
                    "step": len(steps),
                    "observed": seen,
                    "action": list(action) if isinstance(action, tuple) else action,
                    "reward": reward,
                    "terminated": terminated,
                    "truncated": truncated,
                    **info,
                }
            )
            yield steps[-1]
        yield _summed(steps, number, seed)


def _summed(steps: Sequence[Mapping[str, Any]], number: int, seed: int) -> Mapping[str, Any]:
    latencies = [step["latency_s"] for step in steps]
    return {
        "type": "episode",
        "episode": number,
        "seed": seed,
        "steps": len(steps),
        "return": math.fsum(step["reward"] for step in steps),
        "score": math.fsum(step["score"] for step in steps) / len(steps),
        "cost_usd": steps[-1]["spent_usd"],
        "latency_s": None if None in latencies else math.fsum(latencies),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    type: Literal["trajectory"]
    format: Literal[1]
    rules: Rules
    policy: str
    episodes: int
    seed: int


def _header(
    datasets: Sequence[Dataset], environment: Environment, *, policy: str, episodes: int, seed: int
) -> Mapping[str, Any]:
    """Data goes by its hash, not its name: the same file may lie elsewhere."""
    data = [{"rows": one["rows"], "sha256": one["sha256"]} for one in describe(datasets, seed=seed)["data"]]
    rules = {**asdict(environment.rules), "experts": list(environment.experts)}
    return {
        "type": "trajectory",
        "format": FORMAT,
        "data": data,
        "rules": rules,
        "policy": policy,
        "episodes": episodes,
        "seed": seed,
    }


def _read_header(line: str) -> _Header:
    problems = Problems()
    with problems.at("line 1, the header of a trajectory"):
        try:
            stored = json.loads(line)
        except (ValueError, RecursionError):
            stored = None
        if not isinstance(stored, dict):
            raise Wrong("is no object")
        return TypeAdapter(_Header).validate_python(stored)
    problems.check()
    raise AssertionError  # what `at` takes is a problem


def _action(line: str) -> Action:
    """What is written as action; ActionError for what is none."""
    try:
        action = json.loads(line)["action"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ActionError(str(error)) from error
    if action is None or isinstance(action, str):
        return action
    if isinstance(action, list) and all(isinstance(expert, str) for expert in action):
        return tuple(action)
    raise ActionError(repr(action))


def _episode_seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{number}".encode()).digest()[:4], "big")


def _hash(observation: Observation) -> str:
    return hashlib.sha256(_canonical(observation.as_dict()).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False) + "\n"
