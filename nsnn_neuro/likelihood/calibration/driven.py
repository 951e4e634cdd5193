"""Simulation of a neuron with recorded input spikes, as a network whose relays send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import neo
import numpy as np
import quantities as pq

from ...models.connectivity import OneToOne
from ...models.network import Network
from ...models.neurons import Relay
from ...models.populations import Population, Projection
from ...models.stimuli import Recorded
from ..continuous.synaptic import arrivals, arriving
from ..continuous.trials import Trial


def simulate_driven(
    parts: tuple[Any, Any, Any], inputs: Mapping[str, Any], trials: Sequence[Trial], n: int, **options: Any
) -> neo.Block:
    """n simulated trials of a neuron, noise and stimulus; trial k has the input spikes of trial k of `trials`, which repeat.

    options : of `simulate`, with duration and dt
    """
    from ...brian.simulate import simulate

    dt = float(options["dt"])
    n_steps = round(float(options["duration"]) / dt)
    neuron, noise, stimulus = parts
    cells = Population(len(trials), neuron, noise=noise, stimulus=stimulus, name="neuron")
    relays, projections = [], []
    for k, (name, one) in enumerate(inputs.items()):
        given = [arriving(one, trial.inputs[k], dt) for trial in trials]
        values = np.stack([arrivals(*spikes, 0, n_steps) for spikes in given], axis=1)
        signal = neo.AnalogSignal(values, units="dimensionless", sampling_period=dt * pq.s)
        relay = Population(len(trials), Relay(), stimulus=Recorded(signal), name=name)
        relays.append(relay)
        kind = {"weight": one.weight, "synapse": one.synapse}
        projections.append(Projection(relay, cells, rule=OneToOne(), name=name, **kind))
    block = simulate(Network([*relays, cells], projections), trials=-(-n // len(trials)), **options)
    every = [segment.spiketrains[-len(trials) :] for segment in block.segments]
    result = neo.Block(**block.annotations)
    for k in range(n):
        segment = neo.Segment(name=f"trial {k}", index=k)
        segment.spiketrains.append(every[k // len(trials)][k % len(trials)])
        result.segments.append(segment)
    return result
