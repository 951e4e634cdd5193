"""Check that a neuron, its noise and its stimulus fit together, in kind and in unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import units
from ..core.errors import NsnnError
from .escape import DoubleNoise, EscapeNoise
from .neurons import ConductanceBased, IntegrateAndFire, Neuron, NSNNNeuron, PoissonSource, Relay
from .neurons.expressions import STATEMENT, statements
from .noise import Noise, PoissonInput, WhiteNoise
from .stimuli import Stimulus


def check_compatible(neuron: Neuron, noise: Noise | None, stimulus: Stimulus | None) -> None:
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
        for one in noise.inputs if isinstance(noise, PoissonInput) else (noise,):
            for name in one.in_membrane_units():
                one.check_membrane(name, unit, neuron)
            if isinstance(one, PoissonInput) and one.synapse.reversal is not None:
                one.synapse.check_membrane(one.synapse.reversal, unit, neuron)


def check_variance(
    noise: Noise | None, stimulus: Stimulus | None, n_steps: int, dt: float, ids: Any = None
) -> None:
    """Raise NsnnError for white noise whose variance a drive makes negative; `ids` choose channels, as of `Layout`."""
    if not isinstance(noise, WhiteNoise) or not noise.weighted or stimulus is None:
        return
    drive = stimulus.samples(n_steps, dt).reshape(n_steps, -1)
    if ids is not None and 1 < drive.shape[1] < len(ids):
        drive = drive[:, ids]
    variance = np.asarray(noise.variance(np.stack([drive.min(axis=0), drive.max(axis=0)])))
    if variance.min() < 0:
        end, column = divmod(int(variance.argmin()), variance.shape[1])
        given = drive[:, min(column, drive.shape[1] - 1)]
        step = int(given.argmax() if end else given.argmin())
        raise NsnnError(
            f"weight = {noise.weight} of WhiteNoise: the variance sigma^2 + weight drive / 2 is {variance.min():.3g} at "
            f"{step * dt:.6g} s, where the drive is {given[step]:.3g} (SI): expected 0 or more; take a larger sigma, a weight "
            "closer to 0, or a signal that is clipped there"
        )


def _check_reset(neuron: Neuron, noise: Noise | None, who: str) -> None:
    """Refuse a neuron that stays above a fixed threshold after its first spike; chance, or a moving threshold, may end this."""
    if not isinstance(neuron, IntegrateAndFire) or isinstance(neuron, ConductanceBased):
        return
    changes = [STATEMENT.match(line) for line in statements(neuron.after_spike)]
    kept = neuron.reset.strip(" ()") == "v" and not neuron.moving and "v" not in [m[1] for m in changes if m]
    if kept and not isinstance(noise, EscapeNoise):
        raise NsnnError(
            f"{who}.reset = {neuron.reset!r}: v stays above its threshold, and the neuron would fire in each step; expected the "
            "value of v after a spike, such as 'v_reset', or a subclass of ConductanceBased for a neuron without a reset"
        )


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
