"""Rows of a study's table: their selection, and rows from estimates of information."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from nsnn_neuro import measures


def where(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Rows with these values in these columns.

    >>> table = pd.DataFrame({"arm": ["noisy", "noisy", "other"], "seed": [1, 2, 1], "accuracy": [0.9, 0.8, 0.7]})
    >>> where(table, arm="noisy", seed=2).accuracy.tolist()
    [0.8]
    """
    return table[np.logical_and.reduce([table[name] == value for name, value in values.items()])]


def of_estimate(estimate: measures.Estimate) -> dict[str, Any]:
    """Value with standard error, mean of the null, p and warning."""
    return {
        "value": estimate.value,
        "se": estimate.se,
        "null": estimate.null_mean,
        "p": estimate.p,
        "warning": estimate.warning,
    }


def of_codes_table(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A row per code of `measures.codes_table`, and what words tell beyond the count (quantity "surplus")."""
    for row in table.itertuples():
        value = {"value": row.raw, "se": row.se, "null": row.null_mean, "p": row.p}
        yield {"quantity": row.code, **value, "warning": row.warning}
        if row.code == "words":
            over = {"value": row.over_count, "se": row.over_count_se, "p": row.over_count_p}
            yield {"quantity": "surplus", **over}
