"""`certify`: the simulated neurons against theory.

What is certified and what isn't: `cells.py`; with which numbers: `cases.py` and, at the ends of their ranges, `ranges.py`; what
theory says: `expected.py`; from cases to rows: `run.py`; their text and figure: `report.py`.
"""

from . import report
from .run import certify

__all__ = ["certify", "report"]
