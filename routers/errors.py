"""The errors of the learned part; each message is one sentence on what is wrong and what to do.

RouterError
├── WeightsError         a model's weights are missing, or not the ones we know
│   └── NoGraph          the model is there, and does not become a graph
├── ArtifactError        a trained router cannot be read, written or used here
├── TrainingError        the examples cannot be learned from; one or more problems
├── InfeasibleBudget     no mapping keeps within the budget; says which limit, and what would do
└── UnknownClassifier    no classifier kind of that name
"""

from collections.abc import Mapping, Sequence

__all__ = [
    "ArtifactError",
    "InfeasibleBudget",
    "NoGraph",
    "RouterError",
    "TrainingError",
    "UnknownClassifier",
    "WeightsError",
]


class RouterError(Exception):
    """Anything that this package raises on purpose."""


class WeightsError(RouterError):
    """The weights of a model are missing, cannot be loaded, or are not the ones we know by their hash."""


class NoGraph(WeightsError):
    """The model can be loaded, but does not become a graph that another engine runs."""


class ArtifactError(RouterError):
    """A trained router cannot be read, written, or used with this configuration."""


class TrainingError(RouterError):
    """The examples cannot be learned from; `problems` has one printable line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InfeasibleBudget(RouterError):
    """No mapping keeps within the budget.

    `problems` has one printable line for each limit that is too low. `nearest` has, by the name of the limit, the
    least value that would do: any one of them by itself with the others as they are, or, if `together`, all at once.
    """

    def __init__(self, problems: Sequence[str], *, nearest: Mapping[str, float], together: bool) -> None:
        how = "raise them all" if together else "raise one of them"
        super().__init__("\n".join([*problems, *([how] if len(problems) > 1 else [])]))
        self.problems = tuple(problems)
        self.nearest = dict(nearest)
        self.together = together


class UnknownClassifier(RouterError):
    """No classifier kind of that name is installed, or it does not load."""
