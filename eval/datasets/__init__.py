"""Data sets: one record schema, and readers that turn public formats into it, found by name."""

from eval.datasets.dataset import DataError, Dataset, Document, Skipped
from eval.datasets.record import Draft, Outcome, Passage, Record, ToolSpec

__all__ = ["DataError", "Dataset", "Document", "Draft", "Outcome", "Passage", "Record", "Skipped", "ToolSpec"]
