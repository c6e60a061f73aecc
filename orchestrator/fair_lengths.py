"""Shares a space among texts of different lengths."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cut_alike", "fair_lengths"]


def fair_lengths(lengths: Sequence[int], most: int) -> list[int]:
    """How much of each may stay so that all together keep to `most`: short ones whole, long ones to equal lengths.

    Max-min fairness (water-filling): nobody can get more without somebody who has no more than that getting less.
    What does not divide goes to the first of the long ones.
    """
    found = [0] * len(lengths)
    left, order = most, sorted(range(len(lengths)), key=lengths.__getitem__)
    for place, at in enumerate(order):
        share = max(0, left) // (len(order) - place)
        found[at] = min(lengths[at], share)
        left -= found[at]
    for at in range(len(lengths)):
        extra = min(max(0, left), lengths[at] - found[at], 1)
        found[at] += extra
        left -= extra
    return found


def cut_alike(texts: Sequence[str], most: int) -> list[str]:
    """The texts with all together keeping to `most` characters: short ones whole, long ones cut to equal lengths."""
    lengths = fair_lengths([len(text) for text in texts], most)
    return [text[:length] for text, length in zip(texts, lengths, strict=True)]
