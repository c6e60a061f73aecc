"""The evaluation environment: episodes by a seed, rewards by the rules, and trajectories that replay to the byte."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.datasets import DataError, Dataset, Draft, Outcome, Record
from eval.environment import Action, ActionError, Environment, Observation, Rules
from eval.findings import Findings, flat
from eval.suites.episodes import judge_episodes
from eval.trajectory import Trajectory, fixed, random_expert, read_lines, replay, run_episodes

ROWS = 12
STRONG = Outcome(score=1.0, cost_usd=0.01, latency_s=2.0)
WEAK = Outcome(score=0.25, cost_usd=0.001, latency_s=0.5)


def dataset(**fields: Any) -> Dataset:
    """Every query is answered rightly by `strong` and a quarter rightly by `weak`."""
    records = tuple(
        Record(
            **{
                "id": f"q{n}",
                "query": f"query {n}",
                "category": "even" if n % 2 == 0 else "odd",
                "outcomes": {"strong": STRONG, "weak": WEAK},
                "source": f"own:{n + 1}",
                **fields,
            }
        )
        for n in range(ROWS)
    )
    return Dataset(name="own", records=records)


def environment(data: Dataset | None = None, **rules: Any) -> Environment:
    return Environment([data or dataset()], Rules(**{"length": 3, **rules}))


def played(data: Dataset | None = None, *, policy: Any = None, seed: int = 0, **rules: Any) -> Trajectory:
    chooses = policy or random_expert(["strong", "weak"])
    return run_episodes([data or dataset()], Rules(**{"length": 3, **rules}), chooses, name="p", episodes=4, seed=seed)


def test_an_episode_is_reset_and_stepped_until_it_terminates() -> None:
    """The shape of gymnasium's API: observation and info; observation, reward, terminated, truncated, info."""
    world = environment()
    seen, info = world.reset(7)
    assert info == {"experts": ["strong", "weak"], "seed": 7}
    queries, ends = [seen.query], []
    for left in (3, 2, 1):
        assert seen.left == left
        seen, reward, terminated, truncated, info = world.step("strong")
        assert (reward, info["score"], info["cost_usd"], info["latency_s"]) == (1.0, 1.0, 0.01, 2.0)
        queries.append(seen.query)
        ends.append((terminated, truncated))
    assert ends == [(False, False), (False, False), (True, False)]
    assert len(set(queries)) == 4
    assert seen == Observation(query="", left=0)
    assert info["spent_usd"] == pytest.approx(0.03)


def test_the_same_seed_gives_the_same_episode_whatever_is_done() -> None:
    """So that policies meet the same queries; another seed draws others."""
    world = environment()

    def queries(seed: int, action: Action) -> list[str]:
        seen, _ = world.reset(seed)
        found = [seen.query]
        while seen.left > 1:
            seen = world.step(action)[0]
            found.append(seen.query)
        return found

    assert queries(1, "strong") == queries(1, None)
    assert queries(1, "strong") != queries(2, "strong")


def test_the_reward_is_the_score_less_lambda_times_the_cost() -> None:
    """Lambda says what a dollar is worth."""
    world = environment(cost_weight=10.0)
    world.reset(0)
    assert world.step("strong")[1] == pytest.approx(1.0 - 10 * 0.01)
    assert world.step("weak")[1] == pytest.approx(0.25 - 10 * 0.001)


def test_abstaining_scores_nothing_and_costs_nothing() -> None:
    """It is still a step."""
    world = environment(cost_weight=10.0)
    world.reset(0)
    seen, reward, _, _, info = world.step(None)
    assert (reward, info["cost_usd"], info["latency_s"], seen.left) == (0.0, 0.0, 0.0, 2)


def test_an_episode_is_truncated_when_its_budget_is_used_up() -> None:
    """The step that uses it up counts; what remains is observed."""
    world = environment(budget_usd=0.015)
    seen, _ = world.reset(0)
    assert seen.remaining_usd == 0.015
    seen, _, terminated, truncated, _ = world.step("strong")
    assert (terminated, truncated) == (False, False)
    assert seen.remaining_usd == pytest.approx(0.005)
    seen, _, terminated, truncated, _ = world.step("strong")
    assert (terminated, truncated, seen.remaining_usd, seen.left) == (False, True, 0.0, 0)
    with pytest.raises(RuntimeError, match="call reset"):
        world.step("weak")


def test_the_category_is_observed_only_where_the_rules_show_it() -> None:
    """A policy that sees the truth is another one."""
    assert environment().reset(0)[0].category is None
    assert environment(show_category=True).reset(0)[0].category in {"even", "odd"}


def drafts(**answers: str | None) -> dict[str, Draft]:
    return {expert: Draft(answer=answer) for expert, answer in answers.items()}


def test_fusing_gives_the_answer_of_the_majority_at_the_cost_of_all() -> None:
    """The score is that of those who gave the answer; the slowest is waited for."""
    outcomes = {"strong": STRONG, "weak": WEAK, "poor": replace_score(WEAK, 0.0), "worse": replace_score(WEAK, 0.0)}
    data = dataset(outcomes=outcomes, drafts=drafts(strong="A", weak="B", poor="C", worse="C"))
    world = environment(data)
    world.reset(0)
    _, reward, _, _, info = world.step(("strong", "poor", "worse"))
    assert (reward, info["latency_s"]) == (0.0, 2.0)
    assert info["cost_usd"] == pytest.approx(0.012)


def replace_score(outcome: Outcome, score: float) -> Outcome:
    return outcome.model_copy(update={"score": score})


def test_drafts_without_an_answer_have_no_vote() -> None:
    """One that has an answer wins against any number of them; none at all scores 0."""
    world = environment(dataset(drafts=drafts(strong="A", weak=None)))
    world.reset(0)
    assert world.step(("weak", "strong"))[1] == 1.0
    world = environment(dataset(drafts=drafts(strong=None, weak=None)))
    world.reset(0)
    assert world.step(("weak", "strong"))[1] == 0.0


@pytest.mark.parametrize("action", ["nobody", (), ("strong", "nobody"), ("strong", "strong")], ids=str)
def test_what_is_no_action_is_refused(action: Action) -> None:
    """With the experts that there are; the step has not happened."""
    world = environment()
    world.reset(0)
    with pytest.raises(ActionError, match="strong, weak"):
        world.step(action)
    assert world.step("strong")[0].left == 2


def test_fusing_needs_drafts() -> None:
    """The message says whose are missing."""
    world = environment()
    world.reset(0)
    with pytest.raises(ActionError, match="no draft of strong, weak"):
        world.step(("strong", "weak"))


def test_experts_are_those_that_every_record_knows() -> None:
    """One that lacks a row can be named, and is then told with its place."""
    whole = dataset()
    one = whole.records[3].model_copy(update={"outcomes": {"weak": WEAK}})
    holed = replace(whole, records=(*whole.records[:3], one, *whole.records[4:]))
    assert environment(holed).experts == ("weak",)
    with pytest.raises(DataError, match="own:4: no outcome of 'strong'"):
        environment(holed, experts=("strong",))


@pytest.mark.parametrize("rules", [{"length": 0}, {"length": ROWS + 1}], ids=str)
def test_more_queries_than_there_are_cannot_be_drawn(rules: dict[str, Any]) -> None:
    """Nor none."""
    with pytest.raises(DataError, match="cannot be drawn from 12 records"):
        environment(**rules)


def test_costs_that_are_not_recorded_are_unknown_and_not_nothing() -> None:
    """They are null where they do not count, and a mistake where they do."""
    free = {"strong": Outcome(score=1.0), "weak": WEAK}
    world = environment(dataset(outcomes=free))
    world.reset(0)
    assert world.step("strong")[4] | {"id": ""} == {
        "id": "",
        "score": 1.0,
        "cost_usd": None,
        "latency_s": None,
        "spent_usd": None,
    }
    with pytest.raises(DataError, match="own:1: no cost of 'strong', and costs count"):
        environment(dataset(outcomes=free), cost_weight=1.0)


def test_the_same_run_is_written_with_the_same_bytes_and_replays(tmp_path: Path) -> None:
    """Canonical JSON lines: header, steps, and a line that sums up each episode."""
    for name in ("a.jsonl", "b.jsonl"):
        played(cost_weight=3.0, budget_usd=0.02).write(tmp_path / name)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    lines = read_lines(tmp_path / "a.jsonl")
    assert [json.loads(line)["type"] for line in lines].count("episode") == 4
    assert replay(lines, [dataset()]) is None


def test_what_a_policy_draws_is_its_episodes_own() -> None:
    """A random policy does the same again, and another seed differs."""
    assert played(seed=1).lines == played(seed=1).lines
    assert played(seed=1).lines[1:] != played(seed=2).lines[1:]


def test_an_episode_line_sums_its_steps() -> None:
    """Return, mean score, cost and time."""
    trajectory = played(policy=fixed("strong"), cost_weight=10.0)
    for line in trajectory.episodes:
        assert line["return"] == pytest.approx(3 * 0.9)
        assert (line["score"], line["steps"], line["latency_s"]) == (1.0, 3, 6.0)
        assert line["cost_usd"] == pytest.approx(0.03)


def written(**rules: Any) -> list[str]:
    return [f"{json.dumps(line, sort_keys=True, separators=(',', ':'))}\n" for line in played(**rules).lines]


def test_a_changed_line_is_found_by_its_number() -> None:
    """The first one, with what it should be."""
    lines = written()
    lines[3] = lines[3].replace('"score":', '"score": ')
    lines[5] = "{}\n"
    mismatch = replay(lines, [dataset()])
    assert mismatch is not None
    assert (mismatch.line, mismatch.written) == (4, lines[3])
    assert mismatch.replayed == written()[3]


@pytest.mark.parametrize("keep", [1, 3, 4], ids=["after the header", "amid an episode", "before its sum"])
def test_a_file_that_ends_early_differs_where_it_ends(keep: int) -> None:
    """A run that was cut is not the whole one."""
    mismatch = replay(written()[:keep], [dataset()])
    assert mismatch is not None
    assert (mismatch.line, mismatch.written) == (keep + 1, None)


def test_lines_beyond_the_end_and_a_missing_last_newline_differ() -> None:
    """To the byte means that."""
    lines = written()
    longer = replay([*lines, "{}\n"], [dataset()])
    assert longer is not None
    assert (longer.line, longer.written, longer.replayed) == (len(lines) + 1, "{}\n", None)
    shorter = replay([*lines[:-1], lines[-1].rstrip("\n")], [dataset()])
    assert shorter is not None
    assert shorter.line == len(lines)


@pytest.mark.parametrize("action", ['"nobody"', "5", "[1]", "[]"])
def test_an_action_that_cannot_be_taken_differs(action: str) -> None:
    """It was not played so."""
    lines = written(policy=fixed("strong"))
    lines[2] = lines[2].replace('"action":"strong"', f'"action":{action}')
    mismatch = replay(lines, [dataset()])
    assert mismatch is not None
    assert (mismatch.line, mismatch.replayed) == (3, None)


def test_other_data_differs_in_the_header() -> None:
    """By its hash, whatever its name; outcomes that changed differ in the steps."""
    lines = written()
    other = replay(lines, [dataset(query="another")])
    assert other is not None
    assert other.line == 1
    regraded = replay(lines, [dataset(outcomes={"strong": replace_score(STRONG, 0.5), "weak": replace_score(WEAK, 0)})])
    assert regraded is not None
    assert regraded.line == 2
    assert replay(lines, [replace(dataset(), name="elsewhere")]) is None


@pytest.mark.parametrize(
    "header",
    ["", "{", "[]", "{}", '{"type":"trajectory","format":2}'],
    ids=["nothing", "malformed", "a list", "no keys", "another format"],
)
def test_a_file_without_a_header_is_refused(header: str) -> None:
    """It is no trajectory, so nothing can be compared."""
    with pytest.raises(DataError, match="line 1, the header of a trajectory"):
        replay([header], [dataset()])


def figures(findings: Findings) -> dict[str, Any]:
    return dict(flat(findings.figures))


def judged(policy: str, data: Dataset | None = None, **rules: Any) -> Findings:
    return judge_episodes([data or dataset()], Rules(**{"length": 3, **rules}), policy=policy, episodes=4, seed=1)[0]


def test_the_suite_gives_return_score_and_cost_of_an_episode() -> None:
    """With n episodes; the same seed gives the same findings."""
    found = judged("expert:weak", cost_weight=10.0)
    assert figures(found)["episode_return"].value == pytest.approx(3 * (0.25 - 0.01))
    assert figures(found)["episode_cost_usd"].value == pytest.approx(0.003)
    assert figures(found)["episode_score"].n == 4
    assert found.as_dict() == judged("expert:weak", cost_weight=10.0).as_dict()
    assert any("10 times its cost" in note for note in found.notes)


def test_a_cost_that_nobody_recorded_is_undefined() -> None:
    """Not 0."""
    found = judged("random", dataset(outcomes={"strong": Outcome(score=1.0)}))
    assert math.isnan(figures(found)["episode_cost_usd"].value)
    assert figures(found)["episode_return"].value == 3.0


@pytest.mark.parametrize(
    "policy", ["expert:nobody", "expert:", "fuse:strong", "random:1", "best", "fuse:strong,nobody"]
)
def test_an_unknown_policy_is_told_with_those_there_are(policy: str) -> None:
    """And with the experts."""
    with pytest.raises(DataError, match="experts are strong, weak"):
        judged(policy)


def test_a_policy_that_cannot_act_on_the_data_is_a_mistake_of_the_input() -> None:
    """Fusing without drafts, say."""
    with pytest.raises(DataError, match="policy fuse:strong,weak: own:"):
        judged("fuse:strong,weak")


def test_any_callable_is_a_policy() -> None:
    """It sees the observation and draws from the episode's own generator."""
    seen: list[Observation] = []

    def policy(observation: Observation, random: np.random.Generator) -> Action:
        seen.append(observation)
        return "strong" if random.random() < 0.5 else None

    trajectory = played(policy=policy)
    assert len(seen) == 12
    assert {line["action"] for line in trajectory.lines if line["type"] == "step"} == {"strong", None}
