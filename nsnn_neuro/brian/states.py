"""The state of a simulation at its end, from which another one continues: `simulate(..., return_state=True)`, then `initial=`.

A state contains the variables of the populations that a step needs from the one before, and for networks those of the synapses
and the spikes in transit. The continued run begins at the state's time, draws the noise of its steps and sees the stimulus from
there, so that its spikes are those of one long run. What a step computes anew (`_ANEW`) is left out, and so are random numbers,
which depend on the step alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import quantities as pq
from brian2 import Network, get_device
from brian2.core.variables import ArrayVariable
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from ..core import units
from ..core.checks import did_you_mean, one_of
from ..core.errors import NsnnError
from ..models.neurons import IntegrateAndFire, NSNNNeuron
from ..models.populations import Population
from .equations.membrane import start_texts

_SPIKES = "_spikespace"  # of the last step, which synapses transmit in the next one
# set in each step before anything reads them
_ANEW = re.compile(
    r"""v_prev|v_end|free|span|level_prev|level_now|bridge_gap|due|passed|i_spike|way|near_top|jumps_\w+|noise_left\w*
    | (normal|uniform)_\d+_\d""",
    re.VERBOSE,
)
_Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Saved:
    """The arrays of a state."""

    shown: dict[str, dict[str, str]]  # by population: the units of what `values` returns
    neurons: dict[str, _Arrays]  # by population: variable -> (trials * n,)
    synapses: dict[str, _Arrays]  # by projection: variable -> (trials * n_synapses,)
    arriving: dict[str, list[np.ndarray]]  # by projection, of each pathway: steps and synapses, (2, n)
    wiring: dict[str, str]  # by projection: a checksum of what is connected


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
    point: int
    bridge: bool
    sizes: dict[str, int]
    """number of neurons of each population"""
    _saved: _Saved = field(repr=False)

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

        Slow variables and gates are staggered against the membrane: their time is t - dt / 2.

        population : its name; None where there is one
        """
        if population is None and len(self.sizes) == 1:
            population = next(iter(self.sizes))
        name = one_of(population, self.sizes, "population")
        shown = self._saved.shown[name]
        one_of(variable, shown, "variable")
        values = self._saved.neurons[name][variable].reshape(self.trials, -1)
        return units.pq_quantity(values.copy(), shown[variable])


class Unfinished(Network):
    """A network that ends without removing the spikes of its last step, which synapses may still need."""

    def after_run(self) -> None:
        """Leave the spikes."""


def collect(
    run: Any,
    groups: Sequence[Any],
    synapses: Sequence[Any],
    arriving: Mapping[str, np.ndarray] | None = None,
) -> SimulationState:
    """The state of the objects of a run at its end.

    arriving : of an engine without Brian2 synapses, by projection: spikes in transit, as `in_transit` returns them
    """
    populations, names = run.net.populations, run.net.projection_names
    if arriving is None:
        variables_of = {name: _values(s) for name, s in zip(names, synapses, strict=True)}
        arrivals = {
            name: [_in_transit(pathway) for pathway in s._pathways]
            for name, s in zip(names, synapses, strict=True)
        }
    else:
        variables_of = {name: {} for name in names}
        arrivals = {name: [arriving[name]] for name in names}
    return SimulationState(
        step=run.first + run.n_steps,
        dt=run.dt,
        seed=run.seed,
        trials=run.trials,
        point=int(run.point),
        bridge=run.bridge,
        sizes={p.name: p.n for p in populations},
        _saved=_Saved(
            shown={p.name: variables(p) for p in populations},
            neurons={p.name: _values(g) for p, g in zip(populations, groups, strict=True)},
            synapses=variables_of,
            arriving=arrivals,
            wiring=_wiring(run),
        ),
    )


def _wiring(run: Any) -> dict[str, str]:
    """A checksum of the connections of each projection."""
    result = {}
    for name in run.net.projection_names:
        connections = run.net.connections(name)
        digest = hashlib.sha256()
        for ends in (connections.pre, connections.post):
            digest.update(np.asarray(ends, dtype=np.int64).tobytes())
        result[name] = digest.hexdigest()
    return result


def variables(population: Population) -> dict[str, str]:
    """The variables of a population that have a meaning for users, and their units."""
    neuron = population.neuron
    if not isinstance(neuron, IntegrateAndFire):
        return {neuron.state: "1"}
    unit = neuron.membrane_unit
    return {neuron.state: unit} | dict.fromkeys(neuron.slow, unit) | dict.fromkeys(neuron.gates, "1")


def _changing(owner: Any) -> dict[str, Any]:
    """The variables of a group or of synapses that a run changes and that the next step needs."""
    return {
        name: variable
        for name, variable in owner.variables.items()
        if isinstance(variable, ArrayVariable)
        and variable.owner is not None
        and variable.owner.name == owner.name
        and not (variable.constant or (variable.read_only and name != _SPIKES))
        and not _ANEW.fullmatch(name)
    }


def _values(owner: Any) -> _Arrays:
    return {name: np.array(variable.get_value()) for name, variable in _changing(owner).items()}


def _in_transit(pathway: Any) -> np.ndarray:
    """Spikes that have not arrived: steps until they do, and synapses, (2, n)."""
    result = pathway.queue._full_state()
    if len(result) != 2:  # of Brian2's queue in plain Python
        raise NsnnError(
            "return_state: this installation of Brian2 has no compiled queue of spikes, whose state is known: expected one with it "
            "(pip install --force-reinstall brian2)"
        )
    offset, slots = result
    ahead = [(k - offset) % len(slots) for k in range(len(slots))]
    steps = np.repeat(np.array(ahead, dtype=np.int64), [len(slot) for slot in slots])
    arriving = [np.asarray(slot, dtype=np.int64) for slot in slots]
    return np.stack([steps, np.concatenate([np.empty(0, dtype=np.int64), *arriving])])


def in_transit(state: SimulationState, projection: str) -> np.ndarray:
    """Spikes of a projection that have not arrived: steps until they do, and synapses, (2, n)."""
    return np.concatenate(state._saved.arriving[projection], axis=1)


def restore(state: SimulationState, run: Any, groups: Sequence[Any], synapses: Sequence[Any]) -> None:
    """Give the objects of a run the values of a state; variables that it does not have, as those of new noise, start anew.

    synapses : empty for an engine without Brian2 synapses
    """
    for population, group in zip(run.net.populations, groups, strict=True):
        _fill(group, state._saved.neurons[population.name])
    for name, own in zip(run.net.projection_names if synapses else (), synapses, strict=True):
        _fill(own, state._saved.synapses[name])
        for pathway, (steps, members) in zip(own._pathways, state._saved.arriving[name], strict=True):
            slots: list[list[int]] = [[] for _ in range(int(steps.max(initial=-1)) + 1)]
            for step, member in zip(steps.tolist(), members.tolist(), strict=True):
                slots[step].append(member)
            pathway.queue._restore_from_full_state((0, slots) if slots else None)


def _fill(owner: Any, values: _Arrays) -> None:
    device = get_device()
    compiled = isinstance(device, CPPStandaloneDevice)
    for name, variable in _changing(owner).items():
        if name in values and not (compiled and name == _SPIKES):  # synapses alone need the spikes
            device.fill_with_array(variable, values[name])


def check(initial: Any, run: Any) -> None:
    """Refuse a state of another model, or start values that are not those of the populations."""
    if not isinstance(initial, SimulationState):
        _of_populations(initial, run.net.populations)
        return
    saved = initial._saved
    for name, now, then in (
        ("populations", [(p.name, p.n) for p in run.net.populations], list(initial.sizes.items())),
        ("trials", run.trials, initial.trials),
        ("dt (ms)", round(1e3 * run.dt, 9), round(1e3 * initial.dt, 9)),
        ("bridge", run.bridge, initial.bridge),
        ("variables", {p.name: list(variables(p)) for p in run.net.populations}, {k: list(v) for k, v in saved.shown.items()}),
        ("projections", list(run.net.projection_names), list(saved.wiring)),
    ):  # fmt: skip
        if now != then:
            raise NsnnError(
                f"initial: the state has {name} = {then}, and this run has {now}: expected the same; parameters may differ"
            )
    for name, connections in _wiring(run).items():
        if connections != saved.wiring[name]:
            raise NsnnError(
                f"initial: projection {name!r} of the state has other connections: expected the same rule and the same seed of the "
                "Network; weights may differ"
            )


def _of_populations(initial: Any, populations: Sequence[Population]) -> dict[str, dict[str, Any]]:
    """Start values by population: `initial` itself, or of a single population what it is for."""
    known = {p.name: variables(p) for p in populations if isinstance(p.neuron, IntegrateAndFire | NSNNNeuron)}
    if not known:
        kind = type(populations[0].neuron).__name__
        raise NsnnError(
            f"initial = {units.shown(initial)}: {kind} has no start values, expected None or a SimulationState"
        )
    first, its = next(iter(known.items()))
    example = f"{{{next(iter(its))!r}: {'5*mV' if next(iter(its.values())) == 'V' else '0.5'}}}"
    expected = f"a SimulationState, or start values such as {example}"
    if len(populations) > 1:
        expected = f"a SimulationState, or start values by population such as {{{first!r}: {example}}}"
    if not isinstance(initial, Mapping):
        raise NsnnError(f"initial = {units.shown(initial)}: expected {expected}")
    given = {populations[0].name: dict(initial)} if len(populations) == 1 else dict(initial)
    for name, values in given.items():
        if name not in known or not isinstance(values, Mapping):
            raise NsnnError(
                f"initial = {units.shown(initial)}: expected {expected}{did_you_mean(str(name), known)}"
            )
        for variable in values:
            if variable not in known[name]:
                raise NsnnError(
                    f"initial has {variable!r}: expected variables among {', '.join(known[name])}"
                    f"{did_you_mean(str(variable), known[name])}"
                )
    return given


def described(initial: Any, populations: Sequence[Population]) -> dict[str, Any]:
    """What a Block says of the beginning of its run: start values as text, or step and seed of a state."""
    if isinstance(initial, SimulationState):
        return {"step": initial.step, "seed": initial.seed}
    given = _of_populations(initial, populations)
    return {name: {k: units.short(value) for k, value in values.items()} for name, values in given.items()}


def start(initial: Mapping[str, Any], run: Any, groups: Sequence[Any]) -> None:
    """Give the groups of a run start values at time 0; what follows from the membrane follows from its new value."""
    given = _of_populations(initial, run.net.populations)
    for population, group in zip(run.net.populations, groups, strict=True):
        neuron, units_of, shape = population.neuron, variables(population), (run.trials, population.n)
        gates = neuron.gates if isinstance(neuron, IntegrateAndFire) else {}
        values = {
            name: _array(value, units_of[name], f"initial[{name!r}]", shape, name in gates)
            for name, value in given.get(population.name, {}).items()
        }
        for name, value in values.items():
            setattr(group, name, value)
        if isinstance(neuron, IntegrateAndFire):
            for name, text in start_texts(neuron, values).items():
                setattr(group, name, text)


def _array(value: Any, unit: str, name: str, shape: tuple[int, int], gate: bool = False) -> Any:
    """Values for each member of a group, as Brian2 takes them."""
    array = np.asarray(units.si(value, unit, name), dtype=float)
    if array.shape not in ((), shape[1:], shape):
        raise NsnnError(f"{name} has shape {array.shape}: expected a number, or shape {shape[1:]} or {shape}")
    if not np.isfinite(array).all():
        raise NsnnError(f"{name} has values that are not finite: expected numbers")
    if gate and not ((array >= 0) & (array <= 1)).all():
        raise NsnnError(f"{name} = {units.short(value)}: expected a share of open gates, from 0 to 1")
    full = np.broadcast_to(array, shape).ravel()
    return full if unit == "1" else units.brian(full, unit)
