"""Plasticity: learning rules as text on a record, and as Brian2 synapses whose weights change while a network runs.

Three-factor rules (`NDL`, `SurrogateGradient`, `EProp`) go down the slope of a loss,

    dw_ij = -eta sum_t L_i(t) f(u_i(t) - theta) trace_ij(t)

L the learning signal (the derivative of the loss to neuron i's spike in step t), f the factor of the neuron (a density at the
distance to threshold), and the synapse's eligibility trace du_i/dw_ij, which keeps what has arrived, `pre`:

    trace(t) = k(t-1) trace(t-1) + pre(t),      k = beta (1 - o - u f) for a hard reset, beta (1 - theta f) for a subtractive one

and beta (1 - o) and beta with the reset's path detached. `PairSTDP` and `RewardModulatedSTDP` know spike times alone.

A rule's text (`text`) is in the names w, trace, pre, u, o, L, beta, theta and its parameters. `assemble.plastic` makes synapses of
it; `synapses` is the way there for anybody's Brian2 network. A new rule is a subclass of `Plasticity` with its `text`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

import numpy as np

from .errors import NsnnError
from .escape import EscapeNoise, Family
from .neurons import NSNNNeuron
from .noise import Noise
from .records import Record, parameter, substitute

__all__ = [
    "NDL",
    "SGD",
    "Adam",
    "EProp",
    "Momentum",
    "Optimizer",
    "PairSTDP",
    "Plasticity",
    "RewardModulatedSTDP",
    "RuleText",
    "SurrogateGradient",
    "white_noise_factor",
]

# (reset of the neuron, path through the reset) -> what is left of the trace in the next step
_KEPT = {
    ("hard", "exact"): "beta * (1 - o - u * f) * trace",
    ("hard", "detached"): "beta * (1 - o) * trace",
    ("subtract", "exact"): "beta * (1 - theta * f) * trace",
    ("subtract", "detached"): "beta * trace",
}
# learning signal -> what a synapse hands back to its source's signal, summed over the source's synapses
_BACKWARD = {"transport": "w * L * f", "random": "b * L * f", "broadcast": "b * L", "reward": ""}


@dataclasses.dataclass(frozen=True)
class RuleText:
    """A rule in Brian2's syntax: the synapse's states, what happens in each step and at spikes, what goes back to the source.

    states : lines of Brian2 equations (`w` not among them)
    each_step : lines at the end of each step; on_pre, on_post : lines at a spike of the source, of the target
    backward : an expression, or "" for none
    parameters : name -> (SI number or array of shape (n_target,), unit)

    >>> from nsnn_neuro.escape import Logistic
    >>> print(NDL(0.1).text(reset="subtract", noise=Logistic(0.2)).each_step[-1])
    carried = beta * (1 - theta * f) * trace
    """

    states: tuple[str, ...] = ()
    each_step: tuple[str, ...] = ()
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    backward: str = ""
    parameters: dict[str, tuple[Any, str]] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        parts = {"states": self.states, "each step": self.each_step, "on_pre": self.on_pre}
        parts |= {"on_post": self.on_post, "backward": (self.backward,) if self.backward else ()}
        return "\n".join(f"{name}:\n    " + "\n    ".join(lines) for name, lines in parts.items() if lines)


def _numbers(record: Record, prefix: str = "") -> dict[str, tuple[Any, str]]:
    return {prefix + f.name: (record.si(f.name), record.unit(f.name)) for f in record._parameters()}


def _one_of(value: Any, allowed: tuple[str, ...], name: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise NsnnError(f"{name} = {value!r}: expected " + " or ".join(f'"{a}"' for a in allowed))


class _Scalars(Record):
    """A record whose parameters are single numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in self._parameters():
            if np.ndim(self.si(field.name)):
                raise NsnnError(f"{field.name} = {getattr(self, field.name)}: expected one value")


class Optimizer(_Scalars):
    """Base of the optimizers: how the gradient `g` of a weight changes it.

    `states` : names of the synapse's variables, all 0 at first
    `lines` : text in g, w, eta, due (1 in a step in which the weights change, else 0), the states and the parameters

    One's own, the sign of the gradient alone:

    >>> class SignDescent(Optimizer):
    ...     lines = ("w -= due * eta * sign(g)",)
    >>> NDL(0.01, optimizer=SignDescent()).optimizer.lines
    ('w -= due * eta * sign(g)',)
    """

    states: ClassVar[tuple[str, ...]] = ()
    lines: ClassVar[tuple[str, ...]]


@dataclasses.dataclass(frozen=True, eq=False)
class SGD(Optimizer):
    """Gradient descent: w -= eta g.

    >>> SGD().lines
    ('w -= due * eta * g',)
    """

    lines = ("w -= due * eta * g",)


@dataclasses.dataclass(frozen=True, eq=False)
class Momentum(Optimizer):
    """Gradient descent with a heavy ball: velocity = mu velocity + g, w -= eta velocity.

    mu : number, 0 to 1

    Source: Polyak 1964, doi 10.1016/0041-5553(64)90137-5

    >>> Momentum(0.5).mu
    0.5
    """

    mu: Any = parameter("1", bound="fraction", default=0.9)
    states = ("velocity",)
    lines = ("velocity += due * (g - (1 - mu) * velocity)", "w -= due * eta * velocity")


@dataclasses.dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    """Adam: w -= eta m / (sqrt(v) + epsilon), m and v bias-corrected running means of g and g^2.

    beta_1, beta_2 : numbers, 0 to 1 (below 1); epsilon : number > 0

    Raises
    ------
    NsnnError : beta_1 or beta_2 out of range

    Source: Kingma & Ba 2014, arXiv 1412.6980

    >>> Adam().epsilon
    1e-08
    """

    beta_1: Any = parameter("1", bound="fraction", default=0.9)
    beta_2: Any = parameter("1", bound="fraction", default=0.999)
    epsilon: Any = parameter("1", bound="positive", default=1e-8)
    states = ("changes", "first", "second_moment")
    lines = (
        "changes += due",
        "first += due * (1 - beta_1) * (g - first)",
        "second_moment += due * (1 - beta_2) * (g * g - second_moment)",
        # changes + 1 - due: never 0, also before the first change
        "mean = first / (1 - beta_1**(changes + 1 - due))",
        "power = second_moment / (1 - beta_2**(changes + 1 - due))",
        "w -= due * eta * mean / (sqrt(power) + epsilon)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "beta_2"):
            if self.si(name) == 1:
                raise NsnnError(f"{name} = {getattr(self, name)}: expected a value below 1")


class Plasticity(_Scalars):
    """Base of the learning rules: `text` is the rule, `synapses` its Brian2 object. One's own is a record with a `text`:

    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Forgetting(Plasticity):
    ...     rate: Any = parameter("1", bound="fraction")
    ...     def text(self, **neuron):
    ...         return RuleText(each_step=("w *= 1 - rate",), parameters={"rate": (self.si("rate"), "1")})
    >>> print(Forgetting(0.1).text())
    each step:
        w *= 1 - rate
    """

    signal_name: ClassVar[str] = "L"

    @property
    def weight_unit(self) -> str:
        """The unit of the weights: "V" or "1"."""
        return "1"

    def text(self, **neuron: Any) -> RuleText:
        """The rule's text. `neuron`: what the rule has to know of the target's neuron and of trials."""
        raise NotImplementedError

    def synapses(
        self,
        source: Any,
        target: Any,
        *,
        learning_signal: str | None = None,
        membrane: str = "u",
        spike: str = "o",
        weight: str = "w",
        graded: str | None = None,
        feedback: str | None = None,
        trial: Any = None,
        on_pre: str | None = None,
        bounds: tuple[Any, Any] | None = None,
        order: int = 0,
        name: str = "plastic*",
        **neuron: Any,
    ) -> Any:
        """Brian2 synapses that learn by this rule while a network runs: connect them, set `w`, add them to your network.

        Weights change in generated code, at the end of each step (slot "end"; STDP at spikes). What the rule reads of the target
        it reads then: u as it was held against the threshold, not yet reset; o = 1 if the neuron has fired in this step, else 0.
        So a spike has to arrive before the threshold of the step that is to see it (see `S.pre.when` and `.order`).

        Parameters
        ----------
        source, target : Brian2 groups; the source anything that spikes
        learning_signal : name of the target's variable that holds it; default "L", or "R" for a reward
        membrane, spike : names of the target's variables; weight : of the synapses' (not "w" where the target has a w of its own)
        graded : name of a variable of the source, the value that a spike brings along; None: 1
        feedback : name of the source's variable that takes the learning signal handed back by this rule's `signal`; None: none.
            With signal "random" and "broadcast" set the weights of the way back, `S.b`
        trial : time, a multiple of dt: gradients are summed and weights change in a trial's last step, after which traces start
            anew; None: weights change in every step
        on_pre : text of what a spike does, as in Brian2; default: the membrane jumps by w (times the graded value); "": nothing
        bounds : two numbers (or None for either) between which a weight stays
        order : signals go back in this order and weights change in the next; give a layer a higher one than the layer after it
        name : of the Brian2 object
        noise : a family, `EscapeNoise(family)`; for `NDL` alone
        beta, theta : number or array (n_target,), of the target's neuron; reset : "hard" (default) or "subtract"

        Raises
        ------
        NsnnError : a variable that is missing, noise without a density, an argument the rule doesn't take or lacks
        """
        from .assemble.plastic import plastic

        return plastic(
            self,
            source,
            target,
            names={"u": membrane, "o": spike, "L": learning_signal or self.signal_name},
            weight=weight,
            graded=graded,
            feedback=feedback,
            trial=trial,
            on_pre=on_pre,
            bounds=bounds,
            order=order,
            name=name,
            neuron=neuron,
        )


class _ThreeFactor(Plasticity):
    """What rules of the form signal x factor x trace have in common."""

    eta: Any
    signal: str
    optimizer: Optimizer
    resets: ClassVar[tuple[str, ...]] = ("hard", "subtract")

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of(self.signal, tuple(_BACKWARD), "signal")
        if not isinstance(self.optimizer, Optimizer):
            raise NsnnError(f"optimizer = {self.optimizer!r}: expected an optimizer such as SGD() or Adam()")

    @property
    def _detached(self) -> bool:
        return False

    def _family(self, noise: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        """Texts of the factor f and, if the neuron is noisy, of the probability of a spike, in `x`; their numbers."""
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
        """The rule's text for a neuron with this noise and reset; `trial`: gradients are summed over a trial (see `synapses`)."""
        reset = reset or self.resets[0]
        _one_of(reset, self.resets, "reset")
        neuron = _numbers(NSNNNeuron(beta=beta, theta=theta, reset=reset))  # type: ignore[arg-type]
        rewarded = self.signal == "reward"
        density, chance, numbers = self._family(noise)
        at = {"x": "(u - theta)", **{n.removeprefix("noise_"): n for n in numbers if n.startswith("noise_")}}
        density = substitute(density, at)
        kept = _KEPT[reset, "detached" if rewarded or self._detached else "exact"]
        lines = ["trace = carried + pre", f"f = {density}"]
        states = ["trace : 1", "carried : 1", *(f"{name} : 1" for name in self.optimizer.states)]
        gradient = "L * f * trace"
        if rewarded:
            states.append("score : 1")
            lines.append(f"p = clip({substitute(chance or '', at)}, 1e-300, 1 - 1e-16)")
            lines.append("score += f * (o / p - (1 - o) / (1 - p)) * trace")
            gradient = "L * score"
        own = {f.name: f"optimizer_{f.name}" for f in self.optimizer._parameters()}
        change = [substitute(line, own) for line in self.optimizer.lines]
        if trial:
            states.append("g : 1")
            lines += ["due = int(t_in_timesteps % steps == steps - 1)", f"g += {gradient}", *change]
            lines += [
                "g *= 1 - due",
                *(["score *= 1 - due"] if rewarded else []),
                f"carried = (1 - due) * {kept}",
            ]
        else:
            lines += [
                f"g = {gradient}",
                *(substitute(line, {"due": "1"}) for line in change),
                f"carried = {kept}",
            ]
        backward = substitute(_BACKWARD[self.signal], {"f": f"({density})"})
        if self.signal in ("random", "broadcast"):
            states.append("b : 1")
        numbers = {"eta": (self.si("eta"), "1")} | neuron | numbers
        return RuleText(
            states=tuple(states),
            each_step=tuple(lines),
            backward=backward,
            parameters=numbers | _numbers(self.optimizer, "optimizer_"),
        )


def _without_dimension(family: Family) -> Family:
    if family.x_unit != "1":
        raise NsnnError(
            f"noise = {family}: these rules are for a dimensionless membrane, divide it, e.g. by the threshold: Gaussian(0.2)"
        )
    return family


@dataclasses.dataclass(frozen=True, eq=False)
class NDL(_ThreeFactor):
    """Noise-driven learning: dw_ij = -eta sum_t L_i(t) f(u_i(t) - theta) trace_ij(t), f the density of the neuron's own noise.

    The sum is the gradient of backpropagation through time, to rounding, for a layer that receives its signal L directly. It is
    the gradient of the expected loss for an output layer, one step, and a loss affine in each spike; with depth it is biased
    (`docs/ndl.md`). signal="reward" is the score-function rule instead, dw_ij = -eta sum_t L(t) sum_(s <= t) score(s),
    score = (o - p) / (p (1 - p)) f trace, with L a scalar that all neurons are told: unbiased at any depth, of a large variance.
    Subtract a baseline from L.

    Parameters
    ----------
    eta : number >= 0, learning rate
    signal : where a hidden layer's L comes from: "transport" sum_k w_k f_k L_k over its target neurons in the same step (without
        the future terms of the targets' membranes), "random" the same with fixed weights b, "broadcast" sum_k b_k L_k; "reward"
    reset_path : "exact", or "detached": the trace ignores that a spike resets the membrane; "reward" always holds spikes fixed
    optimizer : `SGD()`, `Momentum()`, `Adam()` or your own

    Raises
    ------
    NsnnError : a value out of bounds, an unknown signal or path

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; the score-function rule: Williams 1992, doi 10.1007/BF00992696

    >>> from nsnn_neuro.escape import Gaussian
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
    signal: Literal["transport", "random", "broadcast", "reward"] = dataclasses.field(
        default="transport", kw_only=True
    )
    reset_path: Literal["exact", "detached"] = dataclasses.field(default="exact", kw_only=True)
    optimizer: Optimizer = dataclasses.field(default_factory=SGD, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of(self.reset_path, ("exact", "detached"), "reset_path")

    @property
    def _detached(self) -> bool:
        return self.reset_path == "detached"

    def _family(self, noise: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        family = noise.family if isinstance(noise, EscapeNoise) else noise
        if not isinstance(family, Family):
            raise NsnnError(f"noise = {noise}: {_no_density(noise)}")
        _without_dimension(family)
        return family.pdf_text, family.cdf_text, _numbers(family, "noise_")


def _no_density(noise: Any) -> str:
    if noise is None:
        return "without noise NDL's factor vanishes, use the surrogate baseline, e.g. SurrogateGradient(Gaussian(0.4), eta)"
    if isinstance(noise, EscapeNoise):
        return "a hazard has no density per step, expected a family such as Gaussian(0.4)"
    if isinstance(noise, Noise):
        return (
            "noise of the membrane has no density of its own, expected a family such as Gaussian(0.4) "
            "(the factor of a white-noise LIF is white_noise_factor())"
        )
    return "expected a noise family such as Gaussian(0.4)"


@dataclasses.dataclass(frozen=True, eq=False)
class SurrogateGradient(_ThreeFactor):
    """Surrogate gradient of a deterministic neuron: `NDL`'s sum, the family's density in place of the derivative of the step.

    Given the same states it is NDL's update; what differs is that the neuron fires when u > theta.

    Parameters
    ----------
    family : a `Family`, dimensionless
    eta, signal, reset_path, optimizer : as for `NDL`; no "reward"

    Source: Neftci et al. 2019, doi 10.1109/MSP.2019.2931595; Gygax & Zenke 2025, doi 10.1162/neco_a_01752

    >>> from nsnn_neuro.escape import Uniform
    >>> SurrogateGradient(Uniform(0.5), 0.1).text().each_step[1]
    'f = int(abs((u - theta)) < noise_a) / (2 * noise_a)'
    """

    family: Family
    eta: Any = parameter("1", bound="non-negative")
    signal: Literal["transport", "random", "broadcast"] = dataclasses.field(default="transport", kw_only=True)
    reset_path: Literal["exact", "detached"] = dataclasses.field(default="exact", kw_only=True)
    optimizer: Optimizer = dataclasses.field(default_factory=SGD, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.family, Family):
            raise NsnnError(f"family = {self.family!r}: expected a noise family such as Gaussian(0.4)")
        _without_dimension(self.family)
        _one_of(self.signal, ("transport", "random", "broadcast"), "signal")
        _one_of(self.reset_path, ("exact", "detached"), "reset_path")

    @property
    def _detached(self) -> bool:
        return self.reset_path == "detached"

    def _family(self, noise: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        if noise is not None:
            raise NsnnError(
                f"noise = {noise}: a surrogate is for a neuron without noise, expected None (or use NDL)"
            )
        return self.family.pdf_text, None, _numbers(self.family, "noise_")


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
    signal: Literal["transport", "random", "broadcast"] = dataclasses.field(default="broadcast", kw_only=True)
    optimizer: Optimizer = dataclasses.field(default_factory=SGD, kw_only=True)

    resets: ClassVar[tuple[str, ...]] = ("subtract",)

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of(self.signal, ("transport", "random", "broadcast"), "signal")

    @property
    def _detached(self) -> bool:
        return True

    def _family(self, noise: Any) -> tuple[str, str | None, dict[str, tuple[Any, str]]]:
        if noise is not None:
            raise NsnnError(
                f"noise = {noise}: e-prop is for a neuron without noise, expected None (or use NDL)"
            )
        return "gamma * clip(1 - abs(x) / theta, 0, 1) / theta", None, {"gamma": (self.si("gamma"), "1")}

    def text(self, **neuron: Any) -> RuleText:  # type: ignore[override]
        """The rule's text, see `NDL`; theta has to be above 0."""
        made = super().text(**neuron)
        if np.any(np.asarray(made.parameters["theta"][0]) <= 0):
            raise NsnnError(
                f"theta = {neuron['theta']}: e-prop's factor has the width theta, expected a value above 0"
            )
        return made


class _Pairs(Plasticity):
    """What the rules of spike timing have in common: traces of both sides' spikes."""

    A_plus: Any
    A_minus: Any

    states: ClassVar[tuple[str, ...]] = (
        "dpre_trace/dt = -pre_trace / tau_plus : 1 (event-driven)",
        "dpost_trace/dt = -post_trace / tau_minus : 1 (event-driven)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit("A_plus") != self.unit("A_minus"):
            raise NsnnError(f"A_minus = {self.A_minus}: expected the unit of A_plus = {self.A_plus}")

    @property
    def weight_unit(self) -> str:
        """The unit of the weights, that of A_plus: "V" or "1"."""
        return self.unit("A_plus")

    def _paired(self, changed: str) -> RuleText:
        """The text with which pairs of spikes change `changed`."""
        return RuleText(
            states=self.states,
            on_pre=("pre_trace += 1", f"{changed} -= A_minus * post_trace"),
            on_post=("post_trace += 1", f"{changed} += A_plus * pre_trace"),
            parameters=_numbers(self),
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PairSTDP(_Pairs):
    """Spike-timing dependent plasticity, all pairs of spikes: with lag s = t_post - t_pre

        dw = A_plus exp(-s / tau_plus) for s >= 0,   -A_minus exp(s / tau_minus) for s < 0

    A spike of the source in the step in which the target fires can have caused it, so s = 0 strengthens.

    Parameters
    ----------
    A_plus, A_minus : numbers, or voltages for weights in volts, of either sign
    tau_plus, tau_minus : times > 0

    Source: Song, Miller & Abbott 2000, doi 10.1038/78829

    >>> from brian2 import ms
    >>> PairSTDP(A_plus=0.01, A_minus=0.012, tau_plus=20*ms, tau_minus=20*ms).text().on_post
    ('post_trace += 1', 'w += A_plus * pre_trace')
    """

    A_plus: Any = parameter("1", "V")
    A_minus: Any = parameter("1", "V")
    tau_plus: Any = parameter("s", bound="positive")
    tau_minus: Any = parameter("s", bound="positive")

    def text(self) -> RuleText:  # type: ignore[override]
        """The rule's text."""
        return self._paired("w")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RewardModulatedSTDP(_Pairs):
    """Reward-modulated STDP: pairs of spikes change an eligibility c, as `PairSTDP` does w; in each step w += eta R c.

    c decays by exp(-dt / tau_e) in each step; R is the reward, a variable of the target ("R"; weights follow it, not a loss).

    Parameters
    ----------
    A_plus, A_minus, tau_plus, tau_minus : as for `PairSTDP`
    tau_e : time > 0
    eta : number >= 0

    Source: Izhikevich 2007, doi 10.1093/cercor/bhl152; Florian 2007, doi 10.1162/neco.2007.19.6.1468

    >>> from brian2 import ms
    >>> rule = RewardModulatedSTDP(A_plus=0.01, A_minus=0.01, tau_plus=20*ms, tau_minus=20*ms, tau_e=500*ms, eta=0.1)
    >>> rule.text().each_step
    ('w += eta * L * c', 'c *= exp(-dt / tau_e)')
    """

    A_plus: Any = parameter("1", "V")
    A_minus: Any = parameter("1", "V")
    tau_plus: Any = parameter("s", bound="positive")
    tau_minus: Any = parameter("s", bound="positive")
    tau_e: Any = parameter("s", bound="positive")
    eta: Any = parameter("1", bound="non-negative")

    signal_name: ClassVar[str] = "R"

    def text(self) -> RuleText:  # type: ignore[override]
        """The rule's text."""
        unit = "volt" if self.weight_unit == "V" else "1"
        return dataclasses.replace(
            self._paired("c"),
            states=(*self.states, f"c : {unit}"),
            each_step=("w += eta * L * c", "c *= exp(-dt / tau_e)"),
        )


def white_noise_factor(*, bridge: bool = True) -> str:
    """NDL's factor for a white-noise membrane: dP/dm, P the probability that the step u' = m + s xi from x0 fires at v_thresh.

    Without the bridge P = Phi((m - v_thresh) / s). With it P = Phi((m - v_thresh) / s) + exp(A) Phi(-y),
    A = 2 (m - x0)(v_thresh - x0) / s^2 and y = (m + v_thresh - 2 x0) / s, whose derivative is

        dP/dm = 2 (v_thresh - x0) / s^2 exp(A) Phi(-y)      and 0 for x0 >= v_thresh, where it fires anyhow

    Parameters
    ----------
    bridge : with crossings between grid points, as `simulate` has them

    Returns
    -------
    text in Brian2's syntax, in m, s, v_thresh and, with the bridge, x0 and the function normal_cdf (`engine.functions()`).
    exp(A) Phi(-y) is phi((m - v_thresh) / s) times Mills' ratio of y, a continued fraction for y > 8, so nothing overflows

    Source: Brownian bridge: Karatzas & Shreve 1998, doi 10.1007/978-1-4612-0949-2, ch. 2.8

    >>> white_noise_factor(bridge=False)
    'exp(-0.5 * ((m - v_thresh) / s)**2) / (s * sqrt(2 * pi))'
    """
    density = "exp(-0.5 * ((m - v_thresh) / s)**2) / (s * sqrt(2 * pi))"
    if not bridge:
        return density
    y = "((m + v_thresh - 2 * x0) / s)"
    far = f"clip({y}, 8, inf)"
    mills = far
    for k in range(12, 0, -1):
        mills = f"({far} + {k} / {mills})"
    exponent = "2 * ((m - x0) / s) * ((v_thresh - x0) / s)"
    near = f"exp(clip({exponent}, -700, 40)) * normal_cdf(-{y}) * int({y} <= 8)"
    return f"2 * clip(v_thresh - x0, 0 * s, inf * s) / s * ({near} / s + {density} / {mills} * int({y} > 8))"
