"""The page of benchmarks by release, made from files of `make bench`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.benchmark_runs import example_run, modules

from nsnn_neuro.core.errors import FormatError


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    with modules() as imported:
        yield imported


@pytest.fixture
def example(bench: Any) -> Callable[..., Any]:
    return partial(example_run, bench.comparison)


def cells(page: str, start: str) -> list[list[str]]:
    """The cells of the lines of a page that begin with some text."""
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith(start)]


def test_the_page_without_runs_says_so(bench: Any, tmp_path: Path) -> None:
    assert bench.speed.load(tmp_path / "none") == []
    page = bench.speed.page([])
    assert "No run of a release is kept yet" in page
    assert "\n|" not in page


def test_the_page_of_one_run_shows_ratios_values_and_what_is_missing(bench: Any, example: Any) -> None:
    page = bench.speed.page([example()])
    assert cells(page, "| task | compared with")[0][2:] == ["1.0.0 (2026-01-02)"]
    assert cells(page, "| matrix")[0] == ["matrix", "Elephant", "1/6"]
    assert cells(page, "| population | NEST")[0] == ["population", "NEST", "2 **WRONG**"]
    assert cells(page, "| population | JAX")[0] == ["population", "JAX", "not installed"]
    assert "| calibration |  | 4.5 s (4-5) |" in page
    assert "| matrix | 9 trains | 0.2 s (0.1-0.3) | Elephant | 1.2 s (1-2) | d 1, 1 | agrees |" in page
    assert r"rate \(Hz\) 8, 9 \+- 0.1 | **WRONG** |" in page
    assert "- 1.0.0 (2026-01-02): the script failed: exit status 1: no" in page
    assert "jax not installed" in page


def test_the_page_of_two_runs_has_a_column_for_each(bench: Any, example: Any, tmp_path: Path) -> None:
    newer = example("1.1.0", "2026-02-02T00:00:00+01:00")
    faster = dataclasses.replace(newer.scripts["one"].rows[0], ours=(0.1,))
    added = dataclasses.replace(faster, name="added")
    script = dataclasses.replace(newer.scripts["one"], rows=(faster, added))
    newer = dataclasses.replace(newer, scripts={"one": script})
    bench.comparison.write_run(tmp_path / "a-newer.json", newer)
    bench.comparison.write_run(tmp_path / "b-older.json", example())
    page = bench.speed.page(bench.speed.load(tmp_path))
    assert cells(page, "| task | compared with")[0][2:] == ["1.0.0 (2026-01-02)", "1.1.0 (2026-02-02)"]
    assert "| matrix | Elephant | 1/6 | 1/12 |" in page
    assert "| added | Elephant |  | 1/12 |" in page
    assert "| population | NEST | 2 **WRONG** |  |" in page
    later = example("1.1.0", "2026-03-03T00:00:00+00:00")
    assert [run.started[:7] for run in bench.speed.newest([example(), newer, later])] == [
        "2026-01",
        "2026-03",
    ]


def test_text_of_a_file_is_no_markup_of_the_page(bench: Any, example: Any) -> None:
    row = bench.comparison.Comparison("<script>| [x](y) `z`", "", (1.0,), "**p**", (1.0,))
    page = bench.speed.page([example(scripts={"one": bench.comparison.Script((row,), 1.0, None)})])
    assert r"| &lt;script&gt;\| \[x\]\(y\) \`z\` | \*\*p\*\* | 1 |" in page


@pytest.mark.parametrize("changes", [{"quick": True}, {"revision": "01234567+dirty"}, {"revision": ""}])
def test_the_page_refuses_runs_that_cannot_stand_for_a_release(
    bench: Any, example: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    bench.comparison.write_run(tmp_path / "run.json", example(**changes))
    with pytest.raises(FormatError, match=r"run\.json: a (quick run|run of code that is not committed)"):
        bench.speed.load(tmp_path)


def test_the_runs_that_are_kept_make_a_page(bench: Any) -> None:
    assert bench.speed.page(bench.speed.load()).startswith("# Benchmarks by release")
