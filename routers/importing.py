"""Importing what takes seconds: one at a time in the whole process, whichever thread asks.

The lazy modules of transformers do not survive two threads that import parts of them for the first time at once.
"""

import pkgutil
import threading
from typing import Any

__all__ = ["load_name"]

_ONE = threading.Lock()


def load_name(name: str) -> Any:
    """The object at `package.module:name`. For threads; raises ImportError, AttributeError or ValueError."""
    with _ONE:
        return pkgutil.resolve_name(name)
