"""Student's intervals of the studies, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.shared.intervals import above, interval, mean_and_half

VALUES = np.random.default_rng(1).gamma(2.0, size=7)


def test_intervals_are_those_of_students_t() -> None:
    low, high = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert interval(list(VALUES)) == pytest.approx((VALUES.mean(), low, high), rel=1e-12)
    assert mean_and_half(VALUES) == pytest.approx((VALUES.mean(), (high - low) / 2), rel=1e-12)
    assert above(VALUES, low - 1e-9)
    assert not above(VALUES, low + 1e-9)


def test_a_single_value_has_an_infinite_interval() -> None:
    assert interval([2.0]) == (2.0, -np.inf, np.inf)
    assert not above([2.0], -1e300)
