"""Check that a network can be trained, and write each layer's learning rule as Brian2 code."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from ..core.errors import NsnnError
from ..core.parameters import substitute
from ..models.connectivity import AllToAll
from ..models.escape import EscapeNoise
from ..models.network import Network
from ..models.neurons import NSNNNeuron, Relay
from ..models.plasticity import NDL, Optimizer
from ..models.populations import Projection
from .losses import Loss
from .noise_scale import eta_noise

Text = tuple[str, str, dict[str, Any]]


def layered(net: Network) -> tuple[list[Projection], list[Projection | None]]:
    """The projections of a trainable network: from each layer to the next, input first; and from each layer to itself, or None.

    NsnnError for anything but an input `Relay` and layers of `NSNNNeuron`s, each connected all to all, without delay and with
    plasticity, to the next and optionally to itself.
    """
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
        _check_projection(net, projection, name)
    forward = [p for p in ahead if p is not None]
    if len(forward) < n - 1:
        raise NsnnError(f"net = {net!r}: {expected}")
    if len({p.plasticity.signal for p in net.projections}) > 1:
        raise NsnnError("plasticity: the projections' rules differ in signal, expected one for all")
    for first, loop in zip(forward, loops, strict=True):
        if loop is not None and not _alike(layer_text(first), layer_text(loop)):
            raise NsnnError(
                f"plasticity: the rules of both projections to {loop.post.name!r} differ in more than eta and optimizer, "
                "expected one factor for each neuron"
            )
    return forward, loops


def _check_projection(net: Network, projection: Projection, name: str) -> None:
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
    delay = net.connections(projection).delay
    if not isinstance(projection.rule, AllToAll) or projection.release < 1 or np.any(delay):
        raise NsnnError(
            f"projection {name!r}: expected rule=AllToAll() of all pairs, without delay, release=1"
        )
    if projection.plasticity is None:
        raise NsnnError(f"projection {name!r}: plasticity = None, expected a rule such as NDL(0.01)")
    _check_rule(projection, name)


def _alike(a: Text, b: Text) -> bool:
    """Whether two rules have the same factor and trace."""
    if a[:2] != b[:2] or a[2].keys() != b[2].keys():
        return False
    return all(np.array_equal(value, b[2][name]) for name, value in a[2].items())


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
    eta_noise(projection)
    layer_text(projection)


def check_forced(projection: Projection, loss: Loss) -> None:
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


def check_online(net: Network, loss: Loss, scheduled: bool) -> None:
    """Raise NsnnError for what the online formulation can't learn."""
    projections, loops = layered(net)
    online = 'formulation = "online"'
    if not loss.averaged:
        raise NsnnError(
            f"loss = {loss!r}: {online} needs the mean of something over steps, such as losses.cross_entropy_step"
        )
    if any(p is not None for p in loops):
        raise NsnnError(
            f'net = {net!r}: {online} is for layers without recurrent projections, expected "fast"'
        )
    if scheduled or any(eta_noise(p) for p in projections):
        raise NsnnError(
            f'{online} leaves the noise as it is, expected no noise_schedule and eta_noise, or "fast"'
        )
    if projections[0].plasticity.signal == "reward":
        raise NsnnError(f'{online} has no signal = "reward", expected "fast", or NDL(...).synapses')
