"""Backward pass of the batched learner: loss and gradients of a batch, from the last step to the first, in NumPy and Cython."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Function

from .kernels import BLAS, Layer, step_function, step_number
from .layer_parameters import LayerParameter
from .learner import Teacher
from .losses import Loss


class Sweep(Teacher):
    """Stores each step; after a batch's last step computes its losses and spike counts, and, where it learns, the gradients.

    Backwards in time and from the output down: g(t) = d(t) f(t) + carried(t) g(t+1), dL/dW = sum_t z(t) g(t)^T. The signal of the
    layer before is d(t) = back g(t), back = W or fixed weights; with signal="broadcast" it is back d(t) of the output. For a loop
    with weights R: d(t) += R g(t+1) where signals go back through it, dL/dR = sum_t o(t-1) g(t)^T. With "reward" d(t) is the same
    for all neurons: the sample's loss minus the mean of the batch's others, or, where there are none, of samples learned from
    earlier in the run.
    """

    levels: tuple[LayerParameter, ...] = ()
    """those that are learned"""

    def __init__(
        self, layers: list[Layer], loss: Loss, feedback: list[np.ndarray] | None, signal: str
    ) -> None:
        super().__init__(loss)
        self.layers: list[Layer] = layers
        self.feedback, self.signal = feedback, signal

    def _back(self, k: int) -> np.ndarray:
        return self.layers[k + 1].w if self.feedback is None else self.feedback[k - 1]

    def _run(self, i: Any, step: Any) -> Any:
        out = self.layers[-1]
        period, k = divmod(step_number(step), out.n_steps)
        for layer in self.layers:
            for name, values in layer.now.items():
                getattr(layer, name)[k] = values
        if k < out.n_steps - 1:
            return np.zeros(1)
        plan, batch = self.plan, out.batch
        here = slice(period * batch, (period + 1) * batch)
        o = out.samples("o")
        y = plan["labels"][here]
        if self.loss.targets == "spikes":
            y = plan["targets"].reshape(-1, out.n_steps, out.n)[plan["rows"][here]]
        read = out.samples("odds") if self.loss.forced else o
        plan["value"][here] = self.loss.value(read, y)
        plan["count"].reshape(-1, out.n)[here] = o.sum(1)
        self.due[0] = plan["learns"][period]
        if not self.due[0]:
            return np.zeros(1)
        share = plan["share"][here]
        if self.signal == "reward":
            advantage = share * self._advantage(plan["value"][here], share > 0)
            for layer in self.layers[1:]:
                layer.d.reshape(-1, batch)[:] = advantage
        else:
            d = self.loss.gradient(read, y) * share[:, None, None]
            out.d[:] = d.transpose(1, 2, 0).reshape(out.d.shape)
        for k in range(len(self.layers) - 1, 0, -1):
            layer, before = self.layers[k], self.layers[k - 1]
            later = np.zeros(layer.n * batch)
            slope = layer.slope.reshape(before.n, layer.n)
            slope[:] = 0
            loop, size = layer.loop, (layer.n, layer.n)
            again = np.zeros(size)
            for t in reversed(range(out.n_steps)):
                if loop is not None and loop.back:
                    layer.d[t] += (loop.w.reshape(size) @ later.reshape(layer.n, batch)).ravel()
                later = layer.g[t] = layer.d[t] * layer.f[t] + layer.carried[t] * later
                slope += before.o[t].reshape(before.n, batch) @ later.reshape(layer.n, batch).T
                if loop is not None and t:
                    again += layer.o[t - 1].reshape(layer.n, batch) @ later.reshape(layer.n, batch).T
            if loop is not None:
                loop.slope[:] = (again * (loop.autapses | ~np.eye(layer.n, dtype=bool))).ravel()
            if k > 1 and self.signal != "reward":
                source, signal = (out, out.d) if self.signal == "broadcast" else (layer, layer.g)
                back = self._back(k - 1).reshape(before.n, source.n)
                for t in range(out.n_steps):
                    before.d[t] = (back @ signal[t].reshape(source.n, batch)).ravel()
        for level in self.levels:
            level.go_back()
        return np.zeros(1)

    def _advantage(self, value: np.ndarray, real: np.ndarray) -> np.ndarray:
        """The losses of a batch minus baselines that don't depend on the sample's own spikes."""
        earlier, total, n = self.plan["earlier"], value[real].sum(), real.sum()
        baseline = (total - value) / (n - 1) if n > 1 else earlier[0] / max(earlier[1], 1)
        earlier += total, n
        return np.asarray(value - baseline)

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {"due": self.due} | self.plan
        if self.loss.forced:
            arrays[f"odds{len(self.layers) - 1}"] = self.layers[-1].odds
        for k, layer in enumerate(self.layers):
            arrays |= {f"o{k}": layer.o, f"d{k}": layer.d}
            arrays |= {f"{name}{k}_now": values for name, values in layer.now.items()}
            if k:
                arrays |= {f"{name}{k}": getattr(layer, name) for name in ("f", "carried", "g", "slope")}
            if layer.loop is not None:
                arrays |= {f"loop{k}": layer.loop.w, f"again{k}": layer.loop.slope}
            if 0 < k < len(self.layers) - 1 and self.signal != "reward":
                arrays[f"back{k}"] = self._back(k)
        for level in self.levels:
            arrays |= level.arrays()
        return arrays

    def function(self) -> Function:
        """(i, step) for generated code."""
        return step_function("sweep", ["integer"] * 2, self._run, self._code(), self._arrays)

    def _loss_code(self) -> str:
        """C of the loss for all copies, which also counts the spikes of each copy's output."""
        out = self.layers[-1]
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
{self.constants()}
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
        share = [
            f"for q in range({out.n_steps * out.n}):",
            "    for b in range(batch):",
            f"        d{top}[q * batch + b] *= share[period * batch + b]",
        ]
        read = f"odds{top}" if self.loss.forced else f"o{top}"
        lines = [
            f"cdef int t, q, b, m, n, k, batch = {batch}",
            "cdef double one = 1, zero = 0, first, total, number, advantage",
            f"cdef int64_t period = step // {out.n_steps}, k_now = step % {out.n_steps}",
            *(
                f"memcpy({name}{k} + k_now * {values.size}, {name}{k}_now, {8 * values.size})"
                for k, layer in enumerate(self.layers)
                for name, values in layer.now.items()
            ),
            f"if k_now < {out.n_steps - 1}:",
            "    return 0",
            f"nsnn_loss({read}, o{top}, d{top}, labels + period * batch, targets, rows + period * batch, "
            f"value + period * batch, count + period * batch * {out.n})",
            "due[0] = learns[period]",
            "if due[0] == 0:",
            "    return 0",
            *(self._reward_code() if self.signal == "reward" else share),
        ]
        for index in range(top, 0, -1):
            lines += self._layer_code(index)
        for level in self.levels:
            lines += level.code()
        body = "\n".join("    " + line for line in lines)
        return f"{BLAS}{self._loss_code()}\ncdef double sweep(int i, int64_t step) {{\n{body}\n    return 0\n"

    def _reward_code(self) -> list[str]:
        """`_advantage`, sent to all layers."""
        lines = [
            "total, number = 0, 0",
            "for b in range(batch):",
            "    if share[period * batch + b] > 0:",
            "        total += value[period * batch + b]",
            "        number += 1",
            "for b in range(batch):",
            "    advantage = value[period * batch + b]",
            "    if number > 1:",
            "        advantage -= (total - advantage) / (number - 1)",
            "    elif earlier[1] > 0:",
            "        advantage -= earlier[0] / earlier[1]",
            "    advantage *= share[period * batch + b]",
        ]
        for k, layer in enumerate(self.layers[1:], 1):
            lines += [
                f"    for q in range({layer.n_steps * layer.n}):",
                f"        d{k}[q * batch + b] = advantage",
            ]
        return [*lines, "earlier[0] += total", "earlier[1] += number"]

    def _layer_code(self, k: int) -> list[str]:
        layer, before, top = self.layers[k], self.layers[k - 1], len(self.layers) - 1
        size, size_before = layer.n * layer.batch, before.n * layer.batch
        loop, last, after = layer.loop, layer.n_steps - 1, list[str]()
        back = [
            f"    if t < {last}:",
            f"        n = {layer.n}",
            f'        dgemm("N", "N", &batch, &n, &n, &one, g{k} + (t + 1) * {size}, &batch, loop{k}, &n, &one, '
            f"d{k} + t * {size}, &batch)",
        ]
        lines = [
            f"for t in range({layer.n_steps - 1}, -1, -1):",
            *(back if loop is not None and loop.back else []),
            f"    for q in range({size}):",
            f"        g{k}[t * {size} + q] = d{k}[t * {size} + q] * f{k}[t * {size} + q]",
            f"    if t < {layer.n_steps - 1}:",
            f"        for q in range({size}):",
            f"            g{k}[t * {size} + q] += carried{k}[t * {size} + q] * g{k}[(t + 1) * {size} + q]",
            f"    m, n, first = {layer.n}, {before.n}, 0 if t == {layer.n_steps - 1} else 1",
            f'    dgemm("T", "N", &m, &n, &batch, &one, g{k} + t * {size}, &batch, '
            f"o{k - 1} + t * {size_before}, &batch, &first, slope{k}, &m)",
        ]
        if loop is not None:
            lines += [
                "    if t > 0:",
                f'        dgemm("T", "N", &m, &m, &batch, &one, g{k} + t * {size}, &batch, '
                f"o{k} + (t - 1) * {size}, &batch, &first, again{k}, &m)",
            ]
            if not loop.autapses:
                after = [f"for q in range({layer.n}):", f"    again{k}[q * {layer.n + 1}] = 0"]
        if k > 1 and self.signal != "reward":
            source, signal = (self.layers[-1], f"d{top}") if self.signal == "broadcast" else (layer, f"g{k}")
            lines += [
                f"    n, k = {before.n}, {source.n}",
                f'    dgemm("N", "N", &batch, &n, &k, &one, {signal} + t * {source.n * layer.batch}, &batch, '
                f"back{k - 1}, &k, &zero, d{k - 1} + t * {size_before}, &batch)",
            ]
        return [*lines, *after]
