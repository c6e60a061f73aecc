"""Captures by id, since nobody says 4,096 complex samples in a sentence. Knows no classifiers.

`c-0042` is drawn from its number, always the same; `f-NAME` is the file NAME.npz of a folder. An id is the only thing
that is read out of a sentence, and no id leads out of the folder.
"""

import re
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from examples.wireless.channel import ANTENNAS, SAMPLES, TAPS, Capture, Sample, draw

__all__ = ["STORED", "UnknownCapture", "capture_of", "id_in", "saved", "stored"]

STORED = 10_000
"""Captures with a number, from c-0000."""
_SEED = 3
_ID = re.compile(r"\b(?:c-\d{4}|f-[a-z0-9]+(?:-[a-z0-9]+)*)\b", re.IGNORECASE)


class UnknownCapture(ValueError):
    """No capture is named, or several are, or there is none of that name. The message says which."""


def id_in(text: str) -> str:
    """The one capture that a text names, in lower case."""
    found = sorted({match.group().lower() for match in _ID.finditer(text)})
    if not found:
        raise UnknownCapture("name a capture: c-0000 to c-9999, or f-NAME for a file")
    if len(found) > 1:
        raise UnknownCapture(f"one capture at a time, not {', '.join(found)}")
    return found[0]


def capture_of(name: str, *, folder: Path | None = None) -> Capture:
    """What the receiver has of a capture: without its labels.

    Raises:
        UnknownCapture: there is none of that id.

    """
    if name.startswith("c-"):
        return stored(int(name[2:])).capture
    path = None if folder is None else folder / f"{name[2:]}.npz"
    if path is None or not path.is_file():
        raise UnknownCapture(f"no file for {name!r}")
    return _loaded(path, name)


def stored(number: int) -> Sample:
    """A numbered capture with its truth, which only an evaluation looks at."""
    return draw(np.random.default_rng((_SEED, number)))


def saved(capture: Capture, path: Path) -> None:
    """Write one for `f-NAME`: .npz without pickled objects."""
    stated = np.array([capture.carrier_hz, capture.snr_db])
    np.savez(path, allow_pickle=False, gains=capture.gains, profile=capture.profile, stated=stated)


def _loaded(path: Path, name: str) -> Capture:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            gains, profile = arrays["gains"].astype(np.complex128), arrays["profile"].astype(np.float64)
            carrier_hz, snr_db = map(float, arrays["stated"])
    except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise UnknownCapture(f"{name!r} holds no capture") from error
    if gains.shape != (ANTENNAS, SAMPLES) or profile.shape != (TAPS,):
        raise UnknownCapture(f"{name!r} has shapes {gains.shape} and {profile.shape}")
    if not (np.isfinite(gains).all() and np.isfinite(profile).all() and np.isfinite([carrier_hz, snr_db]).all()):
        raise UnknownCapture(f"{name!r} holds what is no number")
    if carrier_hz <= 0 or not gains.any():
        raise UnknownCapture(f"{name!r} has no carrier or no power")
    return Capture(gains, profile, carrier_hz, snr_db)
