"""Text of neurons that live in steps: the NSNN neuron, and the sources `Relay` and `PoissonSource`."""

from __future__ import annotations

import numpy as np
from brian2 import NeuronGroup

from ...models.escape import DoubleNoise, EscapeNoise
from ...models.neurons import NSNNNeuron, PoissonSource
from ...models.noise import Noise
from ..philox import Stream
from .model import Model, substitute

__all__ = ["discrete", "poisson_source", "relay"]


def discrete(model: Model, neuron: NSNNNeuron, noise: Noise | None) -> NeuronGroup:
    """The discrete NSNN neuron: one update for each step; the spike and its reset are the same draw.

    What synapses bring is added to u between its update and the draw.
    """
    model.record(neuron)
    model.state("u", "1", 0.0)
    model.state("o", "integer", 0)
    update, threshold = neuron.updates[neuron.reset], f"u > {neuron.threshold}"
    match noise:
        case EscapeNoise():
            names = model.record(noise.family or noise.hazard, "escape_") | {"x": f"(u - {neuron.threshold})"}  # type: ignore[arg-type]
            if noise.family is not None:
                chance = substitute(noise.family.cdf_text, names)
            else:
                chance = f"1 - exp(-clip(dt * ({substitute(noise.hazard.rate_text, names)}), 0, 700))"  # type: ignore[union-attr]
            threshold = f"{model.draw('uniform', Stream.ESCAPE)} < {chance}"
        case DoubleNoise():
            model.record(noise, "noise_")
            update += f" + noise_sigma * {model.draw('normal', Stream.MEMBRANE)}"
            chance = f"normal_cdf((u - {neuron.threshold}) / noise_sigma)"
            threshold = f"{model.draw('uniform', Stream.ESCAPE)} < {chance}"
    return model.make(threshold, "o = 1", f"{update}\no = 0")


def relay(model: Model) -> NeuronGroup:
    """The stimulus, handed on: u is the drive of the step, and a spike whenever it isn't 0."""
    model.state("u", "1", 0.0)
    return model.make("u != 0", "", "u = drive")


def poisson_source(model: Model, neuron: PoissonSource) -> NeuronGroup:
    """Independent Poisson trains; u is 1 in a step with a spike."""
    model.bind("chance", -np.expm1(-np.asarray(neuron.si("rate")) * model.layout.dt), "1")
    model.state("u", "1", 0.0)
    return model.make("u > 0", "", f"u = int({model.draw('uniform', Stream.SOURCE)} < chance)")
