"""Noise levels that are scheduled or learned while layers learn.

P(spike) = F(x / s), x = u - theta, so dP/dlog s = -x f, f the density. With lambda(t) the derivative of the loss with respect to
the spike o(t), also through the neuron's own reset, dL/dlog s = -sum_t lambda(t) x(t) f(t). The backward pass's g(t) = dL/du(t) is
lambda(t) f(t) plus the effect through the membrane with the spike held fixed, du(t+1)/du(t) = held(t), so

    dL/dlog s = -sum_t x(t) [g(t) - held(t) g(t+1)],    held = beta (1 - o) [hard reset] or beta [subtractive]

without a division by f, for either path through the reset, and for any signal behind g.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Function

from ..models.populations import Projection
from .kernels import Layer, step_function, step_number
from .layers import eta_noise, family_of, n_levels


class Level:
    """The noise level of layer k: a factor of its family's scale, one for all or one for each neuron.

    rate : the learning rate, 0 where the level isn't learned; `values` are the factors
    x, held : u - theta and du(t+1)/du(t) with the spike held, (n_steps, n * batch), where the level is learned
    group : its Brian2 group, with the arrays values, slope (dL/dlog s), log (what is learned), states (the optimizer's)
    """

    held: np.ndarray
    k: int
    layer: Layer
    log: np.ndarray
    n: int
    powers: dict[str, int]
    rate: float
    slope: np.ndarray
    values: np.ndarray
    x: np.ndarray

    def __init__(self, k: int, layer: Layer, projection: Projection) -> None:
        self.k, self.layer, self.rate = k, layer, eta_noise(projection)
        self.powers = family_of(projection, f"the level of layer {k}").scale_powers()
        self.n = n_levels(projection)
        self.values = np.ones(self.n)
        shape = layer.o.shape if self.rate else (0, 0)
        self.x, self.held = np.zeros(shape), np.zeros(shape)
        self.log = self.slope = np.zeros(0)
        self.states: dict[str, np.ndarray] = {}
        self.group: Any = None

    def begin(self, eta: float, factor: float) -> None:
        """Set factors of the learning rate and of the noise for the next run."""
        if self.rate:
            self.group.eta, self.group.factor = eta * self.rate, factor
        else:
            self.values[:] = factor

    def saved(self) -> dict[str, np.ndarray]:
        """The arrays that resuming needs, by their names in a checkpoint."""
        arrays = {"values": self.values, "log": self.log} | {f"state_{s}": v for s, v in self.states.items()}
        return {f"level_{self.k}_{name}": values for name, values in arrays.items()}

    def names(self) -> dict[str, str]:
        """The family's parameters, as in a layer's text, at this level."""
        return {
            f"noise_{name}": f"(noise_{name} {'*' if power > 0 else '/'} level)"
            for name, power in self.powers.items()
        }

    def read(self) -> Function:
        """(i): the level of member i."""
        divisor = self.layer.batch if self.n > 1 else self.layer.n * self.layer.batch
        name, arrays = f"level_{self.k}", lambda: {"values": self.values}
        code = f"\ncdef double {name}(int i) {{\n    return values[i // {divisor}]\n"
        return step_function(name, ["integer"], lambda i: self.values[i // divisor], code, arrays)

    def keep(self) -> Function:
        """(i, step, x, held): store what the backward pass needs."""
        size, last, name = self.layer.n * self.layer.batch, self.layer.n_steps, f"keep_level_{self.k}"

        def numpy_target(i, step, x, held):
            t = step_number(step) % last
            self.x[t], self.held[t] = x, held
            return np.zeros(size)

        code = f"""
cdef double {name}(int i, int64_t step, double x, double held) {{
    cdef int64_t at = (step % {last}) * {size} + i
    kept_x[at] = x
    kept_held[at] = held
    return 0
"""
        types, arrays = ["integer"] * 2 + ["float"] * 2, lambda: {"kept_x": self.x, "kept_held": self.held}
        return step_function(name, types, numpy_target, code, arrays)

    def go_back(self) -> None:
        """The gradient, from g of the backward pass, on the NumPy target."""
        by_spike = self.layer.g.copy()
        by_spike[:-1] -= self.held[:-1] * self.layer.g[1:]
        self.slope[:] = -(self.x * by_spike).sum(0).reshape(self.n, -1).sum(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `code` reads and writes."""
        k = self.k
        return {f"level_x{k}": self.x, f"level_held{k}": self.held, f"level_slope{k}": self.slope}

    def code(self) -> list[str]:
        """`go_back` in Cython."""
        k, size, last = self.k, self.layer.n * self.layer.batch, self.layer.n_steps - 1
        at = f"t * {size} + q"
        return [
            f"cdef double by_spike{k}",
            f"for q in range({self.n}):",
            f"    level_slope{k}[q] = 0",
            f"for t in range({last + 1}):",
            f"    for q in range({size}):",
            f"        by_spike{k} = g{k}[{at}]",
            f"        if t < {last}:",
            f"            by_spike{k} -= level_held{k}[{at}] * g{k}[(t + 1) * {size} + q]",
            f"        level_slope{k}[q // {size // self.n}] -= level_x{k}[{at}] * by_spike{k}",
        ]
