"""Parts of a study in several processes: their results, in the order of the parts, are those of one process."""

from __future__ import annotations

import operator
import os

import pytest

from analysis.shared.processes import in_processes


def _environment(shared: str, item: int) -> tuple[int, str | None]:
    return item, os.environ.get(shared)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_results_are_in_the_order_of_the_items(jobs: int) -> None:
    said: list[str] = []
    found = in_processes(operator.mul, 3, range(4), jobs=jobs, progress=said.append, what="multiplied")
    assert found == [0, 3, 6, 9]
    assert said == [f"multiplied: {k} ({k + 1} of 4)" for k in range(4)]


@pytest.mark.slow
def test_processes_keep_their_memory_and_this_one_its_environment_and_gets_their_errors() -> None:
    name = "MALLOC_TRIM_THRESHOLD_"
    before = os.environ.get(name)
    assert in_processes(_environment, name, [1, 2], jobs=2) == [(1, str(2**32)), (2, str(2**32))]
    assert os.environ.get(name) == before
    with pytest.raises(ZeroDivisionError):
        in_processes(operator.floordiv, 1, [1, 0], jobs=2)
