"""Warnings about a step dt that is too long for the time constants or delays of a network, and about a stimulus after the run.

They are warnings, not errors: linear parts take their exact step for any dt, so a coarse simulation stays finite and may be
intended.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.warn import warn
from ..models.network import Network
from ..models.neurons import ConductanceBased, IntegrateAndFire, Neuron
from ..models.neurons.expressions import value_of
from ..models.noise import OUNoise, PoissonInput
from ..models.step_length import in_ms, long_steps
from ..models.stimuli import Step, Stimulus
from ..models.weight_distributions import Distribution

_SLACK = 1e-6  # rounding of a quotient of times, in steps


def check_step(network: Network, dt: float) -> None:
    """Warn if dt (s) exceeds a fifth of tau_m or a third of another time constant of a population.

    Not of tau_noise of `OUNoise`, whose step is exact.
    """
    for population in network.populations:
        of = f" of {population.name!r}" if len(network.populations) > 1 else ""
        if not isinstance(population.neuron, IntegrateAndFire):
            continue
        noise = None if isinstance(population.noise, OUNoise) else population.noise
        reach = [p.synapse for p in network.projections if p.post is population]
        if isinstance(noise, PoissonInput):
            reach += [one.synapse for one in noise.inputs]
        gate = fastest_gate(population.neuron)
        gates = [] if gate is None else [("the time constant of the fastest gate", gate)]
        for one in long_steps(dt, population.neuron, (noise, *reach), gates):
            reason = (
                "the correction for crossings between grid points assumes short steps"
                if one.name == "tau_m"
                else "the step is too long"
            )
            warn(f"{one}{of}: {reason}; use dt of at most {one.longest}")


def check_delays(network: Network, dt: float) -> None:
    """Warn if given delays are not multiples of dt (s). Delays drawn from a distribution are rounded without a warning."""
    for name, projection in zip(network.projection_names, network.projections, strict=True):
        given = projection.given_delay
        if isinstance(given, Distribution):
            continue
        steps = np.asarray(given) / dt
        off = np.abs(steps - np.rint(steps)) > _SLACK * np.maximum(1.0, steps)
        if not np.any(off):
            continue
        taken = delay_steps(given, dt) * dt
        if steps.ndim == 0:
            message = f"delay = {in_ms(given)} of {name!r} is not a multiple of dt = {in_ms(dt)}: it is rounded to {in_ms(taken)}"
        else:
            worst = np.max(np.abs(taken - given))
            message = (
                f"{np.count_nonzero(off)} of {steps.size} delays of {name!r} are not multiples of dt = {in_ms(dt)}: "
                f"they are rounded, by {in_ms(worst)} at most"
            )
        warn(f"{message}; give multiples of dt, or a shorter dt")


def check_stimuli(network: Network, replaced: Stimulus | None, start: float, stop: float) -> None:
    """Warn if a `Step` lies outside the run from `start` to `stop` (s): it then has no effect.

    replaced : stimulus of the first population, in place of its own
    """
    for k, population in enumerate(network.populations):
        stimulus = replaced if replaced is not None and k == 0 else population.stimulus
        if not isinstance(stimulus, Step):
            continue
        end = f"{'' if start else 'duration = '}{in_ms(stop)}"
        first, last = float(np.min(stimulus.si("t_on"))), float(np.max(stimulus.si("t_off")))
        if start > 0 and last <= start * (1 + _SLACK):
            warn(
                f"t_off = {in_ms(last)} of the Step is not after the beginning of the run, which continues at {in_ms(start)}: the "
                "step has no effect in this run; its times count from the beginning of the first run"
            )
        if first >= stop * (1 - _SLACK):
            of = f" of {population.name!r}" if len(network.populations) > 1 else ""
            warn(
                f"t_on = {in_ms(first)} of the Step{of} is not before the end of the run, {end}: the step "
                "has no effect in this run; take a longer duration or an earlier step"
            )


def delay_steps(delay: Any, dt: float) -> np.ndarray:
    """Delays (s) rounded to whole steps, halves upwards.

    >>> delay_steps([0.0, 0.00004, 0.00005, 0.0015], 1e-4).tolist()
    [0.0, 0.0, 1.0, 15.0]
    """
    return np.floor(np.asarray(delay, dtype=float) / dt + 0.5 + _SLACK)


def fastest_gate(neuron: Neuron) -> float | None:
    """The shortest time constant (s) of the gates, 1 / (opening + closing rate), between the lowest and the highest reversal
    potential of the channels; None without gates, or if the texts contain other names than v and parameters.

    >>> from nsnn_neuro.models.neurons import WangBuzsaki
    >>> round(1e3 * fastest_gate(WangBuzsaki()), 3)
    0.2
    """
    if not isinstance(neuron, ConductanceBased) or not neuron.gates or not neuron.channels:
        return None
    parameters = {f.name: neuron.si(f.name) for f in neuron.parameter_fields()}
    ends = [value_of(reversal, parameters) for _, reversal in neuron.channels.values()]
    if any(end is None for end in ends):
        return None
    v = np.linspace(min(np.min(e) for e in ends), max(np.max(e) for e in ends), 201)[:, None]
    rates = [
        value_of(f"({opening}) + ({closing})", {**parameters, "v": v})
        for opening, closing in neuron.gates.values()
    ]
    if any(rate is None for rate in rates):
        return None
    return 1 / max(float(np.max(rate)) for rate in rates)
