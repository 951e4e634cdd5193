"""Parts of a study in several processes: their results, in the order of the parts, are those of one process."""

from __future__ import annotations

import operator
import os

import pytest

from analysis.shared.processes import in_processes


def _environment(shared: str, item: int) -> tuple[int, str | None]:
    return item, os.environ.get(shared)


def test_results_are_in_the_order_of_the_items() -> None:
    said: list[str] = []
    found = in_processes(operator.mul, 3, range(4), jobs=1, progress=said.append, what="multiplied")
    assert found == [0, 3, 6, 9]
    assert said == [f"multiplied: {k} ({k + 1} of 4)" for k in range(4)]


@pytest.mark.slow
def test_processes_keep_their_memory_and_the_order_and_this_one_its_environment() -> None:
    name = "MALLOC_TRIM_THRESHOLD_"
    before, said = os.environ.get(name), []
    found = in_processes(_environment, name, [1, 2, 3], jobs=2, progress=said.append, what="read")
    assert found == [(k, str(2**32)) for k in (1, 2, 3)]
    assert said == [f"read: {k} ({k} of 3)" for k in (1, 2, 3)]
    assert os.environ.get(name) == before
