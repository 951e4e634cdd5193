"""One simulation run: build the Brian2 network and monitors, return a Block."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import neo
import numpy as np
from brian2 import Clock, Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, second

from ..core import units
from ..core.checks import check_seed
from ..core.errors import NsnnError, needs_package
from ..io.block import build_block
from ..io.provenance import provenance
from ..io.spikes import Trains
from ..models.neurons import IntegrateAndFire
from ..models.populations import Population
from ..models.stimuli import Constant, Stimulus
from . import engine, equations, global_state, states, streaming
from .dt_warnings import check_delays, check_step, check_stimuli
from .run_settings import MOST_STEPS, Output, Protocol, System


class Run:
    """One simulation; a single neuron model is a network of one population."""

    choice: str | None = None  # the reason why this engine was chosen, if it was
    device: Any = None  # of engine="torch": a torch device, or its name
    state: states.SimulationState  # at the end of a run with return_state

    def __init__(self, system: System, protocol: Protocol, output: Output = Output()) -> None:  # noqa: B008
        net, initial, threads, out = system.net, protocol.initial, protocol.threads, output.out
        if threads not in (None, 1) and net.projections:
            raise NsnnError(
                f"threads = {threads}: expected 1 for a network with projections, whose neurons cannot be divided between processes"
            )
        self.net, self.stimulus, self.parameters = net, system.stimulus, system.parameters
        self.trials, self.bridge, self.threads = int(protocol.trials), bool(protocol.bridge), threads
        self.dt, self.n_steps, self.initial = protocol.step, protocol.n_steps, initial
        self.ids, self.out, self.return_state = system.ids, out, bool(output.return_state)
        continued = initial if isinstance(initial, states.SimulationState) else None
        given = np.ndim(system.point) or system.point
        self.point = continued.point if continued and not given else system.point
        self.first: int = continued.step if continued else 0  # the number of the run's first step
        self.end: int = self.first + self.n_steps
        self.seed: int = continued.seed if continued and protocol.seed is None else check_seed(protocol.seed)
        self.n_neurons: int = sum(p.n for p in net.populations)
        self.recorded, self.weights = output.membranes(net), output.weights(net)
        if out is not None and (self.weights or any(chosen.size for chosen in self.recorded.values())):
            raise NsnnError(
                f"out = {out}: traces of record_v or record_w are in memory: leave one out, or use save(block, {str(out)!r})"
            )
        if out is not None and (continued or self.return_state):
            raise NsnnError(
                f"out = {out}: expected None with return_state or a SimulationState; save(block, {str(out)!r}) writes a Block"
            )
        if self.end >= MOST_STEPS:
            raise NsnnError(
                f"duration = {protocol.duration}: expected fewer than {MOST_STEPS} steps in all, and initial has {self.first}"
            )
        if initial is not None:
            states.check(initial, self)
        check_step(net, self.dt)
        check_delays(net, self.dt)
        check_stimuli(net, self.stimulus, self.first * self.dt, self.end * self.dt)

    @property
    def window(self) -> np.ndarray:
        """(trials, 2) begin and end of each trial in s."""
        return np.tile([self.first * self.dt, self.end * self.dt], (self.trials, 1))

    @property
    def starts(self) -> list[str]:
        """The names of the start values."""
        if self.initial is None or isinstance(self.initial, states.SimulationState):
            return []
        given = states.described(self.initial, self.net.populations)
        return [f"{population}.{name}" for population, values in given.items() for name in values]

    @property
    def needs_runtime(self) -> bool:
        """Whether spikes in transit between neurons are a part of a state, which a C++ program cannot return."""
        return bool(self.net.projections) and (
            isinstance(self.initial, states.SimulationState) or self.return_state
        )

    def build(self, *, wired: bool = True) -> tuple[list[NeuronGroup], list[Synapses]]:
        """The Brian2 groups and synapses; wired=False: without the synapses."""
        groups, synapses = equations.network(
            self.net, trials=self.trials, dt=self.dt, n_steps=self.end, seed=self.seed, bridge=self.bridge,
            stimulus=self.stimulus, recorded=set(self.weights), point=self.point, ids=self.ids, first=self.first, wired=wired,
        )  # fmt: skip
        if isinstance(self.initial, states.SimulationState):
            states.restore(self.initial, self, groups, synapses)
        elif self.initial is not None:
            states.start(self.initial, self, groups)
        return groups, synapses

    def execute(self, target: str, progress: Any) -> neo.Block:
        """Simulate on an engine and return the Block; `state` is then that at the end, if it is wanted."""
        if target == "torch":
            with needs_package("torch", 'engine = "torch"', '; or use engine="cpp"'):
                torch_engine = importlib.import_module(".torch_engine", __package__)
            return torch_engine.execute(self, self.device, progress)
        if target == "cpp" and self.needs_runtime:
            raise NsnnError(
                'engine = "cpp": the state of a network has spikes in transit, which a C++ program cannot return: expected "auto", '
                '"cython" or "numpy" with return_state or a SimulationState'
            )
        sizes = {"n_neurons": self.n_neurons, "n_trials": self.trials, "n_steps": self.n_steps}
        with streaming.opened(self.out, **sizes) as spool:
            with self._built(target) as (device, groups, synapses, spikes):
                if spool is None:
                    result, v, w = self._in_one_piece(groups, synapses, spikes, device, progress)
                else:
                    result, v, w = [np.empty(0, dtype=np.int64)] * 3, {}, {}
                    objects = [*groups, *synapses, *spikes]
                    run = streaming.windows(objects, spikes, self.n_steps, self.dt, device, progress)
                    with contextlib.closing(run) as windows:
                        for window in windows:
                            spool.add(*self._placed(*window))
            return streaming.write(self.block(result, v, w, target), spool)

    def spikes(self, target: str, progress: Any) -> list[np.ndarray]:
        """Simulate on an engine and return trial, neuron and step of all spikes, in any order, without a Block."""
        if target == "torch":
            trains = Trains.from_block(self.execute(target, progress))
            return [trains.trial, trains.neuron, np.rint(trains.times / self.dt).astype(np.int64)]
        with self._built(target) as (device, groups, synapses, spikes):
            return self._in_one_piece(groups, synapses, spikes, device, progress)[0]

    @contextlib.contextmanager
    def _built(self, target: str) -> Iterator[tuple[Any, list[NeuronGroup], list[Synapses], list[Any]]]:
        """Brian2's device, groups, synapses and monitors of spikes; at the block's end `finish`."""
        self.net.check_memory(trials=self.trials, engine=target)
        with global_state.frozen_heap(), engine.running(target, self.threads, in_parts=True) as device:
            groups, synapses = self.build()
            monitors = [SpikeMonitor(group, name=f"spikes_{k}") for k, group in enumerate(groups)]
            yield device, groups, synapses, monitors
            self.finish(groups, synapses)

    def finish(
        self, groups: Sequence[Any], synapses: Sequence[Any], arriving: dict[str, np.ndarray] | None = None
    ) -> None:
        """Check the membranes at the end of a run and keep the state, if it is asked for; `arriving` as in `states.collect`."""
        for p, group in zip(self.net.populations, groups, strict=True):
            if isinstance(p.neuron, IntegrateAndFire) and not np.isfinite(np.asarray(group.v[:])).all():
                raise NsnnError(
                    f"the membrane of {p.name!r}, a {type(p.neuron).__name__}, is not finite any more: "
                    "use a smaller dt, or parameters and a drive in the usual range; a nonlinear term that runs away below rest, "
                    "as a cubic one does, needs a limit, such as clip(v - v_rest, 0*mV, 100*mV)"
                )
        if self.return_state:
            self.state = states.collect(self, groups, synapses, arriving)

    def _in_one_piece(
        self, groups: Any, synapses: Any, spikes: Any, device: Any, progress: Any
    ) -> tuple[list[np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Trial, neuron and step of all spikes, and the recorded membranes and weights by name."""
        membranes = {p.name: self._monitor(p, g) for p, g in zip(self.net.populations, groups, strict=True)}
        weights = {name: self._weight_monitor(name, synapses) for name in self.weights}
        watched = [m for m in (*membranes.values(), *weights.values()) if m is not None]
        kind = states.Unfinished if self.return_state else Network
        network = kind([*groups, *synapses, *spikes, *watched], name="network")
        engine.run(network, self.n_steps * self.dt, device, progress, t_start=self.first * self.dt)
        parts = [self._placed(k, monitor.i[:], monitor.t[:]) for k, monitor in enumerate(spikes)]
        result = [np.concatenate(some) for some in zip(*parts, strict=True)]
        v = {
            p.name: np.array(getattr(m, p.neuron.state)[:])
            for p in self.net.populations
            if (m := membranes[p.name]) is not None
        }
        return result, v, {name: np.array(m.weight[:]) for name, m in weights.items()}

    def _placed(self, k: int, members: Any, times: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Trial, neuron and step of spikes of population k at times in s."""
        trial, neuron = np.divmod(np.asarray(members, dtype=np.int64), self.net.populations[k].n)
        neuron += sum(p.n for p in self.net.populations[:k])
        return trial, neuron, np.rint(np.asarray(times) / self.dt).astype(np.int64)

    def _monitor(self, population: Population, group: Any) -> StateMonitor | None:
        chosen = self.recorded[population.name]
        if not chosen.size:
            return None
        members = (np.arange(self.trials)[:, None] * population.n + chosen).ravel()
        # u of a discrete neuron is recorded after synaptic input, v of a membrane at the start of the step
        when = "start" if isinstance(population.neuron, IntegrateAndFire) else "end"
        return StateMonitor(
            group, population.neuron.state, record=members, when=when, name=f"{group.name}_membrane"
        )

    def _weight_monitor(self, name: str, synapses: list[Any]) -> StateMonitor:
        projection = synapses[self.net.projection_names.index(name)]
        clock = Clock(self._weight_period() * second, name=f"{projection.name}_weight_clock")
        return StateMonitor(
            projection, "weight", record=self.weights[name], clock=clock, name=f"{projection.name}_weight"
        )

    def _weight_period(self) -> float:
        """The time between recorded weights (s): 1 ms, in steps."""
        return max(1, round(1e-3 / self.dt)) * self.dt

    def block(self, result: list[np.ndarray], v: dict[str, Any], w: dict[str, Any], target: str) -> neo.Block:
        """The Block of spikes `result` (trial, neuron, step), recorded membranes v and weights w."""
        parameters = self.parameters | {"bridge": self.bridge, "engine": target}
        if self.device is not None:
            parameters["device"] = str(self.device)
        if self.initial is not None:
            parameters["initial"] = states.described(self.initial, self.net.populations)
        annotations = {
            "seed": self.seed,
            "parameters": parameters,
            "populations": [{"name": p.name, "size": p.n} for p in self.net.populations],
            **({"point": int(self.point)} if np.ndim(self.point) == 0 and self.point else {}),
            **({} if self.choice is None else {"engine_choice": self.choice}),
            **provenance(*([] if self.device is None else ["torch"])),
        }
        block = build_block(
            *result,
            dt=self.dt,
            n_trials=self.trials,
            n_neurons=self.n_neurons,
            t_start=self.first * self.dt,
            t_stop=self.end * self.dt,
            annotations=annotations,
        )
        for k, p in enumerate(self.net.populations):
            suffix = "" if len(self.net.populations) == 1 else f" of {p.name}"
            self._add_stimulus(block, p, (self.stimulus or p.stimulus) if k == 0 else p.stimulus, suffix)
            if p.name in v:
                traces = v[p.name].reshape(self.trials, -1, self.n_steps)
                for segment, trace in zip(block.segments, traces, strict=True):
                    signal = self._signal(trace.T, p.neuron.membrane_unit, f"v{suffix}")
                    signal.array_annotate(neuron=self.recorded[p.name])
                    segment.analogsignals.append(signal)
        for name, trace in w.items():
            if not trace.shape[-1]:
                continue  # no sample falls into the run
            projection, chosen = self.net.projection(name), self.weights[name]
            signal = self._signal(trace.T, projection.weight_unit, f"weight of {name}", self._weight_period())
            signal.array_annotate(synapse=chosen)
            for segment in block.segments:
                segment.analogsignals.append(signal[:])
        return block

    def _add_stimulus(
        self, block: neo.Block, population: Population, stimulus: Stimulus | None, suffix: str
    ) -> None:
        # where neurons of several points are one population, their stimuli are in the Blocks of the points
        if self.ids is not None or stimulus is None or isinstance(stimulus, Constant):
            return
        samples = stimulus.samples(self.end, self.dt).reshape(self.end, -1)[self.first :]
        signal = self._signal(samples, population.neuron.membrane_unit, f"stimulus{suffix}")
        for segment in block.segments:
            segment.analogsignals.append(signal[:])  # a view: the samples are in memory once

    def _signal(
        self, values: np.ndarray, unit: str, name: str, period: float | None = None
    ) -> neo.AnalogSignal:
        """A signal that begins with the run, with a sample in each step or `period` (s)."""
        each = period or self.dt
        start = math.ceil(self.first * self.dt / each - 1e-6) * each
        return neo.AnalogSignal(
            units.pq_quantity(values, unit),
            t_start=units.pq_quantity(start, "s"),
            sampling_rate=units.pq_quantity(1 / each, "Hz"),
            name=name,
        )
