"""Parameters of a layer's neurons that change beside its weights: the noise level, beta and theta, learned or scheduled.

P(spike) = F(x / s), x = u - theta, so dP/du = f, dP/dtheta = -f and dP/dlog s = -x f, f the density. With lambda(t) the derivative
of the loss with respect to the spike o(t), also through the neuron's own reset, the backward pass's g(t) = dL/du(t) is
lambda(t) f(t) plus the effect through the membrane with the spike held fixed, held(t) g(t+1), with held = du(t+1)/du(t) =
beta (1 - o) [hard reset] or beta [subtractive]. With kept, the membrane after the reset,

    dL/dlog s = -sum_t x(t) [g(t) - held(t) g(t+1)]
    dL/dtheta = -sum_t [g(t) - beta (1 - o(t)) g(t+1)]
    dL/dlogit beta = sum_t beta (1 - beta) kept(t-1) g(t)

without a division by f, for either path through the reset, and for any signal behind g. (A subtractive reset takes theta away, by
which the second line is the same for both resets.)
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from brian2 import Function

from .kernels import Layer, step_function, step_number
from .layers import Changing, family_of

_WIDEST = 1e3  # times its first scale: learned noise beyond has run away, or collapsed; so has theta


class LayerParameter:
    """A parameter of layer k's neurons, one for all or one for each: `values`, in the layer's text the variable `label`.

    rate : the learning rate, 0 where it isn't learned
    here, later : (n_steps, n * batch), where it is learned: the gradient is sum_t here(t) [g(t) - later(t) g(t+1)]
    group : its Brian2 group, with the arrays values, slope (the gradient), free (what is learned), states (the optimizer's)

    A subclass has the text `line`, which sets `value` from w (`free`), and `before`: whether `texts` are of the membrane before it
    moves in a step.
    """

    before: ClassVar[bool] = False
    free_name: ClassVar[str] = "free"  # in a checkpoint
    line: ClassVar[str]
    slope: np.ndarray

    def __init__(self, changing: Changing, layer: Layer) -> None:
        self.changing, self.layer = changing, layer
        self.k, self.rate, self.label = changing.k, changing.rate, changing.label
        self.values = changing.first()
        self.n = self.values.size
        shape = layer.o.shape if self.rate else (0, 0)
        self.here, self.later = np.zeros(shape), np.zeros(shape)
        self.free = self.slope = np.zeros(0)
        self.states: dict[str, np.ndarray] = {}
        self.group: Any = None

    def start(self) -> np.ndarray:
        """`free` before training."""
        return self.values

    def begin(self, eta: float, factor: float) -> None:
        """Set factors of the learning rate and of the noise for the next run."""
        self.group.eta = eta * self.rate

    def runaway(self) -> str:
        """Why its values have run away, or ""."""
        return ""

    def saved(self) -> dict[str, np.ndarray]:
        """The arrays that resuming needs, by their names in a checkpoint."""
        arrays = {"values": self.values, "free": self.free} | {
            f"state_{s}": v for s, v in self.states.items()
        }
        return {f"{self.label}_{name}": values for name, values in arrays.items()}

    def names(self) -> dict[str, str]:
        """Names in a layer's text -> what they become."""
        return {self.changing.kind: self.label}

    def texts(self, held: str) -> tuple[str, str]:
        """`here` and `later` in a layer's text; held : du(t+1)/du(t) with the spike held fixed."""
        raise NotImplementedError

    def read(self) -> Function:
        """(i): the value of member i."""
        divisor = self.layer.batch if self.n > 1 else self.layer.n * self.layer.batch
        name, arrays = f"{self.label}_now", lambda: {"values": self.values}
        code = f"\ncdef double {name}(int i) {{\n    return values[i // {divisor}]\n"
        return step_function(name, ["integer"], lambda i: self.values[i // divisor], code, arrays)

    def keep(self) -> Function:
        """(i, step, here, later): store what the backward pass needs."""
        size, last, name = self.layer.n * self.layer.batch, self.layer.n_steps, f"keep_{self.label}"

        def numpy_target(i, step, here, later):
            t = step_number(step) % last
            self.here[t], self.later[t] = here, later
            return np.zeros(size)

        code = f"""
cdef double {name}(int i, int64_t step, double here, double later) {{
    cdef int64_t at = (step % {last}) * {size} + i
    kept_here[at] = here
    kept_later[at] = later
    return 0
"""
        types, arrays = (
            ["integer"] * 2 + ["float"] * 2,
            lambda: {"kept_here": self.here, "kept_later": self.later},
        )
        return step_function(name, types, numpy_target, code, arrays)

    def go_back(self) -> None:
        """The gradient, from g of the backward pass, on the NumPy target."""
        by_spike = self.layer.g.copy()
        by_spike[:-1] -= self.later[:-1] * self.layer.g[1:]
        self.slope[:] = (self.here * by_spike).sum(0).reshape(self.n, -1).sum(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `code` reads and writes."""
        return {f"{name}_{self.label}": getattr(self, name) for name in ("here", "later", "slope")}

    def code(self) -> list[str]:
        """`go_back` in Cython."""
        k, name, size, last = self.k, self.label, self.layer.n * self.layer.batch, self.layer.n_steps - 1
        at = f"t * {size} + q"
        return [
            f"cdef double by_{name}",
            f"for q in range({self.n}):",
            f"    slope_{name}[q] = 0",
            f"for t in range({last + 1}):",
            f"    for q in range({size}):",
            f"        by_{name} = g{k}[{at}]",
            f"        if t < {last}:",
            f"            by_{name} -= later_{name}[{at}] * g{k}[(t + 1) * {size} + q]",
            f"        slope_{name}[q // {size // self.n}] += here_{name}[{at}] * by_{name}",
        ]


class Level(LayerParameter):
    """The noise level: a factor of its family's scale, learned as a logarithm and multiplied by a factor from outside."""

    free_name = "log"
    line = "value = factor * exp(w)"

    def start(self) -> np.ndarray:
        """Logarithms."""
        return np.zeros(self.n)

    def begin(self, eta: float, factor: float) -> None:
        """Without a learning rate the factor is the level."""
        if self.rate:
            super().begin(eta, factor)
            self.group.factor = factor
        else:
            self.values[:] = factor

    def names(self) -> dict[str, str]:
        """The family's parameters at this level."""
        powers = family_of(self.changing.projection, "the noise level").scale_powers()
        return {
            f"noise_{name}": f"(noise_{name} {'*' if power > 0 else '/'} {self.label})"
            for name, power in powers.items()
        }

    def runaway(self) -> str:
        """Beyond a factor of its first scale either way; NaN too."""
        wrong = self.free[~(np.abs(self.free) <= np.log(_WIDEST))]
        if not wrong.size:
            return ""
        return (
            f"the noise of {self.changing.projection.post.name!r} is exp({wrong[0]:.4g}) times its first scale, expected "
            f"1/{_WIDEST:g} to {_WIDEST:g} times, a smaller eta_noise"
        )

    def texts(self, held: str) -> tuple[str, str]:
        """-x and the membrane's part of the derivative."""
        return "-(u - theta)", held


class Theta(LayerParameter):
    """The threshold."""

    line = "value = w"

    def runaway(self) -> str:
        """Beyond any potential: neurons that are silent, or fire in each step, whatever their input; NaN too."""
        most = _WIDEST * max(1.0, float(np.abs(self.changing.first()).max()))
        wrong = self.free[~(np.abs(self.free) <= most)]
        name = self.changing.projection.post.name
        return (
            f"theta of {name!r} is {wrong[0]:.4g}, expected {-most:g} to {most:g}, a smaller eta_theta"
            if wrong.size
            else ""
        )

    def texts(self, held: str) -> tuple[str, str]:
        """For either reset."""
        return "-1.0", "beta * (1 - o)"


class Beta(LayerParameter):
    """The decay per step, learned as its logit, so that it stays between 0 and 1; the same to the bit until it is learned from."""

    before = True
    line = "value = (1 - due) * value + due * clip(1 / (1 + exp(-w)), 2.2e-16, 1 - 2.2e-16)"

    def start(self) -> np.ndarray:
        """Logits."""
        return np.asarray(np.log(self.values) - np.log1p(-self.values))

    def texts(self, held: str) -> tuple[str, str]:
        """By the membrane that the step before left after its reset."""
        neuron: Any = self.changing.projection.post.neuron
        kept = "u * (1 - o)" if neuron.reset == "hard" else "(u - theta * o)"
        return f"beta * (1 - beta) * {kept}", "0.0"


KINDS: dict[str, type[LayerParameter]] = {"noise": Level, "beta": Beta, "theta": Theta}
"""by what is learned, as in `NDL`'s eta_noise, eta_beta and eta_theta"""
