"""Category classifiers: kinds behind one protocol, found through entry points."""

from routers.classify.kinds import classifier_kind
from routers.classify.protocol import CategoryClassifier, State

__all__ = ["CategoryClassifier", "State", "classifier_kind"]
