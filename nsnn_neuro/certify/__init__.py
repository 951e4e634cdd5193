"""`certify`: the simulated neurons against theory. What is certified and why: `cases.py`; theory's numbers: `expected.py`."""

from .run import certify

__all__ = ["certify"]
