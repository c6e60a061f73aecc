"""Trains the three classifiers and writes them with their cards.

    python -m examples.wireless.train
    python -m examples.wireless.train --captures 2000 --held-out 500 --folder somewhere

Held-out channels come of another seed than those trained on, and nothing is chosen on them. Of what is trained on, a
tenth stops the training early (scikit-learn's own split).
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import sklearn
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from eval.metrics.figures import share
from examples.wireless.channel import LABELS, SNRS_DB, TASKS, Labels, Task, draws
from examples.wireless.experts import FOLDER
from examples.wireless.features import NAMES, features
from examples.wireless.network import Network, written

__all__ = ["Drawn", "card", "drawn", "main", "trained"]

SEED, HELD_OUT_SEED = 1, 2
CAPTURES, HELD_OUT = 8000, 2000
_HIDDEN = (64, 32)

Reals: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Channels as rows of features, [n, features], with their labels and SNR."""

    seed: int
    rows: Reals
    labels: tuple[Labels, ...]
    snrs_db: Reals

    def of(self, task: Task) -> npt.NDArray[np.str_]:
        """The labels of one task, [n]."""
        return np.array([labels.of(task) for labels in self.labels])


def main() -> None:
    """Draw, train, measure, write, and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=CAPTURES, help=f"to train on ({CAPTURES})")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help=f"to measure on ({HELD_OUT})")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the models go")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    started = time.monotonic()
    cards = []
    with Progress(console=console, transient=True) as progress:
        known = drawn(SEED, arguments.captures, progress)
        held_out = drawn(HELD_OUT_SEED, arguments.held_out, progress)
        for task in progress.track(TASKS, description="training"):
            network = trained(known, task)
            sha256 = written(network, arguments.folder / f"{task}.npz")
            cards.append(card(network, task, known=known, held_out=held_out) | {"sha256": sha256})
            text = json.dumps(cards[-1], indent=2) + "\n"
            (arguments.folder / f"{task}.json").write_text(text, encoding="utf-8")
    console.print(_table(cards))
    console.print(f"{time.monotonic() - started:.0f} s; models and cards are in {arguments.folder}")


def drawn(seed: int, count: int, progress: Progress | None = None) -> Drawn:
    """The first `count` channels of a seed."""
    samples = draws(seed, count)
    if progress is not None:
        samples = iter(progress.track(samples, total=count, description=f"channels of seed {seed}"))
    rows, labels, snrs_db = [], [], []
    for sample in samples:
        rows.append(features(sample.capture))
        labels.append(sample.labels)
        snrs_db.append(sample.capture.snr_db)
    return Drawn(seed, np.stack(rows), tuple(labels), np.array(snrs_db))


def trained(known: Drawn, task: Task) -> Network:
    """A perceptron of one task, its weights taken out of scikit-learn's."""
    scaler = StandardScaler().fit(known.rows)
    model = MLPClassifier(_HIDDEN, alpha=1e-3, early_stopping=True, n_iter_no_change=12, random_state=0, max_iter=120)
    names = list(LABELS[task])
    targets = np.array([names.index(label) for label in known.of(task)])
    model.fit(np.clip(scaler.transform(known.rows), -8, 8), targets)
    weights, biases = list(model.coefs_), list(model.intercepts_)
    if len(names) == 2:  # noqa: PLR2004 - scikit-learn has one logistic output then, which is a softmax with a zero
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([[0.0], biases[-1]])
    return Network(tuple(names), NAMES, scaler.mean_, scaler.scale_, tuple(weights), tuple(biases))


def card(network: Network, task: Task, *, known: Drawn, held_out: Drawn) -> dict[str, Any]:
    """What it was trained on, and what it reaches on channels of another seed; JSON."""
    probabilities = network.probabilities(held_out.rows)
    names = np.array(network.labels)
    truth, said = held_out.of(task), names[probabilities.argmax(axis=1)]
    right = said == truth
    most_often = max(network.labels, key=lambda label: int((known.of(task) == label).sum()))
    majority = float((truth == most_often).mean())
    by_snr = {f"{snr:g}": _accuracy(right[held_out.snrs_db == snr]) for snr in SNRS_DB}
    return {
        "task": task,
        "expert_id": f"wireless-{task.replace('_', '-')}",
        "labels": list(network.labels),
        "model": f"multilayer perceptron {len(network.features)}-{'-'.join(str(len(b)) for b in network.biases)}, ReLU",
        "scikit_learn": sklearn.__version__,
        "intended_use": "captures of the generator examples/wireless/channel.py; nothing is known of measured ones",
        "trained_on": {"seed": known.seed, "captures": len(known.labels)},
        "held_out": {"seed": held_out.seed, "captures": len(held_out.labels)},
        "accuracy": _accuracy(right),
        "majority": {"label": most_often, "accuracy": majority},
        "gain_over_majority": float(right.mean()) - majority,
        "accuracy_by_snr_db": by_snr,
        "mean_confidence": float(probabilities.max(axis=1).mean()),
        "confusion": {
            label: {other: int(((truth == label) & (said == other)).sum()) for other in network.labels}
            for label in network.labels
        },
    }


def _accuracy(right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """With its 95 % interval (Wilson); nothing where there were no channels."""
    return share(int(right.sum()), len(right)).as_dict() if len(right) else {"value": None, "ci95": None, "n": 0}


def _table(cards: list[dict[str, Any]]) -> Table:
    table = Table(title="accuracy on held-out channels, with 95 % intervals", box=SIMPLE, pad_edge=False)
    for heading in ("", *(row["task"] for row in cards)):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("accuracy", *(_text(row["accuracy"]) for row in cards))
    table.add_row("majority", *(f"{row['majority']['accuracy']:.3f}" for row in cards))
    table.add_row("gain", *(f"{row['gain_over_majority']:+.3f}" for row in cards))
    table.add_row("confidence", *(f"{row['mean_confidence']:.3f}" for row in cards))
    for snr in cards[0]["accuracy_by_snr_db"]:
        table.add_row(f"at {snr} dB", *(_text(row["accuracy_by_snr_db"][snr]) for row in cards))
    return table


def _text(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    low, high = figure["ci95"]
    return f"{figure['value']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
