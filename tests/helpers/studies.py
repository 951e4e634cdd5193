"""Small data for studies, tables with a number changed, and the claims that fail there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.harness import ClaimFailed


def changed(table: pd.DataFrame, column: Any, change: Callable[[Any], Any], **where: Any) -> pd.DataFrame:
    """The table with a change of one column, or several, in the rows that have these values."""
    rows = np.logical_and.reduce([table[name] == value for name, value in where.items()])
    assert rows.any()
    table = table.copy()
    table.loc[rows, column] = change(table.loc[rows, column])
    return table


def failing(study: ModuleType, table: pd.DataFrame, *, central: bool = False) -> list[str]:
    """Texts of the claims that fail, or of the central ones among them."""
    return [c.text for c in study.claims(table) if not c.holds and (c.central or not central)]


def assert_each_is_named_once(study: ModuleType, table: pd.DataFrame, words: Iterable[str]) -> None:
    """Each central claim has one of these words, and no word belongs to two claims."""
    texts, words = [claim.text for claim in study.claims(table) if claim.central], list(words)
    assert len(texts) == len(words)
    assert all(sum(word in text for text in texts) == 1 for word in words)


def assert_sabotage_shows(
    study: ModuleType, config: Any, normal: pd.DataFrame, sabotage: str, claim: str
) -> None:
    """A claim with these words fails under a sabotage, which changes the table of the same configuration."""
    assert sabotage in study.SABOTAGES
    spoilt = study.run(dataclasses.replace(config, sabotage=sabotage))
    with pytest.raises(ClaimFailed, match=claim):
        study.verify(spoilt)
    assert not spoilt.equals(normal)
