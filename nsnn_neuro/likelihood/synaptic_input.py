"""`SynapticInput`: recorded spikes that reach a calibrated neuron through synapses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import quantities as pq

from ..core.checks import instance
from ..core.errors import NsnnError
from ..core.parameters import Scalars, parameter
from ..core.units import describe, shown
from ..io.spikes import Trains, as_repeats, as_trains, holds_blocks
from ..models.escape import EscapeNoise
from ..models.neurons.expressions import value_of
from ..models.noise import OUNoise
from ..models.short_term import TsodyksMarkram
from ..models.synapses import DeltaSynapse, Synapse
from .continuous.conditional import check_single
from .continuous.trials import Trial, one_for_each

_TAKEN = ("model", "noise", "stimulus")


@dataclasses.dataclass(frozen=True, eq=False)
class SynapticInput(Scalars):
    """Recorded spikes that reach a neuron through synapses of one kind, for `calibrate(..., inputs=...)`.

    Parameters
    ----------
    trains : spikes of a presynaptic neuron, in as many trials as the fitted neuron has and on the same clock: a neo.Block, a
        list of neo.SpikeTrain, or of arrays of seconds. Spikes before the start of a trial count. A Block may have several
        neurons, which share weight, delay and synapse. Of several recordings a list of these
    synapse : `ExponentialSynapse`, `AlphaSynapse`, `ConductanceSynapse`, one of your own, or `DeltaSynapse`, "jump"
    weight : in the unit of the membrane; for conductances a plain number >= 0 (in units of the leak)
    delay : time >= 0 as of a `Projection`: a spike acts from the end of its step on. It need not be a multiple of the step
    short_term : `TsodyksMarkram(...)` or None; the train has to begin where the synapse is at rest

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import ExponentialSynapse
    >>> SynapticInput([[0.1, 0.25]], ExponentialSynapse(5*ms), weight=3*mV, delay=1.5*ms).si("delay")
    0.0015
    """

    trains: Any = dataclasses.field(repr=False)
    synapse: Synapse
    weight: Any = parameter("V", "1", kw_only=True)
    delay: Any = parameter("s", bound="non-negative", default=0 * pq.ms, kw_only=True)
    short_term: TsodyksMarkram | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.synapse, str) and self.synapse == "jump":
            object.__setattr__(self, "synapse", DeltaSynapse())
        instance(self.synapse, Synapse, "synapse", '"jump" or a synapse such as ExponentialSynapse(5*ms)')
        expected = "short-term plasticity such as TsodyksMarkram(U=0.5, tau_rec=800*ms), or None"
        instance(self.short_term, TsodyksMarkram | None, "short_term", expected)
        check_single(self.synapse)
        if self.synapse.conductance is not None and self.si("weight") < 0:
            raise NsnnError(
                f"weight = {self.weight}: the weight of a {type(self.synapse).__name__} is a conductance, expected 0 or more; "
                f"inhibition comes from {self.synapse.reversal}"
            )

    def describe(self) -> dict[str, Any]:
        """The input as plain data, without its spikes."""
        return super().describe() | {"trains": type(self.trains).__name__}


def named_inputs(inputs: Any) -> dict[str, SynapticInput]:
    """The inputs by name: "input", or "input0", "input1" of a list, or as a dict names them."""
    expected = "a SynapticInput such as SynapticInput(block, ExponentialSynapse(5*ms), weight=2*mV), or a list or dict of them"
    if inputs is None:
        return {}
    several = (
        {f"input{k}": one for k, one in enumerate(inputs)} if isinstance(inputs, list | tuple) else inputs
    )
    named = dict(several) if isinstance(several, Mapping) else {"input": inputs}
    for name, one in named.items():
        instance(one, SynapticInput, "inputs" if name == "input" else f"inputs, {name}", expected)
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN:
            raise NsnnError(
                f"inputs has the name {name!r}: expected a name such as 'excitation', none of {', '.join(_TAKEN)}"
            )
    return named


def check_inputs(inputs: Mapping[str, SynapticInput], neuron: Any, noise: Any) -> None:
    """Raise NsnnError for inputs whose units are not those of the neuron, or whose likelihood is not known."""
    unit = neuron.membrane_unit
    for name, one in inputs.items():
        synapse = one.synapse
        expected = synapse.weight_unit(unit)
        if one.unit("weight") != expected:
            raise NsnnError(
                f"weight of {name} = {one.weight}: expected {describe(expected)}, as of a {type(synapse).__name__}"
                + ("" if expected == unit else ", in units of the leak conductance")
            )
        if synapse.reversal is not None:
            synapse.check_membrane(synapse.reversal, unit, neuron)
        values = {field.name: synapse.si(field.name) for field in synapse.parameter_fields()}
        for text in synapse.on_arrival.values():
            first, double = (value_of(text, values | {"weight": weight}) for weight in (1.0, 2.0))
            if abs(double - 2 * first) > 1e-9 * abs(first):
                raise NsnnError(
                    f"synapse of {name} = {type(synapse).__name__}(...): expected increments in proportion to the weight"
                )
        jumps = synapse.conductance is not None or "v" in synapse.on_arrival
        if jumps and isinstance(noise, OUNoise):
            raise NsnnError(
                f"noise = OUNoise(...), synapse of {name} = {type(synapse).__name__}(...): expected a current such as "
                "ExponentialSynapse(5*ms), or WhiteNoise or EscapeNoise"
            )
    if inputs and isinstance(noise, EscapeNoise) and getattr(noise.law, "uses_rise", False):
        raise NsnnError(
            f"noise = EscapeNoise(hazard={type(noise.law).__name__}(...)), which depends on the slope of the membrane, with "
            "inputs: expected another hazard, such as ExponentialHazard(100*Hz, 2*mV)"
        )


def with_inputs(
    trials: Sequence[Trial], inputs: Mapping[str, Any], n_recordings: int | None, dt: float
) -> list[Trial]:
    """The trials with the times of their input spikes; `n_recordings` is None for one recording that is not in a list."""
    result = [dataclasses.replace(trial, inputs=()) for trial in trials]
    for name, one in inputs.items():
        sources = [one.trains]
        if n_recordings is not None:
            sources = one_for_each(one.trains, n_recordings, f"trains of {name}")
        before = 0
        for recording, source in enumerate(sources):
            theirs = [k for k, trial in enumerate(trials) if trial.recording == recording]
            trains = _read(source, name)
            if trains.n_trials != len(theirs):
                raise NsnnError(
                    f"inputs: {name} has {trains.n_trials} trials, trains {len(theirs)}: expected the input spikes of each trial"
                )
            for trial, k in enumerate(theirs):
                times = _times(trains, trial, trials[k], name, dt)
                before += sum(int((train < len(trials[k].o) * dt).sum()) for train in times)
                result[k] = dataclasses.replace(result[k], inputs=(*result[k].inputs, times))
        if not before:
            raise NsnnError(
                f"inputs: {name} has no spikes before the end of the trials: expected at least one; are times in s?"
            )
    return result


def silent_trials(inputs: Mapping[str, SynapticInput], n_recordings: int | None, dt: float) -> list[Trial]:
    """Trials without spikes that last as long as the trains of the first input, with the spikes of all inputs."""
    name, one = next(iter(inputs.items()))
    result = []
    for recording, source in enumerate([one.trains] if n_recordings is None else one.trains):
        trains = _read(source, name)
        last = np.where(np.isnan(trains.t_stop), trains.times.max(initial=0.0) + dt, trains.t_stop)
        for start, stop in zip(np.nan_to_num(trains.t_start).tolist(), last.tolist(), strict=True):
            n = max(1, round((stop - start) / dt))
            result.append(Trial(np.zeros(n), start, (0, n), recording))
    return with_inputs(result, inputs, n_recordings, dt)


def _read(source: Any, name: str) -> Trains:
    return (as_trains if holds_blocks(source) else as_repeats)(source, name=f"trains of {name}")


def _times(trains: Trains, number: int, trial: Trial, name: str, dt: float) -> tuple[np.ndarray, ...]:
    """Spikes of each presynaptic neuron in a trial, in s from its start."""
    start, stop = float(trains.t_start[number]), float(trains.t_stop[number])
    end = trial.t_start + len(trial.o) * dt
    if start > trial.t_start + dt / 2 or stop < end - dt:
        raise NsnnError(
            f"inputs: {name} lasts from {start:.6g} s to {stop:.6g} s in trial {number}, trains from {trial.t_start:.6g} s to "
            f"{end:.6g} s: expected inputs for all of it; or pass t_stop"
        )
    first = number * trains.n_neurons
    edges = trains.offsets[first : first + trains.n_neurons + 1].tolist()
    return tuple(trains.times[low:high] - trial.t_start for low, high in pairwise(edges))


def other_trains(inputs: Mapping[str, SynapticInput], trains: Any) -> dict[str, SynapticInput]:
    """The inputs with other trains: those of the only input, a dict of them by name, or `SynapticInput`s as for `calibrate`."""
    several = (
        dict.fromkeys(inputs, trains) if len(inputs) == 1 and not isinstance(trains, Mapping) else trains
    )
    if not isinstance(several, Mapping) or set(several) != set(inputs):
        raise NsnnError(
            f"inputs = {shown(trains)}: the fit has {', '.join(inputs) or 'no inputs'}: expected "
            + ("a dict with the trains of each, by name" if inputs else "None")
        )
    given = {name: getattr(several[name], "trains", several[name]) for name in inputs}
    return {name: dataclasses.replace(one, trains=given[name]) for name, one in inputs.items()}
