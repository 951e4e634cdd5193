"""Certification of short-term plasticity: the mean share of its weight that a synapse transmits, in a simulated network.

Poisson sources each drive one perfect integrator without threshold, whose rise, over the weight and the number of spikes, is the
mean efficacy. `theory.short_term_efficacy` averages the update rule over the geometric intervals of such a source.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import theory
from ..brian.simulate import simulate
from ..core import units
from ..measures import as_trains
from ..models.connectivity import OneToOne
from ..models.network import Network
from ..models.neurons import PIF, PoissonSource
from ..models.populations import Population, Projection
from ..models.short_term import TsodyksMarkram
from .cases import Case, Estimated, Hz, ms, mV

RATE = 30.0  # Hz
SYNAPSES = {
    "depression": TsodyksMarkram(U=0.5, tau_rec=200 * ms),
    "facilitation": TsodyksMarkram(U=0.1, tau_rec=0 * ms, tau_facil=200 * ms),
    "depression and facilitation": TsodyksMarkram(U=0.2, tau_rec=150 * ms, tau_facil=300 * ms),
}
_NEURONS, _BURN_IN, _WINDOW = 800, 1.5, 4.5  # s
_WEIGHT = 1.0  # mV
_DT = 1.0  # ms


def every_case() -> Iterator[Case]:
    """A case for each of `SYNAPSES`."""
    source = PoissonSource(RATE * Hz)
    for mode, synapse in SYNAPSES.items():

        def exact(dt: float, synapse: TsodyksMarkram = synapse) -> dict[str, float]:
            taus = {"tau_rec": synapse.tau_rec, "tau_facil": synapse.tau_facil}
            return {"efficacy": float(theory.short_term_efficacy(RATE, synapse.U, **taus, dt=dt))}

        def measure(dt: float, seed: int, synapse: TsodyksMarkram = synapse) -> dict[str, Estimated]:
            return {"efficacy": _efficacy(synapse, dt, seed)}

        yield Case(source, None, mode, exact, dts=(_DT,), per_step=True, measure=measure)


def _efficacy(synapse: TsodyksMarkram, dt: float, seed: int) -> Estimated:
    """Mean share of the weight that a spike transmits; its standard error is that of a ratio over neurons."""
    integrator = PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=1e9 * mV, tau_refrac=0 * ms)
    sources = Population(_NEURONS, PoissonSource(RATE * Hz), name="sources")
    cells = Population(_NEURONS, integrator, name="cells")
    wires = Projection(sources, cells, rule=OneToOne(), weight=_WEIGHT * mV, short_term=synapse)
    block = simulate(
        Network([sources, cells], [wires]),
        duration=1e3 * (_BURN_IN + _WINDOW) * ms,
        dt=1e3 * dt * ms,
        seed=seed,
        engine="numpy",
        record_v={"cells": True},
        progress=False,
    )
    (signal,) = block.segments[0].analogsignals
    first, last = round(_BURN_IN / dt), len(signal) - 1
    rise = units.si(signal[last] - signal[first], "V", "v").ravel()
    trains = as_trains(block)
    step = np.rint(trains.times / dt).astype(int)
    counted = (step >= first) & (step < last) & (trains.neuron < _NEURONS)
    spikes = np.bincount(trains.neuron[counted], minlength=_NEURONS)
    sent = rise / (1e-3 * _WEIGHT)
    value = sent.sum() / spikes.sum()
    error = np.sqrt(_NEURONS) * np.std(sent - value * spikes, ddof=1) / spikes.sum()
    return Estimated(float(value), float(error), int(spikes.sum()))
