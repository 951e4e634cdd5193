"""The state of a simulation at its end, from which another one continues: `simulate(..., return_state=True)`, then `initial=`.

A state holds every variable of the populations, and for networks those of the synapses and the spikes on their way. Time goes on:
the continued run begins at the state's time, draws the noise of its steps and sees the stimulus from there, so that its spikes are
those of one long run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import quantities as pq
from brian2 import Network, get_device
from brian2.core.variables import ArrayVariable
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from ..core import units
from ..core.checks import did_you_mean
from ..core.errors import NsnnError
from ..models.neurons import IntegrateAndFire, NSNNNeuron
from ..models.populations import Population
from .equations.membrane import start_texts

_SPIKES = "_spikespace"  # of the last step, which synapses transmit in the next one
_Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class SimulationState:
    """State of all neurons and synapses at the end of a run of `simulate`; pass it to another run as `initial`.

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro import LIF, Constant, simulate
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> drive = Constant(25*mV)
    >>> block, state = simulate(cell, stimulus=drive, duration=50*ms, seed=1, engine="numpy", return_state=True)
    >>> state
    State at 0.05 s of 1 neuron, 1 trial
    >>> state.values("v").round(3)
    array([[0.018]]) * V
    >>> later = simulate(cell, stimulus=drive, duration=50*ms, initial=state, engine="numpy")
    >>> later.segments[0].spiketrains[0].magnitude.round(4).tolist()
    [0.0561, 0.0801]
    """

    step: int
    """number of steps that the run had taken"""
    dt: float
    """s"""
    seed: int
    trials: int
    sizes: dict[str, int]
    """number of neurons of each population"""
    _shown: dict[str, dict[str, str]] = field(repr=False)  # by population: the units of what `values` returns
    _neurons: dict[str, _Arrays] = field(repr=False)  # by population: variable -> (trials * n,)
    _synapses: list[_Arrays] = field(repr=False)  # by projection: variable -> (trials * n_synapses,)
    _arriving: list[list[np.ndarray]] = field(
        repr=False
    )  # by projection, of each pathway: steps and synapses, (2, n)

    @property
    def t(self) -> pq.Quantity:
        """The time of the state."""
        return units.pq_quantity(self.step * self.dt, "s")

    def __repr__(self) -> str:
        """Time and sizes."""
        n, trials = sum(self.sizes.values()), self.trials
        names = f" in {', '.join(self.sizes)}" if len(self.sizes) > 1 else ""
        return f"State at {self.step * self.dt:.6g} s of {n} neuron{'s' * (n != 1)}{names}, {trials} trial{'s' * (trials != 1)}"

    def values(self, variable: str, population: str | None = None) -> pq.Quantity:
        """A variable of the neurons, (trials, n_neurons): "v" (of NSNN neurons "u"), a gate, or a slow variable such as "w".

        Slow variables and gates are staggered against the membrane (`docs/noise.md`): they are those of the time t - dt / 2.

        population : its name; None where there is one
        """
        names = list(self.sizes)
        one = names[0] if population is None and len(names) == 1 else population
        if one not in self.sizes:
            raise NsnnError(
                f"population = {one!r}: expected one of {', '.join(names)}{did_you_mean(str(one), names)}"
            )
        shown = self._shown[one]
        if variable not in shown:
            raise NsnnError(
                f"variable = {variable!r}: expected one of {', '.join(shown)}{did_you_mean(str(variable), shown)}"
            )
        return units.pq_quantity(
            self._neurons[one][variable].reshape(self.trials, -1).copy(), shown[variable]
        )


class Unfinished(Network):
    """A network that ends without removing the spikes of its last step, which synapses may still need."""

    def after_run(self) -> None:
        """Leave the spikes."""


def collect(run: Any, groups: Sequence[Any], synapses: Sequence[Any]) -> SimulationState:
    """The state of the objects of a run at its end."""
    populations = run.net.populations
    return SimulationState(
        step=run.first + run.n_steps,
        dt=run.dt,
        seed=run.seed,
        trials=run.trials,
        sizes={p.name: p.n for p in populations},
        _shown={p.name: variables(p) for p in populations},
        _neurons={p.name: _values(g) for p, g in zip(populations, groups, strict=True)},
        _synapses=[_values(s) for s in synapses],
        _arriving=[[_on_their_way(pathway) for pathway in s._pathways] for s in synapses],
    )


def variables(population: Population) -> dict[str, str]:
    """The variables of a population that have a meaning for users, and their units."""
    neuron = population.neuron
    if not isinstance(neuron, IntegrateAndFire):
        return {neuron.state: "1"}
    unit = neuron.membrane_unit
    return {neuron.state: unit} | dict.fromkeys(neuron.slow, unit) | dict.fromkeys(neuron.gates, "1")


def _changing(owner: Any) -> dict[str, Any]:
    """The variables of a group or of synapses that a run changes."""
    return {
        name: variable
        for name, variable in owner.variables.items()
        if isinstance(variable, ArrayVariable)
        and variable.owner is not None
        and variable.owner.name == owner.name
        if not (variable.constant or (variable.read_only and name != _SPIKES))
    }


def _values(owner: Any) -> _Arrays:
    return {name: np.array(variable.get_value()) for name, variable in _changing(owner).items()}


def _on_their_way(pathway: Any) -> np.ndarray:
    """Spikes that have not arrived: steps until they do, and synapses, (2, n)."""
    offset, slots = pathway.queue._full_state()
    ahead = [(k - offset) % len(slots) for k in range(len(slots))]
    steps = np.repeat(np.array(ahead, dtype=np.int64), [len(slot) for slot in slots])
    arriving = [np.asarray(slot, dtype=np.int64) for slot in slots]
    return np.stack([steps, np.concatenate([np.empty(0, dtype=np.int64), *arriving])])


def restore(state: SimulationState, run: Any, groups: Sequence[Any], synapses: Sequence[Any]) -> None:
    """Give the objects of a run the values of a state."""
    for population, group in zip(run.net.populations, groups, strict=True):
        _fill(group, state._neurons[population.name], f"population {population.name!r}")
    for name, own, values, waiting in zip(
        run.net.projection_names, synapses, state._synapses, state._arriving, strict=True
    ):
        _fill(own, values, f"projection {name!r}")
        for pathway, (steps, members) in zip(own._pathways, waiting, strict=True):
            slots: list[list[int]] = [[] for _ in range(int(steps.max(initial=-1)) + 1)]
            for step, member in zip(steps.tolist(), members.tolist(), strict=True):
                slots[step].append(member)
            pathway.queue._restore_from_full_state((0, slots) if slots else None)


def _fill(owner: Any, values: _Arrays, what: str) -> None:
    device, changing = get_device(), _changing(owner)
    compiled = isinstance(device, CPPStandaloneDevice)
    for name, variable in changing.items():
        if compiled and name == _SPIKES:
            continue  # synapses alone need it
        if name not in values or values[name].shape != variable.get_value().shape:
            raise NsnnError(
                f"initial: {what} had no {name!r} of this size when the state was saved: expected the same neurons, noise models, "
                "stimuli and synapses, of which numbers may differ; or start values such as initial={'v': 5*mV}"
            )
        device.fill_with_array(variable, values[name])


def check(initial: Any, run: Any) -> None:
    """Refuse a state of other sizes, or start values that are not those of the populations."""
    if not isinstance(initial, SimulationState):
        _of_populations(initial, run.net.populations)
        return
    sizes = {p.name: p.n for p in run.net.populations}
    for name, now, then in (
        ("populations", sizes, initial.sizes),
        ("trials", run.trials, initial.trials),
        ("projections", len(run.net.projections), len(initial._synapses)),
    ):
        if now != then:
            raise NsnnError(f"initial is of {name} = {then}, and this run has {now}: expected the same")
    if abs(run.dt - initial.dt) > 1e-9 * run.dt:
        raise NsnnError(
            f"initial is of a run with dt = {1e3 * initial.dt:g} ms, and this one has {1e3 * run.dt:g} ms: expected the same"
        )


def _of_populations(initial: Any, populations: Sequence[Population]) -> dict[str, dict[str, Any]]:
    """Start values by population: `initial` itself, or of a single population what it is for."""
    expected = "a SimulationState, or start values such as {'v': 5*mV}"
    if len(populations) > 1:
        expected = f"a SimulationState, or start values by population such as {{{populations[0].name!r}: {{'v': 5*mV}}}}"
    if not isinstance(initial, Mapping):
        raise NsnnError(f"initial = {units.short(initial)}: expected {expected}")
    given = {populations[0].name: dict(initial)} if len(populations) == 1 else dict(initial)
    known = {p.name: variables(p) for p in populations if isinstance(p.neuron, IntegrateAndFire | NSNNNeuron)}
    for name, values in given.items():
        if name not in known or not isinstance(values, Mapping):
            raise NsnnError(f"initial = {initial!r}: expected {expected}{did_you_mean(str(name), known)}")
        for variable in values:
            if variable not in known[name]:
                raise NsnnError(
                    f"initial has {variable!r}: expected variables among {', '.join(known[name])}"
                    f"{did_you_mean(str(variable), known[name])}"
                )
    return given


def start(initial: Mapping[str, Any], run: Any, groups: Sequence[Any]) -> None:
    """Give the groups of a run start values at time 0; what follows from the membrane follows from its new value."""
    given = _of_populations(initial, run.net.populations)
    for population, group in zip(run.net.populations, groups, strict=True):
        values = {
            name: _array(value, variables(population)[name], f"initial[{name!r}]", (run.trials, population.n))
            for name, value in given.get(population.name, {}).items()
        }
        neuron = population.neuron
        for name, value in values.items():
            setattr(group, name, value)
        if isinstance(neuron, IntegrateAndFire):
            for name, text in start_texts(neuron, values).items():
                setattr(group, name, text)


def _array(value: Any, unit: str, name: str, shape: tuple[int, int]) -> Any:
    """Values for each member of a group, as Brian2 takes them."""
    array = np.asarray(units.si(value, unit, name), dtype=float)
    if array.shape not in ((), shape[1:], shape):
        raise NsnnError(f"{name} has shape {array.shape}: expected a number, or shape {shape[1:]} or {shape}")
    if not np.isfinite(array).all():
        raise NsnnError(f"{name} has values that are not finite: expected numbers")
    full = np.broadcast_to(array, shape).ravel()
    return full if unit == "1" else units.brian(full, unit)
