"""Coverage of errors and uniformity of p over many repeats: the tables of docs/information_regimes.md, and parts of them again."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "information_regimes.py"
spec = importlib.util.spec_from_file_location("information_regimes", SCRIPT)
assert spec is not None
assert spec.loader is not None
regimes = importlib.util.module_from_spec(spec)
sys.modules["information_regimes"] = regimes
spec.loader.exec_module(regimes)


def table(head: str) -> list[list[str]]:
    """Cells of the rows of a table of the page."""
    text = regimes.PAGE.read_text()
    assert text.count(head) == 1
    body = text[text.index(head) + len(head) :].split("\n\n")[0]
    return [line.strip("| \n").split(" | ") for line in body.splitlines()]


def numbers(lines: str) -> list[list[float]]:
    """Numbers of each row after its first three cells."""
    rows = [line.strip("| ").split(" | ") for line in lines.strip().splitlines()]
    return [[float(re.sub(r" %| \|", "", cell)) for cell in row[3:]] for row in rows]


def test_the_page_has_every_case_and_each_covers_nine_of_ten_or_warns() -> None:
    rows = table(regimes.COVERAGE)
    names = {"partial": regimes.PARTS}
    expected = [
        ((f"{measure}, {part}" if part else measure), data, size)
        for measure, data, size in regimes.coverage_cases()
        for part in (names["partial"] if "partial" in measure else ("",))
    ]
    assert [tuple(row[:3]) for row in rows] == expected
    assert min(int(row[6].split()[0]) for row in rows) >= 90
    assert all(int(row[4].split()[0]) >= 85 for row in rows)  # of all repeats, also those with a warning


def test_the_page_has_every_test_and_its_p_is_uniform() -> None:
    rows = table(regimes.UNIFORM)
    assert [row[1] for row in rows if "partial" not in row[0]] == [
        data for measure, data in regimes.UNIFORM_CASES if "partial" not in measure
    ]
    assert min(float(row[3]) for row in rows) > 1e-3
    at_most = 100 * (0.05 + 4 * np.sqrt(0.05 * 0.95 / regimes.REPEATS_P))
    assert all(float(row[2].split()[0]) < at_most for row in rows)


@pytest.mark.slow  # 200 repeats each, half a minute together
@pytest.mark.parametrize(
    ("measure", "data", "size"),
    [
        ("`partial_information`", "common gain", "50 trials"),
        ('`transfer_entropy`, "gaussian"', "the same with a common gain", "2000 bins"),
    ],
)
def test_the_coverage_of_the_page_is_measured_again(measure: str, data: str, size: str) -> None:
    """Within two per cent: the arithmetic of another machine may move single repeats."""
    again = numbers(regimes.coverage_rows((measure, data, size)))
    rows = [row for row in table(regimes.COVERAGE) if row[0].split(", red")[0].startswith(measure)]
    own = numbers("\n".join("| " + " | ".join(row) + " |" for row in rows if row[1:3] == [data, size]))
    assert len(own) == len(again) == (4 if "partial" in measure else 1)
    assert_allclose(np.array(again)[:, 0], np.array(own)[:, 0], rtol=0.01)
    assert_allclose(np.array(again)[:, 1:], np.array(own)[:, 1:], atol=2)
