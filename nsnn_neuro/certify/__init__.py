"""`certify`: checks simulated neurons against theory.

`pairs` lists which neurons and noise models are certified, `cases` the parameters, `ranges` further ones at the ends of their
ranges, `expected` the values from theory; `run` turns cases into rows, `report` writes them as text, CSV and figure.
"""

from . import report
from .run import certify

__all__ = ["certify", "report"]
