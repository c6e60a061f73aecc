"""Questions about captures, in words: some that the router learns from, others that the evaluation asks.

    python -m examples.wireless.questions    writes queries.jsonl anew

The two share no sentence. Knows no service and no answers.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from examples.wireless.captures import STORED, stored
from examples.wireless.channel import LABELS, TASKS, Task

__all__ = ["ASKED", "ASKED_GENERAL", "LEARNT", "LEARNT_GENERAL", "Question", "learnt_lines", "main", "questions"]

LEARNT: dict[Task, tuple[str, ...]] = {
    "line_of_sight": (
        "Is there a line of sight in capture {id}?",
        "Does {id} have line of sight?",
        "Was the path blocked when {id} was recorded?",
        "Tell me if transmitter and receiver see each other in {id}.",
        "LOS or NLOS for {id}?",
        "Is the direct path present in {id}?",
        "Check capture {id} for an unobstructed path.",
        "Did something stand between the antennas in {id}?",
        "Is {id} a line-of-sight channel?",
        "Could the base station see the terminal during {id}?",
        "Classify {id} by visibility of the transmitter.",
        "Has capture {id} been taken behind an obstacle?",
    ),
    "doppler": (
        "How fast was the terminal moving in capture {id}?",
        "What is the Doppler class of {id}?",
        "Was {id} recorded while standing, walking or driving?",
        "Estimate the mobility of the user in {id}.",
        "Is the device in {id} static or moving?",
        "Which speed class does {id} belong to?",
        "Does the Doppler spread of {id} look like a vehicle?",
        "Classify {id} by speed.",
        "Tell me whether the phone in {id} was in a train.",
        "Did the receiver move during {id}, and how quickly?",
        "Is capture {id} from a pedestrian?",
        "What kind of motion does {id} show?",
    ),
    "fading": (
        "Which fading does capture {id} follow?",
        "What is the fading type of {id}?",
        "Is the fading in {id} Rayleigh or Rician?",
        "Which distribution fits the envelope of {id}?",
        "Is {id} Nakagami distributed?",
        "Classify {id} by its fading statistics.",
        "Tell me the small-scale fading model of {id}.",
        "What does the amplitude distribution of {id} look like?",
        "Name the fading model for capture {id}.",
        "Does the envelope in {id} follow Rayleigh statistics?",
        "What sort of fading is in {id}?",
        "Determine the envelope's distribution in {id}.",
    ),
}
ASKED: dict[Task, tuple[str, ...]] = {
    "line_of_sight": (
        "For {id}, can the two ends see one another?",
        "I need to know about {id}: clear sight or obstructed?",
        "Look at {id} and say whether the direct ray gets through.",
        "Was there a clear view to the mast in {id}?",
        "Would you call {id} LOS?",
        "Is something in the way of the signal in capture {id}?",
    ),
    "doppler": (
        "At what pace did the handset of {id} travel?",
        "Say how mobile the user behind {id} was.",
        "Was the holder of the phone in {id} walking, in a car, or not moving at all?",
        "Give me the velocity category for capture {id}.",
        "Judging by Doppler, how quick was {id}?",
        "Look at {id} and say how fast it went.",
    ),
    "fading": (
        "Which statistical model describes the fades in {id}?",
        "I need the kind of fading for {id}.",
        "Look at {id} and say which law its envelope obeys.",
        "Rayleigh, Rician or Nakagami: what is {id}?",
        "How are the amplitudes of capture {id} distributed?",
        "Would you model the fades of {id} as Rician?",
    ),
}
LEARNT_GENERAL: tuple[str, ...] = (
    "What is a decibel?",
    "Explain what an antenna does.",
    "Who discovered radio waves?",
    "What does the Doppler effect mean?",
    "Explain Rayleigh fading to a beginner.",
    "Why do cities have poor line of sight?",
    "Good morning!",
    "Write a short poem about the sea.",
    "What is the capital of Norway?",
    "How do I boil an egg?",
    "Name three kinds of modulation.",
    "What is the difference between 4G and 5G?",
    "Thanks for your help.",
    "Translate 'receiver' into French.",
    "How many metres are in a mile?",
    "What is the speed of light?",
    "Recommend a book on signal processing.",
    "Why is the sky blue?",
    "Who wrote Hamlet?",
    "Define the Rician K factor.",
    "What causes multipath propagation?",
    "Tell me a joke about engineers.",
    "How does a radar gun work?",
    "Summarise what MIMO is.",
)
ASKED_GENERAL: tuple[str, ...] = (
    "What is bandwidth?",
    "Tell me about Marconi.",
    "Hello, how are you today?",
    "What is the Nakagami distribution used for?",
    "Why do trains whistle at a different pitch when they pass?",
    "Which is the largest ocean?",
    "Suggest a name for a cat.",
    "What does OFDM stand for?",
    "How do I make pancakes?",
    "Does rain weaken radio signals?",
    "What is a good way to learn Python?",
    "Who was James Clerk Maxwell?",
)
_QUERIES = Path(__file__).parent / "queries.jsonl"
_SEED = 4


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a capture. options: the labels, in the order in which they are offered."""

    text: str
    capture: str
    task: Task
    truth: str
    options: tuple[str, ...]


def questions(each: int, *, seed: int) -> list[Question]:
    """`each` questions of every task, each of a capture of its own."""
    random = np.random.default_rng((_SEED, seed))
    numbers = random.choice(STORED, each * len(TASKS), replace=False)
    made = []
    for place, number in enumerate(int(number) for number in numbers):
        task = TASKS[place % len(TASKS)]
        template = ASKED[task][int(random.integers(len(ASKED[task])))]
        name = f"c-{number:04d}"
        options = tuple(map(str, random.permutation(LABELS[task])))
        made.append(Question(template.format(id=name), name, task, stored(number).labels.of(task), options))
    return made


def learnt_lines() -> list[str]:
    """The lines of queries.jsonl: each sentence of LEARNT about one capture, and those about none."""
    random = np.random.default_rng(_SEED)
    pairs: list[tuple[str, str]] = [
        (template.format(id=f"c-{int(random.integers(STORED)):04d}"), task)
        for task, templates in LEARNT.items()
        for template in templates
        for _ in range(2)
    ]
    pairs += [(query, "general") for query in LEARNT_GENERAL]
    return [json.dumps({"query": query, "category": category}) for query, category in pairs]


def main() -> None:
    """Write the file."""
    _QUERIES.write_text("\n".join(learnt_lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
