"""The kinds of array that the measures take and give."""

import numpy as np
import numpy.typing as npt

from routers.calibrate import IntArray, Probabilities

__all__ = ["Flags", "IntArray", "Probabilities", "Reals"]

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
