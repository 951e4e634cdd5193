"""The dense work of learning in layers as functions of generated code: what arrives, what is kept, the sweep back in time.

Arrays are unit-major: the value of unit q in copy b is at [q * batch + b], and of step t at [t][q * batch + b]. Each function is
there for the NumPy target and for Cython, where products are BLAS's dgemm and the arrays lie in the function's namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator

from ..losses import Loss

__all__ = ["Layer", "Sweep", "forced", "keep", "pixel", "product"]

_BLAS = "from scipy.linalg.cython_blas cimport dgemm\n"


def _function(
    name: str,
    types: list[str],
    numpy_target: Callable[..., Any],
    code: str,
    arrays: Callable[[], dict[str, np.ndarray]],
) -> Function:
    """A function of generated code; in `code` the name of an array is that of its pointer."""
    function = Function(
        numpy_target,
        arg_units=[1] * len(types),
        return_unit=1,
        arg_types=types,
        return_type="float",
        stateless=False,
    )
    declared = ", ".join(f"_namespace{name}_{array}" for array in arrays())
    pointers = "\n".join(
        f"    cdef {'double' if value.dtype == float else 'int32_t'} *{array} = _namespace{name}_{array}"
        for array, value in arrays().items()
    )
    head, _, body = code.rpartition("{\n")
    text = f"{head.rstrip()}:\n    global {declared}\n{pointers}\n{body}"
    function.implementations.add_implementation(NumpyCodeGenerator, code=numpy_target)
    function.implementations.add_dynamic_implementation(
        CythonCodeGenerator,
        code=lambda owner: text,
        name=name,
        namespace=lambda owner: {f"{name}_{array}": value.reshape(-1) for array, value in arrays().items()},
    )
    return function


def _number(step: Any) -> int:
    return int(np.ravel(step)[0])


class Layer:
    """What the layers' functions share: weights, gradient and what a batch went through, each (n_steps, n * batch).

    odds : log-odds of a spike, of an output that is given its spikes
    o : output; f : the factor; carried : du(t+1)/du(t) without the input's; d : dL/do; g : dL/du
    """

    def __init__(self, n: int, batch: int, n_steps: int) -> None:
        self.n, self.batch, self.n_steps = n, batch, n_steps
        shape = (n_steps, n * batch)
        self.o, self.f, self.carried, self.d, self.g = (np.zeros(shape) for _ in range(5))
        self.odds = np.zeros((0, n * batch))
        self.arrived = np.zeros(n * batch)
        self.w = self.slope = np.zeros(0)  # those of the Brian2 group, once there is one

    def samples(self, name: str) -> np.ndarray:
        """One of the histories as (batch, n_steps, n)."""
        return getattr(self, name).reshape(self.n_steps, self.n, self.batch).transpose(2, 0, 1).copy()


def pixel(batch: int, n_steps: int, data: Callable[[], dict[str, np.ndarray]]) -> Function:
    """x(i, step): the input's value in the sample that copy i % batch has in this step. `data`: values, order, strides."""

    def numpy_target(i, step):
        found = data()
        period, k = divmod(_number(step), n_steps)
        rows, (sample, further) = found["order"].reshape(-1, batch)[period].astype(np.int64), found["strides"]
        return found["values"][rows[i % batch] * sample + k * further + i // batch]

    code = f"""
cdef double pixel(int i, int64_t step) {{
    cdef int64_t row = order[(step // {n_steps}) * {batch} + i % {batch}]
    return values[row * strides[0] + (step % {n_steps}) * strides[1] + i // {batch}]
"""
    return _function("pixel", ["integer"] * 2, numpy_target, code, data)


def product(name: str, layer: Layer, before: Layer) -> Function:
    """(i, step): what arrives at member i in this step, the weighted output of the layer before, for all members at i = 0."""
    m, n, k, last = layer.batch, layer.n, before.n, layer.n_steps

    def numpy_target(i, step):
        z = before.o[_number(step) % last].reshape(k, m)
        layer.arrived.reshape(n, m)[:] = layer.w.reshape(k, n).T @ z
        return layer.arrived[i]

    code = f"""
{_BLAS}
cdef double {name}(int i, int64_t step) {{
    cdef int m = {m}, n = {n}, k = {k}
    cdef double one = 1, zero = 0
    if i == 0:
        dgemm("N", "T", &m, &n, &k, &one, z + (step % {last}) * {k * m}, &m, w, &n, &zero, arrived, &m)
    return arrived[i]
"""
    return _function(
        name,
        ["integer"] * 2,
        numpy_target,
        code,
        lambda: {"z": before.o, "w": layer.w, "arrived": layer.arrived},
    )


def keep(name: str, layer: Layer) -> Function:
    """(i, step, o, f, carried): put away what the sweep needs."""
    size, last = layer.n * layer.batch, layer.n_steps

    def numpy_target(i, step, o, f, carried):
        k = _number(step) % last
        layer.o[k], layer.f[k], layer.carried[k] = o, f, carried
        return np.zeros(size)

    code = f"""
cdef double {name}(int i, int64_t step, double o, double f, double carried) {{
    cdef int64_t at = (step % {last}) * {size} + i
    kept_o[at] = o
    kept_f[at] = f
    kept_carried[at] = carried
    return 0
"""
    return _function(
        name,
        ["integer"] * 2 + ["float"] * 3,
        numpy_target,
        code,
        lambda: {"kept_o": layer.o, "kept_f": layer.f, "kept_carried": layer.carried},
    )


def forced(layer: Layer, plan: Callable[[], dict[str, np.ndarray]]) -> Function:
    """(i, step, odds): the target spike of member i, its spike in this step; the log-odds are put away for the loss."""
    n, m, last = layer.n, layer.batch, layer.n_steps
    layer.odds = np.zeros((last, n * m))

    def numpy_target(i, step, odds):
        period, k = divmod(_number(step), last)
        layer.odds[k] = odds
        rows = plan()["rows"].reshape(-1, m)[period]
        return plan()["targets"].reshape(-1, last, n)[rows, k].T.reshape(-1)[i]

    code = f"""
cdef double forced(int i, int64_t step, double odds) {{
    cdef int64_t k = step % {last}, row = rows[(step // {last}) * {m} + i % {m}]
    kept_odds[k * {n * m} + i] = odds
    return targets[(row * {last} + k) * {n} + i // {m}]
"""
    return _function(
        "forced",
        ["integer"] * 2 + ["float"],
        numpy_target,
        code,
        lambda: {"kept_odds": layer.odds, "targets": plan()["targets"], "rows": plan()["rows"]},
    )


class Sweep:
    """After the last step of a batch: its loss and numbers of spikes, and, where it is to be learned from, the gradients.

    Backwards in time and from the output down: g(t) = d(t) f(t) + carried(t) g(t+1), dL/dW = sum_t z(t) g(t)^T, and the signal
    of the layer before d(t) = back g(t), back = W or fixed weights; or, told directly (`broadcast`), back d of the output.
    """

    def __init__(
        self, layers: list[Layer], loss: Loss, feedback: list[np.ndarray] | None, broadcast: bool
    ) -> None:
        self.layers, self.loss, self.feedback, self.broadcast = layers, loss, feedback, broadcast
        self.plan: dict[str, np.ndarray] = {}
        self.due = np.zeros(1)

    def _back(self, k: int) -> np.ndarray:
        return self.layers[k + 1].w if self.feedback is None else self.feedback[k - 1]

    def _run(self, i: Any, step: Any) -> Any:
        """The NumPy target's."""
        out = self.layers[-1]
        period, k = divmod(_number(step), out.n_steps)
        if k < out.n_steps - 1:
            return np.zeros(1)
        plan, batch = self.plan, out.batch
        here = slice(period * batch, (period + 1) * batch)
        o = out.samples("o")
        if self.loss.targets == "spikes":
            y = plan["targets"].reshape(-1, out.n_steps, out.n)[plan["rows"][here]]
        else:
            y = plan["labels"][here]
        read = out.samples("odds") if self.loss.forced else o
        plan["value"][here] = self.loss.value(read, y)
        plan["count"].reshape(-1, out.n)[here] = o.sum(1)
        self.due[0] = plan["learns"][period]
        if not self.due[0]:
            return np.zeros(1)
        d = self.loss.gradient(read, y) * plan["share"][here][:, None, None]
        out.d[:] = d.transpose(1, 2, 0).reshape(out.d.shape)
        for k in range(len(self.layers) - 1, 0, -1):
            layer, before = self.layers[k], self.layers[k - 1]
            later = np.zeros(layer.n * batch)
            slope = layer.slope.reshape(before.n, layer.n)
            slope[:] = 0
            for t in reversed(range(out.n_steps)):
                later = layer.g[t] = layer.d[t] * layer.f[t] + layer.carried[t] * later
                slope += before.o[t].reshape(before.n, batch) @ later.reshape(layer.n, batch).T
            if k > 1:
                source, told = (out, out.d) if self.broadcast else (layer, layer.g)
                back = self._back(k - 1).reshape(before.n, source.n)
                for t in range(out.n_steps):
                    before.d[t] = (back @ told[t].reshape(source.n, batch)).ravel()
        return np.zeros(1)

    def _arrays(self) -> dict[str, np.ndarray]:
        found = {"due": self.due} | self.plan
        if self.loss.forced:
            found["odds"] = self.layers[-1].odds
        for k, layer in enumerate(self.layers):
            found |= {f"o{k}": layer.o, f"d{k}": layer.d}
            if k:
                found |= {
                    f"f{k}": layer.f,
                    f"c{k}": layer.carried,
                    f"g{k}": layer.g,
                    f"slope{k}": layer.slope,
                }
            if 0 < k < len(self.layers) - 1:
                found[f"back{k}"] = self._back(k)
        return found

    def function(self) -> Function:
        """(i, step) for generated code."""
        return _function("sweep", ["integer"] * 2, self._run, self._code(), self._arrays)

    def pending(self) -> Function:
        """(i): 1 where the gradients of the batch before are to change the weights, else 0."""
        code = "\ncdef double pending(int i) {\n    return due[0]\n"
        return _function("pending", ["integer"], lambda i: self.due[0], code, lambda: {"due": self.due})

    def _loss_code(self) -> str:
        """C of the loss for all copies, which also counts the spikes of each copy's output."""
        out = self.layers[-1]
        numbers = "".join(
            f"    const double {f.name} = {float(self.loss.si(f.name))!r};\n" for f in self.loss._parameters()
        )
        return f"""
cdef extern from *:
    \"\"\"
    #include <math.h>
    #include <stdint.h>
    #define O(t, k) nsnn_read[((t) * n + (k)) * batch + b]
    #define D(t, k) nsnn_d[((t) * n + (k)) * batch + b]
    #define T(t, k) nsnn_targets[((int64_t)rows[b] * n_steps + (t)) * n + (k)]
    static void nsnn_loss(const double *nsnn_read, const double *nsnn_o, double *nsnn_d, const int32_t *labels,
                          const double *nsnn_targets, const int32_t *rows, double *values, double *counts) {{
    const int n = {out.n}, n_steps = {out.n_steps}, batch = {out.batch};
    (void)nsnn_read;
{numbers}
    for (int b = 0; b < batch; b++) {{
        const int label = labels[b];
        double value = 0;
        {{ {self.loss.code} }}
        values[b] = value;
        for (int k = 0; k < n; k++) {{
            double count = 0;
            for (int t = 0; t < n_steps; t++) count += nsnn_o[(t * n + k) * batch + b];
            counts[b * n + k] = count;
        }}
    }}
    }}
    #undef O
    #undef D
    #undef T
    \"\"\"
    void nsnn_loss(const double *read, const double *o, double *d, const int32_t *labels, const double *targets,
                   const int32_t *rows, double *values, double *counts) nogil
"""

    def _code(self) -> str:
        top = len(self.layers) - 1
        out, batch = self.layers[-1], self.layers[-1].batch
        read = "odds" if self.loss.forced else f"o{top}"
        lines = [
            f"cdef int t, q, b, m, n, k, batch = {batch}",
            "cdef double one = 1, zero = 0, first",
            f"cdef int64_t period = step // {out.n_steps}",
            f"if step % {out.n_steps} < {out.n_steps - 1}:",
            "    return 0",
            f"nsnn_loss({read}, o{top}, d{top}, labels + period * batch, targets, rows + period * batch, "
            f"value + period * batch, count + period * batch * {out.n})",
            "due[0] = learns[period]",
            "if due[0] == 0:",
            "    return 0",
            f"for q in range({out.n_steps * out.n}):",
            "    for b in range(batch):",
            f"        d{top}[q * batch + b] *= share[period * batch + b]",
        ]
        for index in range(top, 0, -1):
            lines += self._layer_code(index)
        body = "\n".join("    " + line for line in lines)
        return (
            f"{_BLAS}{self._loss_code()}\ncdef double sweep(int i, int64_t step) {{\n{body}\n    return 0\n"
        )

    def _layer_code(self, k: int) -> list[str]:
        layer, before, top = self.layers[k], self.layers[k - 1], len(self.layers) - 1
        size, size_before = layer.n * layer.batch, before.n * layer.batch
        lines = [
            f"for t in range({layer.n_steps - 1}, -1, -1):",
            f"    for q in range({size}):",
            f"        g{k}[t * {size} + q] = d{k}[t * {size} + q] * f{k}[t * {size} + q]",
            f"    if t < {layer.n_steps - 1}:",
            f"        for q in range({size}):",
            f"            g{k}[t * {size} + q] += c{k}[t * {size} + q] * g{k}[(t + 1) * {size} + q]",
            f"    m, n, first = {layer.n}, {before.n}, 0 if t == {layer.n_steps - 1} else 1",
            f'    dgemm("T", "N", &m, &n, &batch, &one, g{k} + t * {size}, &batch, '
            f"o{k - 1} + t * {size_before}, &batch, &first, slope{k}, &m)",
        ]
        if k > 1:
            source, told = (self.layers[-1], f"d{top}") if self.broadcast else (layer, f"g{k}")
            lines += [
                f"    n, k = {before.n}, {source.n}",
                f'    dgemm("N", "N", &batch, &n, &k, &one, {told} + t * {source.n * layer.batch}, &batch, '
                f"back{k - 1}, &k, &zero, d{k - 1} + t * {size_before}, &batch)",
            ]
        return lines
