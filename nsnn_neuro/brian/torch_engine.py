"""`engine="torch"`: neurons and dense layers as PyTorch tensors, on a GPU if there is one; imported with this engine only.

Brian2 writes the NumPy code of the groups, which `torch_code` translates; `torch_noise` draws the same random numbers, and
`torch_layers` multiplies spikes by matrices of weights. Tensors stay on the device from step to step, and most operations do not
wait for it. Spikes are kept as masks, of which the steps and members move to the host every so many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import neo
import numpy as np
import torch
from brian2 import Network, TimedArray, get_device, second
from brian2.core.variables import ArrayVariable
from brian2.groups.neurongroup import Resetter, Thresholder
from torch import Tensor

from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..core.units import shown
from ..models.neurons import IntegrateAndFire
from . import engine, global_state, states, streaming, torch_layers
from .torch_code import INTEGERS, Program, arrays, functions, samples
from .torch_noise import Draws

_AT_ONCE = {"cpu": 2**17}  # numbers that are drawn in one call: on a CPU as many as fit into its cache
_MOST_AT_ONCE = 2**22
_LONGEST = 1024  # steps
_MOST_HELD = 2**24  # bytes of spikes and membranes that wait for their way to the host
_COUNTER = ("noise_neuron", "noise_trial", "noise_point", "noise_key0", "noise_key1")


def find_device(device: Any = None) -> torch.device:
    """The torch device of this name that can hold numbers of Brian2's floating-point type; None: the first GPU, else the CPU.

    NsnnError : there is no such device

    >>> find_device("cpu")
    device(type='cpu')
    """
    dtype = getattr(torch, engine.dtype())
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.zeros(1, dtype=dtype, device=chosen).item()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        there = ["cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
        raise NsnnError(
            f"device = {shown(device)}: expected a device of PyTorch with numbers of type {engine.dtype()}, here "
            f"{' or '.join(repr(name) for name in there)} ({(str(error).splitlines() or [type(error).__name__])[0]})"
        ) from None
    return chosen


def execute(run: Any, device: Any, progress: Any) -> neo.Block:
    """Simulate a `Run` on a device and return the Block; `run.state` is then the state at the end, if it is asked for."""
    run.device = place = find_device(device)
    torch_layers.check(run, place)
    sizes = {"n_neurons": run.n_neurons, "n_trials": run.trials, "n_steps": run.n_steps}
    parts, traces = [np.empty((3, 0), dtype=np.int64)], []
    with global_state.frozen_heap(), streaming.opened(run.out, **sizes) as spool:
        with engine.running("numpy"):
            groups, _ = run.build(wired=False)
            network = states.Unfinished(groups, name="network")  # keeps the last spikes of an earlier run
            network.run(0 * second, namespace={})  # writes the code
            simulation = _Simulation(network, groups, run, place)
            with progress_bar(progress, f"simulating ({place})") as report, np.errstate(all="ignore"):
                for spikes, membranes in simulation.windows(report):
                    if spool is None:
                        parts.append(_placed(run, *spikes))
                        traces.append(membranes)
                    else:
                        spool.add(*_placed(run, *spikes))
            simulation.write_back(groups)
            run.finish(groups, [], simulation.in_transit())
        v = {name: np.concatenate([part[name] for part in traces], axis=1) for name in simulation.watched}
        return streaming.write(run.block(list(np.concatenate(parts, axis=1)), v, {}, "torch"), spool)


def _placed(run: Any, step: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Trial, neuron and step of spikes, (3, spikes); members are numbered through all populations."""
    n = np.array([p.n for p in run.net.populations])
    begin = np.cumsum(n) - n
    which = np.searchsorted(run.trials * np.cumsum(n), member, side="right")
    trial, neuron = np.divmod(member - run.trials * begin[which], n[which])
    return np.stack([trial, neuron + begin[which], step])


class _Simulation:
    """The groups of a network as tensors, and their operations as programs in the order of a step."""

    def __init__(self, network: Network, groups: Any, run: Any, device: torch.device) -> None:
        self.device, self.first, self.end, self.dt = device, run.first, run.end, run.dt
        self.dtype = getattr(torch, engine.dtype())
        self.state: dict[str, Any] = {}  # what the names of arrays in the code stand for
        self.changing: dict[str, ArrayVariable] = {}
        self.fired: list[Tensor] = [self._last_spikes(group) for group in groups]
        # place in the step, steps from one run to the next, operation
        operations: list[tuple[int, int, Callable[[], None]]] = []
        self.clocks: dict[str, tuple[int, str, str]] = {}
        self.sizes = sizes = [int(group.N) for group in groups]
        number = {group.name: k for k, group in enumerate(groups)}
        known = [functions(self._draws(group, size)) for group, size in zip(groups, sizes, strict=True)]
        name_of = get_device().get_array_name
        for one in network.sorted_objects:
            for code in one._code_objects:
                k, every = number[one.group.name], round(float(one.clock.dt_) / self.dt)
                for clock in (one.clock, one.group.clock):
                    step, t = (name_of(clock.variables[name]) for name in ("timestep", "t"))
                    self.clocks[clock.name] = round(float(clock.dt_) / self.dt), step, t
                self._hold(code)
                program = Program(code, self.state, known[k] | self._samples(code, one.group.clock, sizes[k]))
                operations.append((one.order, every, self._operation(one, program, k)))
        self.layers = [self._layer(run, number, groups) for number in range(len(run.net.projections))]
        operations += [(layer.order, 1, layer) for layer in self.layers]
        operations.sort(key=lambda one: one[0])
        self.operations = [(every, operation) for _, every, operation in operations]
        # population -> the array of its membranes, the members that are recorded, whether before or after the step
        self.watched: dict[str, tuple[str, Tensor, bool]] = {}
        for p, group in zip(run.net.populations, groups, strict=True):
            if (chosen := run.recorded[p.name]).size:
                array = name_of(group.variables[p.neuron.state])
                members = self._tensor((np.arange(run.trials)[:, None] * p.n + chosen).ravel(), torch.int64)
                self.watched[p.name] = array, members, isinstance(p.neuron, IntegrateAndFire)

    def _at_once(self, size: int) -> int:
        """The steps whose numbers are drawn in one call."""
        most = _AT_ONCE.get(self.device.type, _MOST_AT_ONCE)
        steps = min(most // size, _LONGEST, self.end - self.first)
        return max(4, steps + -steps % 4)

    def _tensor(self, values: np.ndarray, dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=self.device)

    def _last_spikes(self, group: Any) -> Tensor:
        """Which members of a group have fired in the step before the first one."""
        *members, number = group.variables["_spikespace"].get_value().tolist()
        fired = torch.zeros(int(group.N), dtype=torch.bool)
        fired[members[:number]] = True
        return fired.to(self.device)

    def _layer(self, run: Any, number: int, groups: Any) -> torch_layers.Dense:
        pre = run.net.populations.index(run.net.projections[number].pre)
        return torch_layers.Dense(run, number, groups, self.state, lambda: self.fired[pre], self.device)

    def _draws(self, group: Any, size: int) -> Draws:
        value = {name: group.variables[name].get_value() for name in _COUNTER}
        ids = [
            self._tensor(np.broadcast_to(value[f"noise_{word}"], size), torch.int64)
            for word in ("neuron", "trial", "point")
        ]
        neuron, trial, point = ids
        key0, key1 = (int(value[f"noise_key{k}"][0]) for k in range(2))
        return Draws(neuron, trial, point, key0, key1, self.dtype, self._at_once(size))

    def _hold(self, code: Any) -> None:
        """Copy the arrays of a code object to the device."""
        for name, variable in arrays(code).items():
            if name in self.state or variable.name == "_spikespace":
                continue
            values = np.asarray(variable.get_value())
            if variable.scalar:
                self.state[name] = values.tolist()
                continue
            self.state[name] = self._tensor(values, torch.int64 if variable.name in INTEGERS else self.dtype)
            if not (variable.constant or variable.read_only):
                self.changing[name] = variable

    def _samples(self, code: Any, clock: Any, size: int) -> dict[str, Callable]:
        step = code.device.get_array_name(clock.variables["timestep"])
        return {
            name: samples(value, self.state, step, self.dtype, self.device, self._at_once(size))
            for name, value in code.variables.items()
            if isinstance(value, TimedArray)
        }

    def _operation(self, one: Any, program: Program, k: int) -> Callable[[], None]:
        """A program as an operation of a step: the threshold of population k sets what its reset reads."""

        def threshold() -> None:
            self.fired[k] = torch.as_tensor(program(), device=self.device).expand(self.sizes[k])

        def reset() -> None:
            program.fired = self.fired[k]
            program()

        return threshold if isinstance(one, Thresholder) else reset if isinstance(one, Resetter) else program

    def windows(
        self, report: Callable[[float], Any] | None
    ) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], dict[str, np.ndarray]]]:
        """Simulate; yields of each window of steps the steps and members of its spikes, in this order, and recorded membranes.

        Membranes are (recorded members, steps of the window), by the names of the populations.
        """
        width = sum(self.sizes) + 8 * sum(members.numel() for _, members, _ in self.watched.values())
        window = max(1, min(_MOST_HELD // width, _LONGEST))
        for first in range(self.first, self.end, window):
            last = min(first + window, self.end)
            traces: dict[str, list[Tensor]] = {name: [] for name in self.watched}
            with torch.inference_mode():
                masks = torch.stack([self._step(k, traces) for k in range(first, last)])
                step, member = masks.nonzero().T.cpu().numpy()
                membranes = {name: torch.stack(rows, dim=1).cpu().numpy() for name, rows in traces.items()}
            yield (step + first, member), membranes
            if report is not None:
                report((last - self.first) / (self.end - self.first))

    def _step(self, k: int, traces: dict[str, list[Tensor]]) -> Tensor:
        """Take step k; returns which members of all populations have fired, and adds recorded membranes to `traces`."""
        for every, step, t in self.clocks.values():
            if k % every == 0:
                self.state[step], self.state[t] = [k // every], [k // every * (every * self.dt)]
        self._watch(traces, before=True)
        for every, operation in self.operations:
            if k % every == 0:
                operation()
        self._watch(traces, before=False)
        return self.fired[0] if len(self.fired) == 1 else torch.cat(self.fired)

    def _watch(self, traces: dict[str, list[Tensor]], before: bool) -> None:
        for name, (array, members, is_before) in self.watched.items():
            if is_before is before:
                traces[name].append(self.state[array][members])

    def write_back(self, groups: Any) -> None:
        """Copy the variables and the last spikes to the arrays of the groups."""
        for name, variable in self.changing.items():
            variable.get_value()[:] = self.state[name].cpu().numpy()
        for group, fired in zip(groups, self.fired, strict=True):
            members = np.flatnonzero(fired.cpu().numpy())
            spikes = group.variables["_spikespace"].get_value()
            spikes[: members.size], spikes[-1] = members, members.size

    def in_transit(self) -> dict[str, np.ndarray]:
        """Spikes of each projection that have not arrived, as `states.in_transit`."""
        return {layer.name: layer.in_transit() for layer in self.layers}
