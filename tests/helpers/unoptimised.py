"""C++ without optimisation, which takes a third of the time: for tests of what does not depend on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from brian2 import prefs

FLAGS = ["-w", "-O0", "-std=c++11"]


@pytest.fixture(scope="module")
def unoptimised() -> Iterator[None]:
    """Programs of this module are compiled without optimisation."""
    before = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    yield
    prefs.codegen.cpp.extra_compile_args_gcc = before
