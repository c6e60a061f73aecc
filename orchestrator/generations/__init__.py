"""The artifacts that served before, kept beside the one that serves: what `promote` adds to and `rollback` takes from.

Knows folders and links, not what an artifact says of queries.
"""

from orchestrator.generations.folder import Generations
from orchestrator.generations.record import Generation, Note

__all__ = ["Generation", "Generations", "Note"]
