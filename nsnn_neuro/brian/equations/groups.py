"""Create the NeuronGroup of a population after checking that neuron, noise and stimulus are compatible."""

from __future__ import annotations

import re
from collections.abc import Sequence

from brian2 import NeuronGroup

from ...core import units
from ...core.errors import NsnnError
from ...models.escape import DoubleNoise, EscapeNoise
from ...models.neurons import ConductanceBased, IntegrateAndFire, Neuron, NSNNNeuron, PoissonSource, Relay
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
    check(neuron, noise, stimulus)
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


def check(neuron: Neuron, noise: Noise | None, stimulus: Stimulus | None) -> None:
    """Raise NsnnError unless neuron, noise and stimulus fit together in type and unit."""
    unit, who = neuron.membrane_unit, type(neuron).__name__
    _check_kind(neuron, noise, who)
    _check_reset(neuron, noise, who)
    if isinstance(neuron, PoissonSource) and stimulus is not None:
        raise NsnnError(f"stimulus = {type(stimulus).__name__}(...): a PoissonSource takes no stimulus")
    if stimulus is not None and stimulus.drive_unit != unit:
        for field in stimulus.parameter_fields()[:1]:
            stimulus.check_membrane(field.name, unit, neuron)
        raise NsnnError(
            f"stimulus = {type(stimulus).__name__}(...), {'dimensionless' if unit == 'V' else 'a voltage'}: expected "
            f"{units.describe(unit)}, the unit of the membrane of this {who}"
        )
    if isinstance(noise, EscapeNoise):
        if noise.x_unit != unit:
            named = "family" if noise.family is not None else "hazard"
            raise NsnnError(
                f"{named} = {getattr(noise, named)}: its argument is a distance to threshold, for this {who} "
                f"{units.describe(unit)}: give its scale that unit"
            )
    elif noise is not None:
        for name in noise.in_membrane_units():
            noise.check_membrane(name, unit, neuron)


def _check_reset(neuron: Neuron, noise: Noise | None, who: str) -> None:
    """Refuse a neuron that stays above a fixed threshold after its first spike; chance, or a moving threshold, may end this."""
    if not isinstance(neuron, IntegrateAndFire) or isinstance(neuron, ConductanceBased):
        return
    kept = neuron.reset.strip(" ()") == "v" and not neuron.moving and "v" not in _changed(neuron.after_spike)
    if kept and not isinstance(noise, EscapeNoise):
        raise NsnnError(
            f"{who}.reset = {neuron.reset!r}: v stays above its threshold, and the neuron would fire in each step; expected the "
            "value of v after a spike, such as 'v_reset', or a subclass of ConductanceBased for a neuron without a reset"
        )


def _changed(statements: str) -> set[str]:
    """The variables that statements such as "w += b" change."""
    return set(re.findall(r"(?:^|[\n;])\s*(\w+)\s*(?:[-+*/%]|\*\*|//)?=", statements))


def _check_kind(neuron: Neuron, noise: Noise | None, who: str) -> None:
    if noise is None:
        return
    given = f"noise = {type(noise).__name__}(...)"
    if isinstance(neuron, Relay | PoissonSource):
        raise NsnnError(f"{given}: a {who} has no membrane and takes no noise")
    if isinstance(neuron, NSNNNeuron):
        if not isinstance(noise, EscapeNoise | DoubleNoise):
            raise NsnnError(
                f"{given}: an NSNNNeuron takes escape noise, e.g. EscapeNoise(Gaussian(0.4)); for a noisy membrane use LIF"
            )
    elif isinstance(noise, DoubleNoise):
        raise NsnnError(
            f"{given}: this noise is for an NSNNNeuron only; use EscapeNoise or WhiteNoise for a {who}"
        )
    elif noise.at_threshold and (
        isinstance(neuron, ConductanceBased) or getattr(neuron, "nonlinear", None) is not None
    ):
        raise NsnnError(f"{given}: a {who} has no sharp threshold; use WhiteNoise or OUNoise, or an LIF")
    hazard = noise.hazard if isinstance(noise, EscapeNoise) else None
    leaky = isinstance(neuron, IntegrateAndFire) and neuron.leaky
    if hazard is not None and hazard.uses_rise and not leaky:
        raise NsnnError(
            f"hazard = {type(hazard).__name__}(...): it needs a leaky membrane, which a {who} is not; use LIF"
        )
