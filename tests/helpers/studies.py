"""Small data for studies, tables with a number changed, and the claims that fail there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.harness import ClaimFailed, verify


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


def assert_sabotage_shows(
    study: ModuleType, config: Any, normal: pd.DataFrame, sabotage: str, claim: str
) -> None:
    """A claim with these words fails under a sabotage, which changes the table of the same configuration."""
    assert sabotage in study.SABOTAGES
    spoilt = study.run(dataclasses.replace(config, sabotage=sabotage))
    with pytest.raises(ClaimFailed, match=claim):
        verify(study, spoilt)
    assert not spoilt.equals(normal)


def assert_each_can_fail(
    study: ModuleType, sound: pd.DataFrame, broken: Mapping[str, pd.DataFrame], *, alone: bool = False
) -> None:
    """Central claims hold in the sound table, and each fails in the table that is broken for its words.

    alone : no other central claim fails there
    """
    verify(study, sound)
    texts = [claim.text for claim in study.claims(sound) if claim.central]
    assert {text: sum(words in text for words in broken) for text in texts} == dict.fromkeys(texts, 1)
    for words, table in broken.items():
        failed = [claim for claim in study.claims(table) if not claim.holds]
        assert any(words in claim.text for claim in failed), words
        assert sum(claim.central for claim in failed) < 2 or not alone, failed
    words = next(words for words in broken if any(words in text for text in texts))
    with pytest.raises(ClaimFailed, match=re.escape(words)):
        verify(study, broken[words])
