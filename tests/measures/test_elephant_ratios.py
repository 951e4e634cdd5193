"""Measures against Elephant's functions, by the script of the table in docs/elephant.md."""

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docs" / "elephant_ratios.py"))


@pytest.mark.parametrize("name", SCRIPT["CASES"])
def test_values_are_elephants_and_the_page_has_the_row(name):
    case = SCRIPT["CASES"][name]
    assert SCRIPT["PAGE"].read_text(encoding="utf-8").count(SCRIPT["names"](name, case)) == 1
    if case.apart is not None:
        assert SCRIPT["difference"](case) < case.apart
