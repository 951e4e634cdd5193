"""Functions called by generated code during layered training, in NumPy and Cython, and the arrays that they share.

Arrays are unit-major: the value of unit q in copy b is at [q * batch + b], and of step t at [t][q * batch + b]. In Cython, products
are BLAS's dgemm and the arrays lie in the function's namespace.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function
from brian2.codegen.generators.cython_generator import CythonCodeGenerator

from ..brian import engine
from ..models.log_odds import CompiledFunction

BLAS = "from libc.string cimport memcpy\nfrom scipy.linalg.cython_blas cimport dgemm\n"


def step_function(
    name: str,
    types: list[str],
    numpy_target: Callable[..., Any],
    code: str,
    arrays: Callable[[], dict[str, np.ndarray]],
    *,
    shared: bool = False,
) -> Function:
    """A function of generated code; in `code` the name of an array is that of its pointer.

    `shared`: called once in a step, of shared values alone, before the loop over members.
    """
    function = engine.unitless(numpy_target, types, stateless=shared)
    declared = ", ".join(f"_namespace{name}_{array}" for array in arrays())
    pointers = "\n".join(
        f"    cdef {'double' if value.dtype == float else 'int32_t'} *{array} = _namespace{name}_{array}"
        for array, value in arrays().items()
    )
    head, _, body = code.rpartition("{\n")
    # no look at Python's errors after each call: it would keep the compiler from vectorising the loop
    text = f"{head.rstrip()} noexcept:\n    global {declared}\n{pointers}\n{body}"
    function.implementations.add_dynamic_implementation(
        CythonCodeGenerator,
        code=lambda owner: text,
        name=name,
        namespace=lambda owner: {f"{name}_{array}": value.reshape(-1) for array, value in arrays().items()},
    )
    return function


def compiled(name: str, function: CompiledFunction) -> Function:
    """A function of one float, with its NumPy and Cython texts, for Brian2."""
    made = engine.unitless(function.numpy, ["float"])
    made.implementations.add_implementation(CythonCodeGenerator, code=function.cython, name=name)
    return made


def step_number(step: Any) -> int:
    """The step, a shared value, as a Python integer."""
    return int(np.ravel(step)[0])


@dataclasses.dataclass
class Loop:
    """Synapses of a layer onto itself: spikes of one step arrive in the next.

    autapses : whether neurons synapse onto themselves; without, these weights and gradients stay 0
    back : whether signals go back through them
    """

    autapses: bool
    back: bool
    w: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    slope: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))


class Layer:
    """The arrays of a layer: weights, gradient, and histories of a batch, each (n_steps, n * batch).

    o : output; f : the factor; carried : du(t+1)/du(t) without the input's; d : dL/do; g : dL/du
    odds : log-odds of a spike, of an output whose spikes are forced
    now : o, f, carried and odds in this step, those of the Brian2 group
    """

    def __init__(self, n: int, batch: int, n_steps: int) -> None:
        self.n, self.batch, self.n_steps = n, batch, n_steps
        shape = (n_steps, n * batch)
        self.o, self.f, self.carried, self.odds, self.d, self.g = (np.zeros(shape) for _ in range(6))
        # those of the Brian2 groups, once there are these
        self.arrived = self.w = self.slope = np.zeros(0)
        self.now: dict[str, np.ndarray] = {}
        self.loop: Loop | None = None

    def samples(self, name: str) -> np.ndarray:
        """One of the histories as (batch, n_steps, n)."""
        return getattr(self, name).reshape(self.n_steps, self.n, self.batch).transpose(2, 0, 1).copy()


def pixel(batch: int, n_steps: int, data: Callable[[], dict[str, np.ndarray]], units: int = 1) -> Function:
    """x(unit, copy, step): the input's value in the copy's sample and this step.

    `data`: values, order, strides; `units` neurons in a row share a value.
    """

    def numpy_target(unit, copy, step):
        now = data()
        period, k = divmod(step_number(step), n_steps)
        rows, (sample, further) = now["order"].reshape(-1, batch)[period].astype(np.int64), now["strides"]
        return now["values"][rows[copy] * sample + k * further + unit // units]

    code = f"""
cdef double pixel(int unit, int copy, int64_t step) {{
    cdef int64_t row = order[(step // {n_steps}) * {batch} + copy]
    return values[row * strides[0] + (step % {n_steps}) * strides[1] + unit // {units}]
"""
    return step_function("pixel", ["integer"] * 3, numpy_target, code, data)


def product(name: str, layer: Layer, before: Layer) -> Function:
    """(step): sets `layer.arrived` to the weighted output of the layer before, plus that of its own layer in the step before."""
    m, n, k, last, loop = layer.batch, layer.n, before.n, layer.n_steps, layer.loop

    def numpy_target(step):
        z = before.now["o"].reshape(k, m)
        layer.arrived.reshape(n, m)[:] = layer.w.reshape(k, n).T @ z
        if loop is not None and step_number(step) % last:
            own = layer.o[step_number(step) % last - 1].reshape(n, m)
            layer.arrived.reshape(n, m)[:] += loop.w.reshape(n, n).T @ own
        return 0.0

    def arrays() -> dict[str, np.ndarray]:
        always = {"z": before.now["o"], "w": layer.w, "arrived": layer.arrived}
        return always | ({"own": layer.o, "loop": loop.w} if loop is not None else {})

    again = f"""
    if step % {last} > 0:
        dgemm("N", "T", &m, &n, &n, &one, own + (step % {last} - 1) * {n * m}, &m, loop, &n, &one, arrived, &m)
"""
    code = f"""
{BLAS}
cdef double {name}(int64_t step) {{
    cdef int m = {m}, n = {n}, k = {k}
    cdef double one = 1, zero = 0
    dgemm("N", "T", &m, &n, &k, &one, z, &m, w, &n, &zero, arrived, &m){again if loop is not None else ""}
    return 0
"""
    return step_function(name, ["integer"], numpy_target, code, arrays, shared=True)


def forced(layer: Layer, plan: Callable[[], dict[str, np.ndarray]]) -> Function:
    """(unit, copy, step): the target spike of a member in this step."""
    n, m, last = layer.n, layer.batch, layer.n_steps

    def arrays() -> dict[str, np.ndarray]:
        return {name: plan()[name] for name in ("targets", "rows")}

    def numpy_target(unit, copy, step):
        period, k = divmod(step_number(step), last)
        rows = plan()["rows"].reshape(-1, m)[period]
        return plan()["targets"].reshape(-1, last, n)[rows[copy], k, unit]

    code = f"""
cdef double forced(int unit, int copy, int64_t step) {{
    cdef int64_t k = step % {last}, row = rows[(step // {last}) * {m} + copy]
    return targets[(row * {last} + k) * {n} + unit]
"""
    return step_function("forced", ["integer"] * 3, numpy_target, code, arrays)
