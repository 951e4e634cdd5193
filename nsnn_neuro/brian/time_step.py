"""The step dt against what it has to resolve: time constants of neurons, noise and synapses, and delays.

A warning, not an error: linear parts take their exact step, whatever dt is, so a coarse run is finite and may be meant.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import special

from ..core.parameters import Model
from ..models.distributions import Distribution
from ..models.network import Network
from ..models.neurons import ConductanceBased, IntegrateAndFire, Neuron
from ..models.noise import OUNoise
from ..models.populations import Population

__all__ = ["check_delays", "check_step", "delay_steps", "fastest_gate"]

_SHARE = 1 / 3  # of a time constant that a step may take
_SHARE_OF_MEMBRANE = 0.2  # of tau_m: the correction of the threshold between grid points assumes short steps
_SLACK = 1e-6  # of a step: rounding of a quotient of times


def check_step(network: Network, dt: float, *, stacklevel: int = 2) -> None:
    """Warn where dt (s) is more than a fifth of a membrane's time constant, or a third of another one.

    Time constants of a neuron's slow variables and gates, of its noise and of the synapses that reach it count. Those of `OUNoise`
    do not: its step is exact.
    """
    for population in network.populations:
        neuron = population.neuron
        if not isinstance(neuron, IntegrateAndFire):
            continue
        shortest = float(np.min(neuron.si("tau_m")))
        if dt > _SHARE_OF_MEMBRANE * shortest * (1 + _SLACK):
            warnings.warn(
                f"dt = {_ms(dt)} is more than a fifth of tau_m = {_ms(shortest)} of {population.name!r}: the threshold's "
                "correction between grid points assumes short steps",
                stacklevel=stacklevel + 1,
            )
        name, tau = min(_constants(network, population), key=lambda pair: pair[1], default=("", np.inf))
        if dt > _SHARE * tau * (1 + _SLACK):
            warnings.warn(
                f"dt = {_ms(dt)} is more than a third of {name} = {_ms(tau)} of {population.name!r}: the step is too coarse "
                f"for it; take dt of at most {_ms(_SHARE * tau)}",
                stacklevel=stacklevel + 1,
            )


def check_delays(network: Network, dt: float, *, stacklevel: int = 2) -> None:
    """Warn where given delays are no whole numbers of steps dt (s). Those drawn from a distribution are rounded in silence."""
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
            told = f"delay = {_ms(given)} of {name!r} is not a whole number of steps of dt = {_ms(dt)}: it is taken as {_ms(taken)}"
        else:
            worst = np.max(np.abs(taken - given))
            told = (
                f"{np.count_nonzero(off)} of {steps.size} delays of {name!r} are not whole numbers of steps of dt = {_ms(dt)}: "
                f"they are rounded, by {_ms(worst)} at most"
            )
        warnings.warn(f"{told}; give multiples of dt, or a shorter dt", stacklevel=stacklevel + 1)


def delay_steps(delay: Any, dt: float) -> np.ndarray:
    """Delays (s) in steps: the nearest whole number, a half upwards.

    >>> delay_steps([0.0, 0.00004, 0.00005, 0.0015], 1e-4).tolist()
    [0.0, 0.0, 1.0, 15.0]
    """
    return np.floor(np.asarray(delay, dtype=float) / dt + 0.5 + _SLACK)


def _ms(seconds: Any) -> str:
    return f"{1e3 * float(seconds):.4g} ms"


def _constants(network: Network, population: Population) -> Iterator[tuple[str, float]]:
    """Names and shortest values (s) of the time constants that a population's step has to resolve, those of tau_m apart."""
    reach = [p.synapse for p in network.projections if p.post is population]
    noise = None if isinstance(population.noise, OUNoise) else population.noise
    for record in (population.neuron, noise, *reach):
        for name, tau in _times(record):
            if name != "tau_m":
                yield name, tau
    gate = fastest_gate(population.neuron)
    if gate is not None:
        yield "the fastest gate's time constant", gate


def _times(record: Model | None) -> Iterator[tuple[str, float]]:
    """The positive times among a record's parameters: its time constants."""
    if record is None:
        return
    for field in record.parameter_fields():
        if field.metadata["units"] == ("s",) and field.metadata["bound"] == "positive":
            yield field.name, float(np.min(record.si(field.name)))


def fastest_gate(neuron: Neuron) -> float | None:
    """The shortest time constant (s) of a conductance-based neuron's gates, 1 / (opening + closing rate), between the lowest and
    the highest of its channels' reversal potentials; None without gates, or where the texts name more than v and parameters.

    >>> from nsnn_neuro.models.neurons import WangBuzsaki
    >>> round(1e3 * fastest_gate(WangBuzsaki()), 3)
    0.2
    """
    if not isinstance(neuron, ConductanceBased) or not neuron.gates or not neuron.channels:
        return None
    try:
        ends = [_value(neuron, reversal) for _, reversal in neuron.channels.values()]
        v = np.linspace(min(np.min(e) for e in ends), max(np.max(e) for e in ends), 201)[:, None]
        rates = [
            _value(neuron, opening, v) + _value(neuron, closing, v)
            for opening, closing in neuron.gates.values()
        ]
    except (KeyError, SyntaxError, TypeError):
        return None
    return 1 / max(float(np.max(rate)) for rate in rates)


def _value(neuron: Neuron, text: str, v: Any = None) -> np.ndarray:
    """A text of the neuron's in SI numbers, at voltages v; KeyError for a name that is no parameter and no unit."""
    names, function = _compiled(text)
    known = {f.name: neuron.si(f.name) for f in neuron.parameter_fields()} | {"v": v}
    return np.asarray(function(*(known[name] if name in known else _unit(name) for name in names)))


@functools.cache
def _compiled(text: str) -> tuple[list[str], Callable[..., Any]]:
    """The names in a text in Brian2's syntax, and the function of their values that it is."""
    from brian2.parsing.sympytools import str_to_sympy
    from sympy import lambdify

    expression = str_to_sympy(text)
    symbols = sorted(expression.free_symbols, key=str)
    return [s.name for s in symbols], lambdify(symbols, expression, [{"exprel": special.exprel}, "numpy"])


def _unit(name: str) -> float:
    import brian2

    return float(brian2.DEFAULT_UNITS[name])
