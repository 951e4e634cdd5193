"""`simulate`: a neuron, its noise and a stimulus in; a Block of spike trains out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import neo
import numpy as np
from brian2 import Network, SpikeMonitor, StateMonitor

from . import assemble, engine, keyed_noise, recording, units
from .errors import NsnnError
from .neurons import IntegrateAndFire, Neuron, NSNNNeuron
from .noise import Noise
from .stimuli import Constant, Stimulus

__all__ = ["simulate"]

_MOST_STEPS = 2**31


def simulate(
    model: Neuron,
    noise: Noise | None = None,
    stimulus: Stimulus | None = None,
    *,
    n_neurons: int = 1,
    trials: int = 1,
    duration: Any,
    dt: Any = None,
    seed: int | None = None,
    engine: str = "cython",
    bridge: bool = True,
    record_v: Sequence[int] | bool | None = None,
    progress: Any = None,
) -> neo.Block:
    """Simulate independent noisy neurons for several trials, all in one run.

    Parameters
    ----------
    model : a neuron record, `LIF(...)` or `NSNNNeuron(...)`
    noise : `WhiteNoise`, `OUNoise`, `EscapeNoise` or None (deterministic)
    stimulus : the drive, in the membrane's unit: `Constant`, `Step`, `Sinusoid`, `FrozenNoise`, `Recorded`; None is no drive
    n_neurons, trials : numbers > 0. Every neuron of every trial has its own noise, the same whatever else is run beside it
    duration : time, a whole number of steps dt
    dt : time of one step, default 0.1 ms
    seed : integer, or None to draw one; it is recorded in the Block
    engine : "cython" (default; "numpy" with a warning where there is no compiler), "numpy" or "cpp" (C++ standalone). One seed
        gives the same spikes on all three
    bridge : count threshold crossings between grid points too (white noise), and date every spike in the middle of its step
        when timing the refractory period; see the noise conventions in `noise.py` and `assemble.py`
    record_v : indices of neurons whose membrane is recorded in every trial, or True for all. A voltage at time t is the one that
        enters the step at t; an NSNN potential is the one that the step's spike is drawn from
    progress : None shows a bar on a terminal when the run is long, True or False; or a function of the completed fraction

    Returns
    -------
    neo.Block : one Segment per trial; `segments[k].spiketrains[j]` is neuron j. A spike in step k is stamped k dt. Annotations:
        seed, dt (s), parameters, versions, git_revision, populations. A time-varying stimulus is the signal "stimulus", recorded
        membranes are the signal "v".

    Raises
    ------
    NsnnError : an argument that is wrong or doesn't fit; the message names it, its value and what was expected. Raised before
        anything is compiled.

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro import LIF
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> block = simulate(cell, stimulus=Constant(25*mV), duration=100*ms, seed=1, engine="numpy")
    >>> block.segments[0].spiketrains[0].magnitude.round(4).tolist()
    [0.0321, 0.0561, 0.0801]
    """
    run = _Run(model, noise, stimulus, n_neurons, trials, duration, dt, seed, bridge, record_v)
    return run.execute(_choose(engine), progress)


def _choose(name: str) -> str:
    return engine.choose(name)


class _Run:
    """The arguments of one call, checked, and what becomes of them."""

    def __init__(self, model, noise, stimulus, n_neurons, trials, duration, dt, seed, bridge, record_v):
        if isinstance(model, type) or not isinstance(model, Neuron):
            raise NsnnError(
                f"model = {model!r}: expected a neuron record such as LIF(...) or NSNNNeuron(...)"
            )
        _instance(noise, Noise, "noise", "a noise record such as WhiteNoise(3*mV), or None")
        _instance(stimulus, Stimulus, "stimulus", "a stimulus record such as Constant(15*mV), or None")
        _whole(n_neurons, "n_neurons")
        _whole(trials, "trials")
        if not isinstance(bridge, bool | np.bool_):
            raise NsnnError(f"bridge = {bridge!r}: expected True or False")
        self.model, self.noise, self.stimulus, self.bridge = model, noise, stimulus, bool(bridge)
        step = 1e-4 if dt is None else _positive_time(dt, "dt")
        n_steps = _steps(_positive_time(duration, "duration"), duration, step)
        self.seed = keyed_noise.check_seed(seed)
        self.layout = assemble.Layout(int(n_neurons), int(trials), step, n_steps, keyed_noise.key(self.seed))
        self.recorded = _recorded(record_v, self.layout.n_neurons)
        if isinstance(model, IntegrateAndFire) and step > 0.2 * (shortest := np.min(model.si("tau_m"))):
            warnings.warn(
                f"dt = {step:g} s is more than a fifth of tau_m = {shortest:g} s: the threshold's correction between "
                "grid points assumes short steps",
                stacklevel=3,
            )

    def execute(self, target: str, progress: Any) -> neo.Block:
        layout = self.layout
        with engine.running(target) as device:
            group = assemble.group(self.model, self.noise, self.stimulus, layout, bridge=self.bridge)
            spikes = SpikeMonitor(group, name="spikes")
            objects: list[Any] = [group, spikes]
            if self.recorded.size:
                members = (np.arange(layout.trials)[:, None] * layout.n_neurons + self.recorded).ravel()
                when = "end" if isinstance(self.model, NSNNNeuron) else "start"
                membrane = StateMonitor(group, self.model.state, record=members, when=when, name="membrane")
                objects.append(membrane)
            engine.run(Network(objects, name="network"), layout.n_steps * layout.dt, device, progress)
            member = np.asarray(spikes.i[:], dtype=np.int64)
            tick = np.rint(np.asarray(spikes.t[:]) / layout.dt).astype(np.int64)
            v = np.asarray(getattr(membrane, self.model.state)[:]) if self.recorded.size else None
        return self._block(member, tick, v, target)

    def _block(self, member: np.ndarray, tick: np.ndarray, v: np.ndarray | None, target: str) -> neo.Block:
        layout = self.layout
        annotations = {
            "seed": self.seed,
            "parameters": {
                "model": self.model.describe(),
                "noise": None if self.noise is None else self.noise.describe(),
                "stimulus": None if self.stimulus is None else self.stimulus.describe(),
                "bridge": self.bridge,
                "engine": target,
            },
            "populations": [{"name": "neurons", "size": layout.n_neurons}],
            **recording.provenance(),
        }
        block = recording.build_block(
            member // layout.n_neurons,
            member % layout.n_neurons,
            tick,
            dt=layout.dt,
            n_trials=layout.trials,
            n_neurons=layout.n_neurons,
            t_start=0.0,
            t_stop=layout.n_steps * layout.dt,
            annotations=annotations,
        )
        self._add_signals(block, v)
        return block

    def _add_signals(self, block: neo.Block, v: np.ndarray | None) -> None:
        layout, unit = self.layout, self.model.membrane_unit
        rate = 1 / layout.dt
        if self.stimulus is not None and not isinstance(self.stimulus, Constant):
            samples = self.stimulus.samples(layout.n_steps, layout.dt).reshape(layout.n_steps, -1)
            stimulus = _signal(samples, unit, rate, "stimulus")
            for segment in block.segments:
                segment.analogsignals.append(stimulus[:])  # a view: the samples are in memory once
        if v is not None:
            traces = v.reshape(layout.trials, self.recorded.size, layout.n_steps)
            for segment, trace in zip(block.segments, traces, strict=True):
                signal = _signal(trace.T, unit, rate, "v")
                signal.array_annotate(neuron=self.recorded)
                segment.analogsignals.append(signal)


def _signal(values: np.ndarray, unit: str, rate: float, name: str) -> neo.AnalogSignal:
    return neo.AnalogSignal(
        units.pq_quantity(values, unit), sampling_rate=units.pq_quantity(rate, "Hz"), name=name
    )


def _instance(value: Any, kind: type, name: str, expected: str) -> None:
    if value is not None and not isinstance(value, kind):
        shown = str(value) if units.is_quantity(value) else repr(value)
        raise NsnnError(f"{name} = {shown}: expected {expected}")


def _whole(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise NsnnError(f"{name} = {value!r}: expected a whole number, 1 or more")


def _positive_time(value: Any, name: str) -> float:
    seconds = units.si(value, "s", name)
    if np.ndim(seconds) or not np.isfinite(seconds) or seconds <= 0:
        raise NsnnError(f"{name} = {value}: expected one time above 0")
    return float(seconds)


def _steps(seconds: float, duration: Any, dt: float) -> int:
    if not seconds / dt < _MOST_STEPS:
        raise NsnnError(f"duration = {duration}: expected fewer than {_MOST_STEPS} steps of dt = {dt:g} s")
    n_steps = round(seconds / dt)
    if n_steps < 1 or abs(n_steps * dt - seconds) > 1e-6 * dt:
        raise NsnnError(f"duration = {duration}: expected a whole number of steps of dt = {dt:g} s")
    return n_steps


def _recorded(record_v: Sequence[int] | bool | None, n_neurons: int) -> np.ndarray:
    if record_v is None or record_v is False:
        return np.array([], dtype=np.int64)
    if record_v is True:
        return np.arange(n_neurons)
    chosen = np.asarray(record_v)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or np.any((chosen < 0) | (chosen >= n_neurons)):
        raise NsnnError(
            f"record_v = {record_v!r}: expected neuron indices from 0 to {n_neurons - 1}, or True for all"
        )
    return chosen.astype(np.int64)
