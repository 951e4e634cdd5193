"""Check that a network can be trained, and write each layer's learning rule as Brian2 code."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import NsnnError
from ..core.parameters import substitute
from ..models.connectivity import AllToAll
from ..models.escape import EscapeNoise, Family
from ..models.network import Network
from ..models.neurons import NSNNNeuron, Relay
from ..models.plasticity import NDL, Optimizer
from ..models.populations import Projection
from .losses import Loss

LEARNED = ("noise", "beta", "theta")
"""what a rule's eta_noise, eta_beta and eta_theta change"""
Text = tuple[str, str, dict[str, Any]]


class Layers:
    """A network that `loss` can train, as layers. NsnnError for any other.

    It has an input `Relay` and layers of `NSNNNeuron`s, each connected all to all, without delay and with plasticity, to the next
    and optionally to itself.

    online : whether for the online formulation
    scheduled : whether the noise of all layers has a schedule

    forward : the projections from each layer to the next, input first
    loops : for each layer after the input its projection to itself, or None
    signal : of the projections' learning rules
    changing : what changes beside the weights: noise that is learned or has a schedule, and beta and theta that are learned
    weights : for each of the network's projections
    """

    def __init__(self, net: Network, loss: Loss, *, online: bool = False, scheduled: bool = False) -> None:
        self.net = net
        self.forward, self.loops = _in_order(net)
        if len({p.plasticity.signal for p in net.projections}) > 1:
            raise NsnnError("plasticity: the projections' rules differ in signal, expected one for all")
        self.signal: str = self.forward[0].plasticity.signal
        for first, loop in zip(self.forward, self.loops, strict=True):
            if loop is None:
                continue
            one, other = layer_text(first), layer_text(loop)
            alike = one[:2] == other[:2] and one[2].keys() == other[2].keys()
            if not alike or not all(np.array_equal(value, other[2][name]) for name, value in one[2].items()):
                raise NsnnError(
                    f"plasticity: the rules of both projections to {loop.post.name!r} differ in more than eta and optimizer, "
                    "expected one factor for each neuron"
                )
        if loss.forced:
            _check_forced(self.forward[-1], loss)
        if online:
            self._check_online(loss, scheduled)
        self.changing = [
            Changing(kind, k, p, rate)
            for kind in LEARNED
            for k, p in enumerate(self.forward, 1)
            if (rate := rate_of(p, kind)) or (scheduled and kind == "noise")
        ]
        for name, projection in zip(net.projection_names, net.projections, strict=True):
            delay = net.connections(projection).delay
            if not isinstance(projection.rule, AllToAll) or projection.release < 1 or np.any(delay):
                raise NsnnError(
                    f"projection {name!r}: expected rule=AllToAll() of all pairs, without delay, release=1"
                )
        self.weights: list[np.ndarray] = net.get_weights()

    def feedback_shapes(self) -> list[tuple[int, int]]:
        """Of the fixed weights that bring hidden layers their signal: (n of the layer, n of its source), for each; [] without."""
        if self.signal in ("transport", "reward"):
            return []
        last = self.forward[-1].post
        return [(p.pre.n, last.n if self.signal == "broadcast" else p.post.n) for p in self.forward[1:]]

    def _check_online(self, loss: Loss, scheduled: bool) -> None:
        online = 'formulation = "online"'
        if not loss.averaged:
            raise NsnnError(
                f"loss = {loss!r}: {online} needs the mean of something over steps, such as losses.cross_entropy_step"
            )
        if any(p is not None for p in self.loops):
            raise NsnnError(
                f'net = {self.net!r}: {online} is for layers without recurrent projections, expected "fast"'
            )
        rates = {f"eta_{kind}": rate_of(p, kind) for p in self.forward for kind in LEARNED}
        learned = [f"{name} = {rate}" for name, rate in rates.items() if rate]
        if scheduled or learned:
            raise NsnnError(
                f"{', '.join(learned) or 'noise_schedule'}: {online} leaves the noise, beta and theta as they are, expected "
                '0 and no noise_schedule, or "fast"'
            )
        if self.signal == "reward":
            raise NsnnError(f'{online} has no signal = "reward", expected "fast", or NDL(...).synapses')


def _in_order(net: Network) -> tuple[list[Projection], list[Projection | None]]:
    """The projections from each layer to the next, and from each to itself, or None; their neurons, rules and noise checked."""
    expected = "expected layers, as feedforward([64, 128, 10], noise=..., plasticity=NDL(0.01)) makes them, or recurrent(...)"
    n = len(net.populations)
    ahead: list[Projection | None] = [None] * (n - 1)
    loops: list[Projection | None] = [None] * (n - 1)
    if n < 2 or not isinstance(net.populations[0].neuron, Relay):
        raise NsnnError(f"net = {net!r}: {expected}")
    for name, projection in zip(net.projection_names, net.projections, strict=True):
        pre, k = (net.populations.index(p) for p in (projection.pre, projection.post))
        kind = {0: loops, 1: ahead}.get(k - pre)
        if kind is None or kind[k - 1] is not None:
            raise NsnnError(
                f"projection {name!r} isn't from a layer to the next or to itself, or isn't the only such one: {expected}"
            )
        kind[k - 1] = projection
        _check_projection(projection, name)
    forward = [p for p in ahead if p is not None]
    if len(forward) < n - 1:
        raise NsnnError(f"net = {net!r}: {expected}")
    return forward, loops


def _check_projection(projection: Projection, name: str) -> None:
    post = projection.post
    if not isinstance(post.neuron, NSNNNeuron):
        raise NsnnError(
            f"population {post.name!r} is of {type(post.neuron).__name__}s, expected NSNNNeuron()"
        )
    if post.stimulus is not None:
        raise NsnnError(f"population {post.name!r} has a stimulus, expected None: samples come from X")
    if projection.rule.shared:
        raise NsnnError(
            f"projection {name!r}: the synapses of {type(projection.rule).__name__} share weights, which are learned in torch: "
            "deep.from_network(net), and back by deep.to_network(module)"
        )
    if projection.plasticity is None:
        raise NsnnError(f"projection {name!r}: plasticity = None, expected a rule such as NDL(0.01)")
    _check_rule(projection, name)


def _check_rule(projection: Projection, name: str) -> None:
    rule, noise = projection.plasticity, projection.post.noise
    optimizer, signal = getattr(rule, "optimizer", None), getattr(rule, "signal", None)
    if not isinstance(optimizer, Optimizer) or signal is None:
        raise NsnnError(
            f"projection {name!r}: plasticity = {rule}: expected a rule that goes down a loss, NDL, SurrogateGradient or EProp"
        )
    if noise is not None and not isinstance(noise, EscapeNoise):
        raise NsnnError(f"noise = {noise}: expected EscapeNoise(Gaussian(0.4)) or the like, or None")
    if noise is None and isinstance(rule, NDL):
        raise NsnnError(
            f"noise = None: NDL learns through noise, and {projection.post.name!r} has none: give it "
            "EscapeNoise(Gaussian(0.4)), or train without noise by plasticity=SurrogateGradient(Gaussian(0.4), eta)"
        )
    if noise is not None and noise.family is None:
        raise NsnnError(
            f"noise = {noise}: a hazard has no density per step, expected a family such as Gaussian(0.4)"
        )
    for kind in LEARNED:
        rate_of(projection, kind)
    layer_text(projection)


def _check_forced(projection: Projection, loss: Loss) -> None:
    """Raise NsnnError unless a loss that forces the output's spikes knows their probability and its rule the noise's density."""
    noise, rule = projection.post.noise, projection.plasticity
    if noise is None:
        raise NsnnError(
            f"noise = None: {loss} needs the probability of a spike, expected EscapeNoise(Gaussian(0.4)) or the like"
        )
    if not isinstance(rule, NDL):
        raise NsnnError(
            f"plasticity = {rule}: {loss} has the density of the output's own noise for its factor, expected NDL(eta)"
        )
    if rule.signal == "reward":
        raise NsnnError(
            f'signal = "reward": {loss} gives the output its spikes, expected "transport", "random" or "broadcast"'
        )


def layer_text(projection: Projection, detached: bool = False) -> Text:
    """A rule's factor and du(t+1)/du(t), as text, and their parameters; `detached`: of NDL that ignores the reset.

    The factor of signal="reward" is the score, f (o / p - (1 - o) / (1 - p)).
    """
    rule, neuron = projection.plasticity, projection.post.neuron
    if detached:
        rule = dataclasses.replace(rule, reset_path="detached")
    assert isinstance(neuron, NSNNNeuron)
    options = {name: getattr(neuron, name) for name in ("beta", "theta", "reset")}
    text = rule.text(noise=projection.post.noise, **options)
    halves = (re.split(r" \+?= ", line, maxsplit=1) for line in text.each_step)
    lines = dict(half for half in halves if len(half) == 2)
    if not {"f", "carried"} <= set(lines):
        raise NsnnError(
            f"plasticity = {rule}: its text has no factor f or no trace carried on, expected NDL or the like"
        )
    factor = lines["f"]
    if rule.signal == "reward":
        given = {"f": f"({factor})", "p": lines["p"], "trace": "1"}
        factor = substitute(lines["score"], given)
    # without the parameters of the learning rate and the optimizer
    own = {n: v for n, (v, _) in text.parameters.items() if n != "eta" and not n.startswith("optimizer_")}
    return factor, substitute(lines["carried"], {"trace": "1"}), own


def rate_of(projection: Projection, kind: str) -> float:
    """The learning rate of the target's "noise", "beta" or "theta"; 0 for none."""
    rule, neuron = projection.plasticity, projection.post.neuron
    rate = rule.si(f"eta_{kind}") if hasattr(rule, f"eta_{kind}") else 0.0
    if rate and kind == "noise":
        family_of(projection, f"eta_noise = {rate}")
    beta = neuron.si("beta") if rate and kind == "beta" else 0.5
    if not np.all((beta > 0) & (beta < 1)):
        raise NsnnError(
            f"beta = {beta} of {projection.post.name!r}: expected above 0 and below 1 with eta_beta = {rate}, such as 0.5"
        )
    return float(rate)


def family_of(projection: Projection, reason: str) -> Family:
    """The family of the target's noise; NsnnError, which begins with `reason`, where there is none with a scale."""
    noise = projection.post.noise
    if not isinstance(noise, EscapeNoise) or noise.family is None:
        raise NsnnError(
            f"{reason}: population {projection.post.name!r} has noise = {noise}, expected noise of a family such as Gaussian(0.4)"
        )
    noise.family.scaled(1.0)  # refuses a family without a scale
    return noise.family


class Changing(NamedTuple):
    """A parameter of a layer's neurons that changes: "noise", "beta" or "theta" of layer k, by the rule of the projection to it."""

    kind: str
    k: int
    projection: Projection
    rate: float

    @property
    def label(self) -> str:
        """Its name in generated code and in checkpoints."""
        return f"{'level' if self.kind == 'noise' else self.kind}_{self.k}"

    @property
    def column(self) -> str:
        """Its column of a history, a mean over neurons."""
        return f"{'noise' if self.kind == 'noise' else 'mean ' + self.kind} of {self.projection.post.name}"

    @property
    def signal(self) -> str:
        """Its signal in a Block, of all neurons."""
        return f"{'level' if self.kind == 'noise' else self.kind} of {self.projection.post.name}"

    def first(self) -> np.ndarray:
        """The values before training: of the noise factors; one, or one for each neuron where it differs between neurons."""
        if self.kind != "noise":
            return np.array(self.projection.post.neuron.si(self.kind), float, ndmin=1)
        family = family_of(self.projection, "the level of the noise")
        each = self.rate and any(np.ndim(family.si(name)) for name in family.scale_powers())
        return np.ones(self.projection.post.n if each else 1)
