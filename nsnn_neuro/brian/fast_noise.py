"""Faster `xi`, `randn()` and `rand()` for any Brian2 model, drawn in vectorised blocks.

`fast_noise` replaces the implementations of the two functions on each target and restores Brian2's afterwards. The generator is the
one of the keyed noise (Philox4x32-10, normals by Box and Muller). As in Brian2, numbers are drawn in the order in which code runs:
the number of a neuron depends on all earlier draws. The C code is in fast_noise.h.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import prefs
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.core.functions import DEFAULT_FUNCTIONS, FunctionImplementationContainer
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject

from ..core.checks import check_seed, suggest_keywords
from ..core.errors import NsnnError
from ..core.warn import warn
from . import philox

_BUFFER = 2048
_CODE = (Path(__file__).parent / "fast_noise.h").read_text(encoding="utf-8")
_HEADER = f"{philox.HEADER}#define NSNN_BUFFER {_BUFFER}\n{_CODE}"
_PATH = 0x66617374  # path of the keys, so that the numbers differ from keyed noise with the same seed


def _refuse_threads() -> None:
    threads = prefs.devices.cpp_standalone.openmp_threads
    if threads:
        raise NsnnError(
            f"prefs.devices.cpp_standalone.openmp_threads = {threads}: threads would share the buffers of fast_noise; "
            "set it to 0, or build without fast_noise"
        )


def _cython(name: str, draw: str, key: tuple[int, int]) -> tuple[str, dict[str, np.ndarray]]:
    """Code, and the state that all code objects share. The state is not in the code, so a compiled module serves any seed."""
    indented = "\n".join("    " + line for line in _HEADER.splitlines())
    code = f'''
cdef extern from *:
    """
{indented}
    """
    double {draw}(int64_t *state, double *buffer) nogil

cdef inline double _{name}(int _idx) noexcept nogil:
    return {draw}(_namespace_fast_{name}_state, _namespace_fast_{name}_buffer)
'''
    state = np.array([*key, 0, _BUFFER, 0], dtype=np.int64)
    return code, {f"_fast_{name}_state": state, f"_fast_{name}_buffer": np.empty(_BUFFER)}


def _standalone(name: str, draw: str, key: tuple[int, int], stream: int) -> dict[str, str]:
    """Code with a separate state, since code objects are compiled separately."""
    _refuse_threads()
    code = f"""
static int64_t _fast_{name}_state[5] = {{{key[0]}, {key[1]}, 0, NSNN_BUFFER, {stream}}};
static double _fast_{name}_buffer[NSNN_BUFFER];
static inline double _{name}(const int _vectorisation_idx) {{
    return {draw}(_fast_{name}_state, _fast_{name}_buffer);
}}
"""
    return {"support_code": f"{_HEADER}\n{code}"}


def _implementations(name: str, draw: str, key: tuple[int, int], numpy_draw: Callable[[Any], Any]) -> Any:
    implementations = FunctionImplementationContainer(DEFAULT_FUNCTIONS[name])
    implementations.add_implementation(NumpyCodeGenerator, code=lambda idx: numpy_draw(np.shape(idx) or None))
    code, arrays = _cython(name, draw, key)
    implementations.add_implementation(CythonCodeGenerator, code=code, name=f"_{name}", namespace=arrays)
    streams = itertools.count(1)
    implementations.add_dynamic_implementation(
        CPPStandaloneCodeObject,
        code=lambda owner: _standalone(name, draw, key, next(streams)),
        namespace=lambda owner: {},
        name=f"_{name}",
    )
    return implementations


@suggest_keywords
def fast_noise(seed: int | None = None) -> contextlib.AbstractContextManager[int]:
    """Speed up `xi`, `randn()` and `rand()` of a Brian2 model inside the block, by drawing in vectorised blocks.

    Works in equations, resets, thresholds, synapses and initial values, on Brian2's NumPy, Cython and C++ standalone targets. Code
    has to be generated inside the block, at `run` (and `connect`); a standalone model may be built later. Yields the seed; None
    draws one. As a decorator, `@fast_noise(seed=1)`, it encloses each call of a function. A call that is used as neither changes
    nothing, and says so in a warning. Arguments are checked at the call.

    - Normals end at 6.76 standard deviations, beyond which one in 7e10 lies; uniforms are never 0 or 1.
    - The numbers are identical for the same seed and target if the same code runs in the same order, unlike the package's keyed
      noise, whose numbers depend on neuron, trial and step only. In C++ standalone each run of a binary has the same numbers.
      `brian2.seed` has no effect, and `restore` does not reset the draws.
    - `poisson()` is drawn from `rand()` in Cython and C++. On the NumPy target `poisson()` and `BinomialFunction` (`PoissonInput`)
      remain Brian2's.

    Raises
    ------
    NsnnError : OpenMP threads, which would share a buffer. Other targets raise an error in Brian2.

    Source: Salmon et al. 2011, doi 10.1145/2063384.2063405; Box and Muller 1958, doi 10.1214/aoms/1177706645.

    >>> from brian2 import Network, NeuronGroup, ms
    >>> group = NeuronGroup(2, "dv/dt = -v/(10*ms) + xi*ms**-0.5 : 1", method="euler", namespace={"ms": ms}, name="doc_fast")
    >>> with fast_noise(seed=1) as seed:
    ...     Network(group, name="doc_fast_network").run(1 * ms, namespace={})
    >>> seed, bool(group.v[0] != group.v[1])
    (1, True)
    """
    if seed is not None:
        check_seed(seed)
    _refuse_threads()
    return _Block(seed)


class _Block(contextlib.AbstractContextManager[int], contextlib.ContextDecorator):
    """A block, or a decorator, that warns when it is thrown away without having been used: nothing was sped up then."""

    def __init__(self, seed: int | None) -> None:
        self._seed, self._entered = seed, False

    def _recreate_cm(self) -> _Block:
        """A new block for each call of a decorated function."""
        return _Block(self._seed)

    def __call__(self, function: Callable[..., Any]) -> Any:
        self._entered = True
        return super().__call__(function)

    def __enter__(self) -> int:
        self._entered, seed = True, check_seed(self._seed)
        _refuse_threads()
        key = philox.key(seed, _PATH)
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(_PATH,))))
        self._before = {name: DEFAULT_FUNCTIONS[name].implementations for name in ("randn", "rand")}
        for name, draw, numpy_draw in (
            ("randn", "nsnn_next_normal", generator.standard_normal),
            ("rand", "nsnn_next_uniform", generator.random),
        ):
            DEFAULT_FUNCTIONS[name].implementations = _implementations(name, draw, key, numpy_draw)
        return seed

    def __exit__(self, *error: Any) -> None:
        for name, implementations in self._before.items():
            DEFAULT_FUNCTIONS[name].implementations = implementations

    def __del__(self) -> None:
        if not self._entered:
            warn(
                "fast_noise(...) without `with` changes nothing: run the model inside `with fast_noise(seed=1):`"
            )
