"""What studies share: Student's intervals against SciPy's, and parts of a study in several processes."""

from __future__ import annotations

import operator
import os

import numpy as np
import pytest
from scipy import stats

from analysis.shared.intervals import above, holm, interval, mean_and_half
from analysis.shared.processes import in_processes, report


def test_intervals_are_those_of_students_t() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=7)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(list(values)) == pytest.approx((values.mean(), low, high), rel=1e-12)
    assert mean_and_half(values) == pytest.approx((values.mean(), (high - low) / 2), rel=1e-12)
    assert above(values, low - 1e-9)
    assert not above(values, low + 1e-9)
    assert interval([2.0]) == (2.0, -np.inf, np.inf)
    assert not above([2.0], -1e300)


def test_holm_steps_down_from_the_smallest() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, np.nan]).tolist() == [1, 1]


def test_results_of_one_process_are_in_the_order_of_the_items() -> None:
    said: list[str] = []
    found = in_processes(operator.mul, 3, range(4), jobs=1, progress=said.append, what="multiplied")
    assert found == [0, 3, 6, 9]
    assert said == [f"multiplied: {k} ({k + 1} of 4)" for k in range(4)]


def _environment(shared: str, item: int) -> tuple[int, str | None]:
    report(f"reads {item}")
    return item, os.environ.get(shared)


@pytest.mark.slow
def test_processes_keep_their_memory_and_the_order_and_this_one_its_environment() -> None:
    name = "MALLOC_TRIM_THRESHOLD_"
    before, said = os.environ.get(name), []
    found = in_processes(_environment, name, [1, 2, 3], jobs=2, progress=said.append, what="read")
    assert found == [(k, str(2**32)) for k in (1, 2, 3)]
    assert sorted(said) == [f"read: {k} ({k} of 3)" for k in (1, 2, 3)] + [f"reads {k}" for k in (1, 2, 3)]
    assert os.environ.get(name) == before
