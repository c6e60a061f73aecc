"""Panels: experts that judge answers by named criteria, where nobody knows the right one."""

from orchestrator.judging.panel import Judged, Judges
from orchestrator.judging.sheets import OVERALL, Sheet

__all__ = ["OVERALL", "Judged", "Judges", "Sheet"]
