"""Three-factor rules: noise-driven learning, surrogate gradients and e-prop."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from ...core.checks import instance, one_of
from ...core.errors import NsnnError
from ...core.parameters import checked, choice, parameter, substitute
from ..escape import EscapeNoise, Family
from ..neurons import NSNNNeuron
from .diffusive import diffusive_text, is_diffusive
from .optimizers import SGD, Optimizer
from .rule_text import Plasticity, RuleText, numbers

# (reset of the neuron, path through the reset) -> the trace carried to the next step
_KEPT = {
    ("hard", "exact"): "beta * (1 - o - u * f) * trace",
    ("hard", "detached"): "beta * (1 - o) * trace",
    ("subtract", "exact"): "beta * (1 - theta * f) * trace",
    ("subtract", "detached"): "beta * trace",
}
# learning signal -> contribution of a synapse to the signal of its source
_BACKWARD = {"transport": "w * L * f", "random": "b * L * f", "broadcast": "b * L", "reward": ""}


class _ThreeFactor(Plasticity):
    """Base of rules of the form signal x factor x trace."""

    eta: Any
    signal: Any
    reset_path: Any = "detached"
    optimizer: Optimizer
    resets: ClassVar[tuple[str, ...]] = ("hard", "subtract")
    # whether transported signals also pass through the recurrent weights of a layer
    recurrent_path: ClassVar[bool] = True

    def _family(self, noise: Any, theta: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        """Texts in `x` of the factor f and, for a noisy neuron, of the spike probability; their parameters."""
        raise NotImplementedError

    def text(  # type: ignore[override]
        self,
        *,
        noise: Any = None,
        beta: Any = 0.5,
        theta: Any = 1.0,
        reset: str | None = None,
        trial: bool = False,
    ) -> RuleText:
        """The text of the rule for a neuron with this noise and reset; `trial`: sum gradients over a trial."""
        reset = reset or self.resets[0]
        one_of(reset, self.resets, "reset")
        neuron = numbers(NSNNNeuron(beta=beta, theta=theta, reset=reset))  # type: ignore[arg-type]
        rewarded = self.signal == "reward"
        density, chance, own_numbers = self._family(noise, neuron["theta"][0])
        at = {n.removeprefix("noise_"): n for n in own_numbers if n.startswith("noise_")} | {
            "x": "(u - theta)"
        }
        density = substitute(density, at)
        kept = _KEPT[reset, "detached" if rewarded else self.reset_path]
        lines = ["trace = carried + pre", f"f = {density}"]
        states = ["trace : 1", "carried : 1", *(f"{name} : 1" for name in self.optimizer.states)]
        gradient = "L * f * trace"
        if rewarded:
            states.append("score : 1")
            lines.append(f"p = clip({substitute(chance or '', at)}, 1e-300, 1 - 1e-16)")
            lines.append("score += f * (o / p - (1 - o) / (1 - p)) * trace")
            gradient = "L * score"
        lines += self.optimizer.step(gradient, trial)
        if trial:
            states.append("g : 1")
            lines += ["score *= 1 - due"] if rewarded else []
            kept = f"(1 - due) * {kept}"
        lines.append(f"carried = {kept}")
        backward = substitute(_BACKWARD[self.signal], {"f": f"({density})"})
        if self.signal in ("random", "broadcast"):
            states.append("b : 1")
        values = {"eta": (self.si("eta"), "1")} | neuron | own_numbers
        return RuleText(
            states=tuple(states),
            each_step=tuple(lines),
            backward=backward,
            parameters=values | numbers(self.optimizer, "optimizer_"),
        )


def _optimizer() -> Any:
    check = partial(instance, kind=Optimizer, expected="an optimizer such as SGD() or Adam()")
    return checked(check, default_factory=SGD, kw_only=True)


def _rate(added: bool = True) -> Any:
    return parameter("1", bound="non-negative", added=added, default=0.0, kw_only=True)


def _without_dimension(family: Family) -> None:
    if family.x_unit != "1":
        raise NsnnError(
            f"noise = {family}: these rules need a dimensionless membrane, divide voltages e.g. by the threshold: Gaussian(0.2)"
        )


def _refuse_noise(noise: Any, rule: str) -> None:
    if noise is not None:
        raise NsnnError(f"noise = {noise}: {rule} is for a neuron without noise, expected None (or use NDL)")


@dataclasses.dataclass(frozen=True, eq=False)
class NDL(_ThreeFactor):
    """Noise-driven learning: dw_ij = -eta sum_t L_i(t) f(u_i(t) - theta) trace_ij(t), f the density of the noise.

    For a layer that receives its signal L directly, the sum equals the gradient of backpropagation through time to rounding. It is
    the gradient of the expected loss for an output layer, one step and a loss that is affine in each spike; it is biased in deeper
    networks. signal="reward" is the score-function rule instead, dw_ij = -eta sum_t L(t) sum_(s <= t) score(s),
    score = (o - p) / (p (1 - p)) f trace, with a scalar L common to all neurons: unbiased at any depth, with a large variance.
    Subtract a baseline from L, as `train` does.

    *Diffusive neurons*: `plastic_synapses(..., noise=WhiteNoise(sigma), tau_m=, v_thresh=, mu=, method=, bridge=)` is for your own
    leaky membrane in white noise, with delta synapses (each spike adds w) and a hard reset. A step goes from x0 to m(x0) + s xi:

        dw_ij = -eta sum_t L_i(t) dP_i/dx0_i trace_ij(t),      P(x0) the probability of a spike in the step (`white_noise_factor`)

    dP/dx0 is dP/dm dm/dx0 plus, with the bridge, the derivative of P with respect to x0 at fixed m. The trace is dx0/dw along the
    path of the noise: the input received, multiplied by dm/dx0 in each step, and 0 after a spike of the target and during the
    refractory time. The effect of w on the subthreshold membrane is included; that a spike replaces later ones, since the reset
    ends the path, is neglected.

    Parameters
    ----------
    eta : number >= 0, learning rate
    signal : source of L in a hidden layer: "transport" sum_k w_k f_k L_k over its target neurons in the same step (without future
        terms of their membranes), "random" the same with fixed weights b, "broadcast" sum_k b_k L_k; or "reward"
    reset_path : "exact", or "detached": the trace ignores that a spike resets the membrane; "reward" always holds spikes fixed
    optimizer : `SGD()`, `Momentum()`, `Adam()` or your own
    eta_noise, eta_beta, eta_theta : numbers >= 0, for `train` only: learning rates of log s, s the noise scale of the target layer,
        of the logit of its beta (which stays between 0 and 1) and of its theta, with the same optimizer: for `SGD`
        d log s = -eta_noise dL/dlog s. One for the layer, or one per neuron if the family or the neuron has an array; the
        projection from the previous layer sets the rates. 0: constant

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; the score-function rule: Williams 1992, doi 10.1007/BF00992696

    >>> from nsnn_neuro.models.escape import Gaussian
    >>> print(NDL(0.1).text(noise=Gaussian(0.4)))
    states:
        trace : 1
        carried : 1
    each step:
        trace = carried + pre
        f = exp(-0.5 * ((u - theta) / noise_sigma)**2) / (noise_sigma * sqrt(2 * pi))
        g = L * f * trace
        w -= 1 * eta * g
        carried = beta * (1 - o - u * f) * trace
    backward:
        w * L * (exp(-0.5 * ((u - theta) / noise_sigma)**2) / (noise_sigma * sqrt(2 * pi)))
    """

    eta: Any = parameter("1", bound="non-negative")
    signal: Literal["transport", "random", "broadcast", "reward"] = choice(
        *_BACKWARD, default="transport", kw_only=True
    )
    reset_path: Literal["exact", "detached"] = choice("exact", "detached", default="exact", kw_only=True)
    optimizer: Optimizer = _optimizer()
    eta_noise: Any = _rate(added=False)
    eta_beta: Any = _rate()
    eta_theta: Any = _rate()

    def text_for(self, noise: Any) -> Any:
        """`text`, or the text of a diffusive membrane for `WhiteNoise`."""
        if not is_diffusive(noise):
            return self.text
        if self.signal != "transport":
            raise NsnnError(
                f'signal = "{self.signal}": a diffusive membrane has no feedback signal and no reward rule, expected "transport"'
            )
        return partial(diffusive_text, self.si("eta"), self.optimizer)

    def _family(self, noise: Any, theta: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        family = noise.family if isinstance(noise, EscapeNoise) else noise
        if not isinstance(family, Family):
            raise NsnnError(
                f"noise = {noise}: expected a noise family such as Gaussian(0.4), whose density is the factor of NDL (a hazard has "
                "no density per step); without noise use a surrogate gradient, e.g. SurrogateGradient(Gaussian(0.4), eta)"
            )
        _without_dimension(family)
        return family.pdf_text, family.cdf_text, numbers(family, "noise_")


@dataclasses.dataclass(frozen=True, eq=False)
class SurrogateGradient(_ThreeFactor):
    """Surrogate gradient of a deterministic neuron: `NDL`'s sum, the family's density in place of the derivative of the step.

    Given the same states it is NDL's update; what differs is that the neuron fires when u > theta.

    Parameters
    ----------
    family : a `Family`, dimensionless
    eta, signal, reset_path, optimizer, eta_beta, eta_theta : as for `NDL`; no "reward"

    Source: Neftci et al. 2019, doi 10.1109/MSP.2019.2931595; Gygax & Zenke 2025, doi 10.1162/neco_a_01752

    >>> from nsnn_neuro.models.escape import Uniform
    >>> SurrogateGradient(Uniform(0.5), 0.1).text().each_step[1]
    'f = int(abs((u - theta)) < noise_a) / (2 * noise_a)'
    """

    family: Family = checked(partial(instance, kind=Family, expected="a noise family such as Gaussian(0.4)"))
    eta: Any = parameter("1", bound="non-negative")
    signal: Literal["transport", "random", "broadcast"] = choice(
        "transport", "random", "broadcast", default="transport", kw_only=True
    )
    reset_path: Literal["exact", "detached"] = choice("exact", "detached", default="exact", kw_only=True)
    optimizer: Optimizer = _optimizer()
    eta_beta: Any = _rate()
    eta_theta: Any = _rate()

    def __post_init__(self) -> None:
        super().__post_init__()
        _without_dimension(self.family)

    def _family(self, noise: Any, theta: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        _refuse_noise(noise, "a surrogate")
        return self.family.pdf_text, None, numbers(self.family, "noise_")


@dataclasses.dataclass(frozen=True, eq=False)
class EProp(_ThreeFactor):
    """E-prop for a deterministic neuron with subtractive reset: the factor is gamma max(0, 1 - |u - theta| / theta) / theta.

    Up to gamma it is `SurrogateGradient(Triangular(theta), eta, reset_path="detached")`: trace(t) = beta trace(t-1) + pre(t).

    Parameters
    ----------
    eta : number >= 0; gamma : number >= 0
    signal : as for `NDL`; no "reward"
    optimizer : `SGD()`, ...

    Source: Bellec et al. 2020, doi 10.1038/s41467-020-17236-y

    >>> EProp(0.01).text().each_step[-1]
    'carried = beta * trace'
    """

    eta: Any = parameter("1", bound="non-negative")
    gamma: Any = parameter("1", bound="non-negative", default=0.3)
    signal: Literal["transport", "random", "broadcast"] = choice(
        "transport", "random", "broadcast", default="broadcast", kw_only=True
    )
    optimizer: Optimizer = _optimizer()

    resets: ClassVar[tuple[str, ...]] = ("subtract",)
    recurrent_path: ClassVar[bool] = False

    def _family(self, noise: Any, theta: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        _refuse_noise(noise, "e-prop")
        if np.any(np.asarray(theta) <= 0):
            raise NsnnError(f"theta = {theta}: e-prop's factor has the width theta, expected a value above 0")
        return "gamma * clip(1 - abs(x) / theta, 0, 1) / theta", None, {"gamma": (self.si("gamma"), "1")}
