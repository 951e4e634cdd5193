"""Fixtures of the tests of engines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from brian2 import prefs


@pytest.fixture
def single_precision() -> Iterator[None]:
    """State variables in single precision."""
    before = prefs.core.default_float_dtype
    prefs.core.default_float_dtype = np.float32
    yield
    prefs.core.default_float_dtype = before
