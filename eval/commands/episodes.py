"""The verb `orchestrator eval episodes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.commands.options import Data, ExpertNames, JsonFile, ReportFolder, Seed, names_of
from eval.commands.running import finish, judging, opened
from eval.datasets import DataError
from eval.datasets.problems import printable

if TYPE_CHECKING:
    from eval.datasets import Dataset

__all__ = ["episodes"]

DIFFERS = 1

Episodes = Annotated[int, typer.Option("--episodes", min=1, help="How many are played.")]
Length = Annotated[int, typer.Option("--length", min=1, help="Queries of an episode.")]
PolicyName = Annotated[str, typer.Option("--policy", help="random, abstain, expert:ID or fuse:ID,ID.")]
Lambda = Annotated[float, typer.Option("--lambda", min=0.0, help="Reward is score less this times USD.")]
Budget = Annotated[float | None, typer.Option("--budget-usd", min=0.0, help="An episode ends when it is used up.")]
Category = Annotated[bool, typer.Option("--show-category", help="Let the policy see the true category.")]
Write = Annotated[Path | None, typer.Option("--write", help="Write every step as JSON lines.")]
Replay = Annotated[Path | None, typer.Option("--replay", help="Play a written file again; exit 1 if it differs.")]


def episodes(
    data: Data,
    *,
    count: Episodes = 100,
    length: Length = 10,
    policy: PolicyName = "random",
    cost_weight: Lambda = 0.0,
    budget_usd: Budget = None,
    show_category: Category = False,
    experts: ExpertNames = None,
    seed: Seed = 0,
    write: Write = None,
    replay: Replay = None,
    json_file: JsonFile = None,
    report: ReportFolder = None,
) -> None:
    """Play routing as episodes over recorded outcomes, or play a written trajectory again.

    Example: orchestrator eval episodes routerbench:data --policy expert:mixtral --lambda 10 --write run.jsonl
    """
    from eval.environment import Rules
    from eval.suites.episodes import judge_episodes

    with judging() as progress:
        datasets = opened(data, progress)
        if replay is not None:
            _replay(replay, datasets)
            return
        rules = Rules(
            length=length,
            cost_weight=cost_weight,
            budget_usd=budget_usd,
            show_category=show_category,
            experts=names_of(experts) or (),
        )
        findings, trajectory = judge_episodes(
            datasets, rules, policy=policy, episodes=count, seed=seed, progress=progress
        )
        try:
            if write is not None:
                trajectory.write(write)
        except OSError as error:
            raise DataError([f"{write}: cannot be written ({error.strerror})"]) from error
        finish(findings, json_file=json_file, report=report)


def _replay(file: Path, datasets: list[Dataset]) -> None:
    from eval.trajectory import read_lines, replay

    written = read_lines(file)
    try:
        mismatch = replay(written, datasets)
    except DataError as error:
        raise DataError([f"{file}: {problem}" for problem in error.problems]) from error
    if mismatch is None:
        print(f"{file}: {len(written)} lines, the same to the byte")
        return
    print(f"{file}:{mismatch.line}: differs")
    print(f"  written:  {printable(mismatch.written or 'nothing, the file ends')}")
    print(f"  replayed: {printable(mismatch.replayed or 'nothing, it goes no further')}")
    raise typer.Exit(DIFFERS)
