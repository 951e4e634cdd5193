"""Brian2 code for neurons updated once per step: the NSNN neuron and the sources Relay and PoissonSource."""

from __future__ import annotations

import numpy as np
from brian2 import NeuronGroup

from ...models.escape import DoubleNoise, EscapeNoise, Family
from ...models.neurons import NSNNNeuron, PoissonSource
from ...models.noise import Noise
from ..philox import Stream
from .group_text import GroupText, substitute


def discrete(group: GroupText, neuron: NSNNNeuron, noise: Noise | None) -> NeuronGroup:
    """NSNN neuron: one update per step; the same random draw decides a spike and its reset.

    Synaptic input is added to u between the update and the draw.
    """
    group.bind_parameters(neuron)
    group.state("u", "1", 0.0)
    group.state("o", "integer", 0)
    update, threshold = neuron.updates[neuron.reset], f"u > {neuron.threshold}"
    match noise:
        case EscapeNoise():
            law = noise.law
            names = group.bind_parameters(law, "escape_") | {"x": f"(u - {neuron.threshold})"}
            if isinstance(law, Family):
                chance = substitute(law.cdf_text, names)
            else:
                chance = f"1 - exp(-clip(dt * ({substitute(law.rate_text, names)}), 0, 700))"
            threshold = f"{group.draw('uniform', Stream.ESCAPE)} < {chance}"
        case DoubleNoise():
            group.bind_parameters(noise, "noise_")
            update += f" + noise_sigma * {group.draw('normal', Stream.MEMBRANE)}"
            chance = f"normal_cdf((u - {neuron.threshold}) / noise_sigma)"
            threshold = f"{group.draw('uniform', Stream.ESCAPE)} < {chance}"
    return group.make(threshold, "o = 1", f"{update}\no = 0")


def relay(group: GroupText) -> NeuronGroup:
    """Relay: u is the drive of the step, and a spike occurs if it is not 0."""
    group.state("u", "1", 0.0)
    return group.make("u != 0", "", "u = drive")


def poisson_source(group: GroupText, neuron: PoissonSource) -> NeuronGroup:
    """Independent Poisson spike trains; u is 1 in a step with a spike."""
    group.bind("chance", -np.expm1(-np.asarray(neuron.si("rate")) * group.layout.dt), "1")
    group.state("u", "1", 0.0)
    return group.make("u > 0", "", f"u = int({group.draw('uniform', Stream.SOURCE)} < chance)")
