"""Selection of rows of a study's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def where(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Rows with these values in these columns.

    >>> table = pd.DataFrame({"arm": ["noisy", "noisy", "other"], "seed": [1, 2, 1], "accuracy": [0.9, 0.8, 0.7]})
    >>> where(table, arm="noisy", seed=2).accuracy.tolist()
    [0.8]
    """
    return table[np.logical_and.reduce([table[name] == value for name, value in values.items()])]
