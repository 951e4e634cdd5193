"""Create the NeuronGroup of a population after checking that neuron, noise and stimulus fit together."""

from __future__ import annotations

from collections.abc import Sequence

from brian2 import NeuronGroup

from ...core.errors import NsnnError
from ...models.compatibility import check_compatible
from ...models.neurons import IntegrateAndFire, Neuron, NSNNNeuron, PoissonSource, Relay
from ...models.noise import Noise
from ...models.stimuli import Stimulus
from ...models.synapses import Synapse
from .discrete import discrete, poisson_source, relay
from .group_text import GroupText, Layout, add_drive
from .membrane import membrane


def make_group(
    neuron: Neuron,
    noise: Noise | None,
    stimulus: Stimulus | None,
    layout: Layout,
    *,
    synapses: Sequence[Synapse] = (),
    bridge: bool = True,
) -> NeuronGroup:
    """The Brian2 group of a population, with `layout.trials` copies of `layout.n_neurons` neurons and these incoming synapses."""
    check_compatible(neuron, noise, stimulus)
    group = GroupText(layout)
    add_drive(group, stimulus, neuron.membrane_unit)
    match neuron:
        case IntegrateAndFire():
            return membrane(group, neuron, noise, synapses, bridge)
        case NSNNNeuron():
            return discrete(group, neuron, noise)
        case Relay():
            return relay(group)
        case PoissonSource():
            return poisson_source(group, neuron)
        case _:
            raise NsnnError(
                f"model = {type(neuron).__name__}: expected a neuron such as LIF(...) or NSNNNeuron(...)"
            )
