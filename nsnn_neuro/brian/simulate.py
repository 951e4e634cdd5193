"""`simulate`: a neuron, its noise and a stimulus in; a Block of spike trains out."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import neo
import numpy as np
from brian2 import Clock, Network, SpikeMonitor, StateMonitor, second

from ..core import units
from ..core.checks import check_seed, flag, whole
from ..core.errors import NsnnError
from ..io import save_load
from ..io.block import build_block
from ..io.provenance import provenance
from ..io.spikes import Trains
from ..models import network as nsnn_network
from ..models.neurons import IntegrateAndFire, Neuron
from ..models.noise import Noise
from ..models.populations import Population, refuse_bare
from ..models.stimuli import Constant, Stimulus
from . import engine, equations, streaming
from .time_step import check_delays, check_step

__all__ = ["check_together", "simulate", "simulate_together"]

_MOST_STEPS = 2**31
_MOST_POINTS = 2**24  # the noise's counter has 32 bits for a point and a stream


def simulate(
    model: Neuron | nsnn_network.Network,
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
    record_v: Sequence[int] | bool | dict[str, Any] | None = None,
    record_w: dict[str, Any] | None = None,
    point: int = 0,
    progress: Any = None,
    out: str | os.PathLike[str] | None = None,
) -> neo.Block:
    """Simulate independent noisy neurons, or a network of them, for several trials, all in one run.

    Parameters
    ----------
    model : a neuron record, `LIF(...)` or `NSNNNeuron(...)`, or a `Network`
    noise : `WhiteNoise`, `OUNoise`, `EscapeNoise`, ... or None (deterministic). A network's populations have their own: None
    stimulus : the drive, in the membrane's unit: `Constant`, `Step`, `Sinusoid`, `FrozenNoise`, `Recorded`; None is no drive. Given
        with a network, it takes the place of the first population's
    n_neurons, trials : numbers > 0. Every neuron of every trial has its own noise, the same whatever else is run beside it. A
        network has its own sizes: leave n_neurons at 1
    duration : time, a whole number of steps dt
    dt : time of one step, default 0.1 ms; 0.02 ms for `WangBuzsaki`. A step above a fifth of tau_m, or a third of another time
        constant of neuron, noise or synapses, is warned of
    seed : integer, or None to draw one; it is recorded in the Block
    engine : "cython" (default; "numpy" with a warning where there is no compiler), "numpy" or "cpp" (C++ standalone). One seed
        gives the same spikes on all three
    bridge : count threshold crossings between grid points too, and date every spike in the middle of its step
        when timing the refractory period; see the noise conventions in `noise.py` and `assemble.py`
    record_v : indices of neurons whose membrane is recorded in every trial, or True for all; of a network True, or a dict from
        population names to these. A voltage at time t is the one that enters the step at t; an NSNN potential is the one that the
        step's spike is drawn from
    record_w : dict from projection names to indices of synapses, or True for all, whose weights are recorded every millisecond
    point : whole number >= 0: whose noise to take, that of the point of a `sweep` with this number; each has its own
    progress : None shows a bar when the run is long, in a terminal or notebook and unless the environment variable CI is set;
        True always, False never; or a function of the completed fraction
    out : name of an NWB file, for long and large runs: the run goes in windows, whose spikes wait on the disk, and when it is over
        the file is what `save` would have written. A run that fails or is killed leaves the old file, or none. Spikes are the
        same as without; the Block is the one that `load` gives. With record_v or record_w: refused

    Returns
    -------
    neo.Block : one Segment per trial; `segments[k].spiketrains[j]` is neuron j. A spike in step k is stamped k dt. Annotations:
        seed, dt (s), parameters, versions, git_revision, populations. A time-varying stimulus is the signal "stimulus", recorded
        membranes are the signal "v"; of a network with several populations "stimulus of NAME", "v of NAME", "weight of NAME".

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
    run = _Run(
        *_parts(model, noise, stimulus, n_neurons),
        trials,
        duration,
        dt,
        seed,
        bridge,
        record_v,
        record_w,
        point,
        out=out,
    )
    return run.execute(_choose(engine), progress)


def simulate_together(
    parts: Sequence[tuple[Neuron, Noise | None, Stimulus | None]],
    stacked: tuple[Neuron, Noise | None, Stimulus | None],
    points: Sequence[int],
    *,
    n_neurons: int,
    trials: int,
    duration: Any,
    dt: Any,
    seed: int,
    engine: str,
    bridge: bool,
    progress: Any = None,
) -> Iterator[neo.Block]:
    """The Blocks that `simulate` gives for each of `parts` with its number in `points`, all run as one population.

    stacked : the same records once, what differs between parts as arrays of shape (parts * n_neurons,), part by part
    """
    n, size = n_neurons, len(points) * n_neurons
    ids, of_each = np.tile(np.arange(n), len(points)), np.repeat(points, n)
    given = (trials, duration, dt, seed, bridge, None, None)
    target = _choose(engine)
    whole = _Together(*_parts(*stacked, size), *given, of_each, ids)
    spikes = Trains.from_block(whole.execute(target, progress))
    order = np.argsort(spikes.neuron, kind="stable")
    neuron, trial = spikes.neuron[order], spikes.trial[order]
    tick = np.rint(spikes.times[order] / whole.dt).astype(np.int64)
    edges = np.searchsorted(neuron, n * np.arange(len(points) + 1))
    for k, part in enumerate(parts):
        mine = slice(edges[k], edges[k + 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what there is to say of dt has been said
            run = _Run(*_parts(*part, n), *given, points[k])
        yield run._block([trial[mine], neuron[mine] - k * n, tick[mine]], {}, {}, target)


def check_together(
    stacked: tuple[Neuron | nsnn_network.Network, Noise | None, Stimulus | None],
    points: Sequence[int],
    *,
    n_neurons: int,
    duration: Any,
    dt: Any,
    bridge: bool,
) -> None:
    """Raise what is wrong with a run of `simulate_together`, without compiling or running anything. A Network isn't wired."""
    given = (1, duration, dt, 0, bridge, None, None)
    if isinstance(stacked[0], nsnn_network.Network):
        _Run(*_parts(*stacked, n_neurons), *given)
        return
    ids, of_each = np.tile(np.arange(n_neurons), len(points)), np.repeat(points, n_neurons)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = _Together(*_parts(*stacked, ids.size), *given, of_each, ids)
    with engine.running("numpy"):
        groups, _ = equations.network(
            run.net,
            trials=1,
            dt=run.dt,
            n_steps=run.n_steps,
            seed=0,
            bridge=run.bridge,
            point=of_each,
            ids=ids,
        )
        Network(groups, name="checked").run(0 * second, namespace={})


def _parts(
    model: Any, noise: Noise | None, stimulus: Stimulus | None, n_neurons: int
) -> tuple[nsnn_network.Network, Stimulus | None, dict[str, Any]]:
    """What is to run as a network, the stimulus that takes the place of its first population's, and all as parameters."""
    refuse_bare(noise)
    _instance(noise, Noise, "noise", "a noise model such as WhiteNoise(3*mV), or None")
    _instance(stimulus, Stimulus, "stimulus", "a stimulus such as Constant(15*mV), or None")
    if not isinstance(model, nsnn_network.Network):
        net, parameters = _single(model, noise, stimulus, n_neurons)
        return net, None, parameters
    if noise is not None or n_neurons != 1:
        raise NsnnError(
            f"noise = {noise}, n_neurons = {n_neurons}: a Network's populations have their own noise and size; leave both out"
        )
    described = {"model": model.describe(), "noise": None, "stimulus": stimulus and stimulus.describe()}
    return model, stimulus, described


def _choose(name: str) -> str:
    return engine.choose(name)


class _Run:
    """The arguments of one call, checked, and what becomes of them. One neuron record is a network of one population."""

    def __init__(
        self,
        net,
        stimulus,
        parameters,
        trials,
        duration,
        dt,
        seed,
        bridge,
        record_v,
        record_w,
        point=0,
        ids=None,
        out=None,
    ):
        whole(trials, 1, "trials", 2**31 - 1)
        if np.ndim(point) == 0:
            whole(point, 0, "point", _MOST_POINTS - 1)
        self.point, self.ids = point, ids
        flag(bridge, "bridge")
        self.net, self.stimulus, self.bridge = net, stimulus, bool(bridge)
        self.parameters, self.trials = parameters, int(trials)
        self.dt = 1e-4 if dt is None else _positive_time(dt, "dt")
        self.n_steps = _steps(_positive_time(duration, "duration"), duration, self.dt)
        self.seed = check_seed(seed)
        self.recorded = {p.name: _recorded(record_v, p, len(net.populations)) for p in net.populations}
        self.weights = _recorded_weights(record_w, net)
        for name in record_v if isinstance(record_v, dict) else ():
            net.population(name)
        self.out = out
        if out is not None and (self.weights or any(chosen.size for chosen in self.recorded.values())):
            raise NsnnError(
                f"out = {out}: with record_v or record_w, whose traces are in memory: leave one out, and save(block, {str(out)!r})"
            )
        check_step(net, self.dt, stacklevel=3)
        check_delays(net, self.dt, stacklevel=3)

    def execute(self, target: str, progress: Any) -> neo.Block:
        with engine.frozen_heap():
            return self._execute(target, progress)

    def _execute(self, target: str, progress: Any) -> neo.Block:
        sizes = {"n_neurons": sum(p.n for p in self.net.populations), "n_trials": self.trials}
        opened = streaming.opened(self.out, **sizes, n_steps=self.n_steps)
        with opened as spool:
            with engine.running(target) as device:
                groups, synapses = equations.network(
                    self.net, trials=self.trials, dt=self.dt, n_steps=self.n_steps, seed=self.seed, bridge=self.bridge,
                    stimulus=self.stimulus, recorded=set(self.weights), point=self.point, ids=self.ids,
                )  # fmt: skip
                spikes = [SpikeMonitor(group, name=f"spikes_{k}") for k, group in enumerate(groups)]
                objects = [*groups, *synapses, *spikes]
                if spool is None:
                    found, v, w = self._in_one_piece(objects, groups, synapses, spikes, device, progress)
                else:
                    found, v, w = [np.empty(0, dtype=np.int64)] * 3, {}, {}
                    run = streaming.windows(objects, spikes, self.n_steps, self.dt, device, progress)
                    with contextlib.closing(run) as windows:
                        for window in windows:
                            spool.add(*self._placed(*window))
                for p, group in zip(self.net.populations, groups, strict=True):
                    _check_finite(group, p)
            block = self._block(found, v, w, target)
            return (
                block if spool is None else save_load.load(streaming.write(block, spool), max_bytes=math.inf)
            )

    def _in_one_piece(self, objects, groups, synapses, spikes, device, progress):
        """Trial, neuron and tick of all spikes, and the traces of membranes and of weights by name."""
        membranes = {p.name: self._monitor(p, g) for p, g in zip(self.net.populations, groups, strict=True)}
        weights = {name: self._weight_monitor(name, synapses) for name in self.weights}
        watched = [m for m in (*membranes.values(), *weights.values()) if m is not None]
        engine.run(Network([*objects, *watched], name="network"), self.n_steps * self.dt, device, progress)
        parts = [self._placed(k, monitor.i[:], monitor.t[:]) for k, monitor in enumerate(spikes)]
        found = [np.concatenate(some) for some in zip(*parts, strict=True)]
        v = {
            p.name: np.array(getattr(m, p.neuron.state)[:])
            for p in self.net.populations
            if (m := membranes[p.name]) is not None
        }
        return found, v, {name: np.array(m.weight[:]) for name, m in weights.items()}

    def _placed(self, k: int, members: Any, times: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Trial, neuron and tick of spikes of population k at times in s."""
        trial, neuron = np.divmod(np.asarray(members, dtype=np.int64), self.net.populations[k].n)
        neuron += sum(p.n for p in self.net.populations[:k])
        return trial, neuron, np.rint(np.asarray(times) / self.dt).astype(np.int64)

    def _monitor(self, population: Population, group: Any) -> StateMonitor | None:
        chosen = self.recorded[population.name]
        if not chosen.size:
            return None
        members = (np.arange(self.trials)[:, None] * population.n + chosen).ravel()
        # a discrete neuron's u is that of the step, after its synapses; a membrane's v that which enters the step
        when = "start" if isinstance(population.neuron, IntegrateAndFire) else "end"
        return StateMonitor(
            group, population.neuron.state, record=members, when=when, name=f"{group.name}_membrane"
        )

    def _weight_monitor(self, name: str, synapses: list[Any]) -> StateMonitor:
        projection = synapses[self.net.projection_names.index(name)]
        every = max(1, round(1e-3 / self.dt)) * self.dt
        return StateMonitor(
            projection,
            "weight",
            record=self.weights[name],
            clock=Clock(every * second, name=f"{projection.name}_weight_clock"),
            name=f"{projection.name}_weight",
        )

    def _block(self, found: list[np.ndarray], v: dict, w: dict, target: str) -> neo.Block:
        annotations = {
            "seed": self.seed,
            "parameters": {**self.parameters, "bridge": self.bridge, "engine": target},
            "populations": [{"name": p.name, "size": p.n} for p in self.net.populations],
            **({"point": int(self.point)} if np.ndim(self.point) == 0 and self.point else {}),
            **provenance(),
        }
        block = build_block(
            *found,
            dt=self.dt,
            n_trials=self.trials,
            n_neurons=sum(p.n for p in self.net.populations),
            t_start=0.0,
            t_stop=self.n_steps * self.dt,
            annotations=annotations,
        )
        for k, p in enumerate(self.net.populations):
            suffix = "" if len(self.net.populations) == 1 else f" of {p.name}"
            self._add_stimulus(block, p, (self.stimulus or p.stimulus) if k == 0 else p.stimulus, suffix)
            if p.name in v:
                traces = v[p.name].reshape(self.trials, -1, self.n_steps)
                for segment, trace in zip(block.segments, traces, strict=True):
                    signal = _signal(trace.T, p.neuron.membrane_unit, 1 / self.dt, f"v{suffix}")
                    signal.array_annotate(neuron=self.recorded[p.name])
                    segment.analogsignals.append(signal)
        for name, trace in w.items():
            projection, chosen = self.net.projection(name), self.weights[name]
            rate = 1 / (max(1, round(1e-3 / self.dt)) * self.dt)
            signal = _signal(trace.T, projection.weight_unit, rate, f"weight of {name}")
            signal.array_annotate(synapse=chosen)
            for segment in block.segments:
                segment.analogsignals.append(signal[:])
        return block

    def _add_stimulus(
        self, block: neo.Block, population: Population, stimulus: Stimulus | None, suffix: str
    ) -> None:
        if stimulus is None or isinstance(stimulus, Constant):
            return
        samples = stimulus.samples(self.n_steps, self.dt).reshape(self.n_steps, -1)
        signal = _signal(samples, population.neuron.membrane_unit, 1 / self.dt, f"stimulus{suffix}")
        for segment in block.segments:
            segment.analogsignals.append(signal[:])  # a view: the samples are in memory once


class _Together(_Run):
    """Neurons of several points of a sweep, whose stimuli their own Blocks tell."""

    def _add_stimulus(self, *_: Any) -> None:
        pass


def _single(
    model: Neuron, noise: Any, stimulus: Any, n_neurons: Any
) -> tuple[nsnn_network.Network, dict[str, Any]]:
    """One neuron record, its noise and stimulus as a network, and as parameters."""
    if isinstance(model, type) or not isinstance(model, Neuron):
        raise NsnnError(
            f"model = {model!r}: expected a neuron model such as LIF(...) or NSNNNeuron(...), or a Network"
        )
    whole(n_neurons, 1, "n_neurons", 2**31 - 1)
    try:
        population = Population(int(n_neurons), model, noise=noise, stimulus=stimulus, name="neurons")
    except NsnnError as error:
        raise NsnnError(
            str(error).replace(f"n = {n_neurons} for the population 'neurons'", f"n_neurons = {n_neurons}")
        ) from None
    described = {"model": model, "noise": noise, "stimulus": stimulus}
    return nsnn_network.Network([population]), {
        name: r if r is None else r.describe() for name, r in described.items()
    }


def _check_finite(group: Any, population: Population) -> None:
    if isinstance(population.neuron, IntegrateAndFire) and not np.isfinite(np.asarray(group.v[:])).all():
        raise NsnnError(
            f"the membrane of {population.name!r}, a {type(population.neuron).__name__}, isn't finite any more: "
            "take a smaller dt, or parameters and a drive of its usual size"
        )


def _signal(values: np.ndarray, unit: str, rate: float, name: str) -> neo.AnalogSignal:
    return neo.AnalogSignal(
        units.pq_quantity(values, unit), sampling_rate=units.pq_quantity(rate, "Hz"), name=name
    )


def _instance(value: Any, kind: type, name: str, expected: str) -> None:
    if value is not None and not isinstance(value, kind):
        shown = str(value) if units.is_quantity(value) else repr(value)
        raise NsnnError(f"{name} = {shown}: expected {expected}")


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


def _recorded(record_v: Any, population: Population, n_populations: int) -> np.ndarray:
    """Indices of the population's neurons whose membrane is recorded."""
    name, n = "record_v", population.n
    if isinstance(record_v, dict):
        record_v, name = record_v.get(population.name), f"record_v[{population.name!r}]"
    elif n_populations > 1 and record_v is not None and not isinstance(record_v, bool):
        raise NsnnError(
            f"record_v = {record_v!r}: of a network expected True or a dict such as {{{population.name!r}: [0, 1]}}"
        )
    return _chosen(record_v, n, name, "neuron")


def _chosen(which: Any, n: int, name: str, what: str) -> np.ndarray:
    if which is None or which is False:
        return np.array([], dtype=np.int64)
    if which is True:
        return np.arange(n)
    chosen = np.asarray(which)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or np.any((chosen < 0) | (chosen >= n)):
        raise NsnnError(f"{name} = {which!r}: expected {what} indices from 0 to {n - 1}, or True for all")
    return chosen.astype(np.int64)


def _recorded_weights(record_w: Any, net: nsnn_network.Network) -> dict[str, np.ndarray]:
    """Indices of the synapses whose weight is recorded, by the name of their projection."""
    if record_w is None:
        return {}
    if not isinstance(record_w, dict):
        raise NsnnError(
            f"record_w = {record_w!r}: expected a dict from projections ({', '.join(net.projection_names)}) to indices"
        )
    out = {}
    for name, which in record_w.items():
        n = net.connections(name).pre.size
        out[name] = _chosen(which, n, f"record_w[{name!r}]", "synapse")
    return {name: chosen for name, chosen in out.items() if chosen.size}
