"""The trained experts: a capture in, a typed finding out. Knows neither MCP nor how they were trained."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from examples.wireless.captures import capture_of
from examples.wireless.channel import TASKS, Task
from examples.wireless.features import NAMES, features
from examples.wireless.network import Network, UnusableNetwork, read

__all__ = ["FOLDER", "Finding", "TrainedExpert", "trained_experts"]

FOLDER = Path(__file__).parent / "artifacts"
"""Where the trained experts and their cards are."""

_WORDS: dict[str, str] = {
    "los": "there is a line of sight",
    "nlos": "there is no line of sight",
    "static": "the terminal is static",
    "pedestrian": "the terminal moves at a pedestrian's speed",
    "vehicular": "the terminal moves at a vehicle's speed",
    "high-speed": "the terminal moves at the speed of a fast train",
    "rayleigh": "the fading is Rayleigh",
    "rician": "the fading is Rician",
    "nakagami": "the fading is Nakagami",
}


class Finding(BaseModel):
    """What an expert found in a capture."""

    capture: str = Field(description="the capture's id")
    task: Task = Field(description="what was asked")
    label: str = Field(description="the likeliest label")
    confidence: float = Field(ge=0, le=1, description="the classifier's probability of the label")
    probabilities: dict[str, float] = Field(description="of every label of the task")
    expert_id: str = Field(description="which trained expert found it")
    answer: str = Field(description="the finding as a sentence")


@dataclass(frozen=True, slots=True)
class TrainedExpert:
    """One task's network. accuracy: on held-out channels, as its card says."""

    id: str
    task: Task
    network: Network
    accuracy: float

    def find(self, capture: str, *, folder: Path | None = None) -> Finding:
        """Classify a capture by its id; raises UnknownCapture."""
        row = features(capture_of(capture, folder=folder))
        probabilities = self.network.probabilities(row[None])[0]
        best = int(probabilities.argmax())
        label, confidence = self.network.labels[best], round(float(probabilities[best]), 4)
        named = zip(self.network.labels, probabilities, strict=True)
        return Finding(
            capture=capture,
            task=self.task,
            label=label,
            confidence=confidence,
            probabilities={name: round(float(value), 4) for name, value in named},
            expert_id=self.id,
            answer=f"Capture {capture}: {label}; {_WORDS[label]} (confidence {confidence:.2f}, by {self.id}).",
        )


def trained_experts(folder: Path) -> dict[Task, TrainedExpert]:
    """Every task's expert.

    Raises:
        UnusableNetwork: they are not trained, or not for these features.

    """
    return {task: _expert(folder, task) for task in TASKS}


def _expert(folder: Path, task: Task) -> TrainedExpert:
    try:
        card = json.loads((folder / f"{task}.json").read_text(encoding="utf-8"))
        network = read(folder / f"{task}.npz", sha256=card["sha256"])
        expert = TrainedExpert(card["expert_id"], task, network, float(card["accuracy"]["value"]))
    except OSError as error:
        raise UnusableNetwork(f"no trained expert for {task}: run python -m examples.wireless.train") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableNetwork(f"the card of {task} cannot be read: train again") from error
    if network.features != NAMES:
        raise UnusableNetwork(f"the expert for {task} was trained on other features: train again")
    return expert
