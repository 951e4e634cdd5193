"""Modules of benchmarks/ and of the page that is made from their files, and a run as an example."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"


@contextlib.contextmanager
def modules() -> Iterator[Any]:
    """The modules, imported as the scripts find each other."""
    names = ("comparison", "environment", "run", "speed")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.syspath_prepend(str(ROOT / "docs" / "site"))
        before = list(sys.path)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        sys.path[:] = before


def example_run(
    c: Any, version: str = "1.0.0", started: str = "2026-01-02T03:04:05+00:00", **changes: Any
) -> Any:
    """A run with each kind of comparison; `c` is the module `comparison`."""
    rows = (
        c.Comparison("matrix", "9 trains", (0.2, 0.1, 0.3), "Elephant", (1.0, 2.0, 1.2), c.Agreement("d", 1.0, 1.0)),
        c.Comparison("population", "5 neurons", (2.0,), "NEST", (1.0,), c.Agreement("rate (Hz)", 8.0, 9.0, 0.1)),
        c.Comparison("population", "5 neurons", (), "JAX", missing="not installed"),
        c.Comparison("calibration", "", (4.0, 5.0), goal="30 s", calls=(5.0, 6.0)),
    )  # fmt: skip
    scripts = {"one": c.Script(rows, 3.0, 0.5), "two": c.Script((), 1.0, None, "exit status 1: no")}
    machine, versions = {"processor": "X", "cores": "2"}, {"jax": "not installed"}
    run = c.Run(version, "0123456789ab", started, False, machine, versions, scripts)
    return dataclasses.replace(run, **changes)
