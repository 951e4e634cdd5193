"""`calibrate(function, ..., method="simulation")`: networks, whose spikes are compared with those of recorded populations.

A function of the free parameters makes the network. Each simulation draws its own wiring and noise; the neurons that are recorded
are chosen anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.checks import one_of, whole
from ...core.errors import NsnnError
from ...core.results import folder_of
from ...core.units import pq_quantity, shown, si, unit_of
from ...io.spikes import Trains, read
from ...measures.table import populations_of
from ...models.network import Network
from ..calibration.calibrated import Given
from ..calibration.free_parameters import FreeParameter, FreeParameters, bounds_of
from ..continuous.conditional import Parts
from ..continuous.trials import Trial
from .population_statistics import PopulationStatistics
from .regression import SPARE, n_terms
from .runs import Runs
from .simulation_calibration import SimulationCalibration
from .simulation_fit import calibrated

_SETTLE = 0.2  # s, simulated before the time that is compared
_PER_PARAMETER, _LEAST_SIMULATIONS = 40, 100  # simulations of a round, by default
_ROUNDS = 12
_SEEDS = 2**31


class FunctionParameters(FreeParameters):
    """Free parameters of a function that makes a network; `parts` are the function and two None."""

    def start(self) -> np.ndarray:
        """(K,) the middle of the bounds."""
        return np.full(len(self.names), 0.5)

    def models(self, values: np.ndarray) -> Parts:
        """The network of these values in SI, (K,)."""
        point = {
            one.name: self.quantity(one.name, float(x)) for one, x in zip(self.each, values, strict=True)
        }
        try:
            made = self.parts[0](point)
        except NsnnError as error:
            raise NsnnError(f"model({point}): {error}") from None
        if not isinstance(made, Network):
            raise NsnnError(
                f"model({point}) gave {shown(made)}: expected a Network; a neuron is passed itself, model=AdEx(...)"
            )
        return made, None, None


@dataclass(frozen=True, eq=False)
class NetworkRuns(Runs):
    """Statistics of recordings of simulated networks."""

    statistics: Any  # PopulationStatistics

    def _n_chunks(self, n: int, n_simulations: int) -> int:
        return n

    def simulated(self, points: np.ndarray, n_simulations: int, numbers: Sequence[int]) -> np.ndarray:
        """Statistics (n, n_simulations, n_statistics): each simulation has a wiring, a noise and recorded neurons of its own."""
        rows = [
            [self._one(u, np.random.SeedSequence([self.seed, int(number), k])) for k in range(n_simulations)]
            for u, number in zip(points, numbers, strict=True)
        ]
        return np.array(rows)

    def _one(self, u: np.ndarray, seeds: np.random.SeedSequence) -> np.ndarray:
        from ...brian.global_state import frozen_heap
        from ...brian.simulate import simulate

        wiring, noise, chosen = (int(seed) % _SEEDS for seed in seeds.generate_state(3, np.uint64))
        made = self.free.models(self.free.values(u))[0]
        net = Network(made.populations, made.projections, seed=wiring)
        steps = self.n_steps + round(_SETTLE / self.dt)
        options: dict[str, Any] = {"trials": len(self.statistics.lengths), "engine": self.engine}
        length, dt = (pq_quantity(x, "s") for x in (steps * self.dt, self.dt))
        with frozen_heap():  # at its end it frees what a run leaves behind
            block = simulate(net, duration=length, dt=dt, seed=noise, progress=False, **options)
        return self.statistics.of(self._recorded(net, block, np.random.default_rng(chosen)))

    def _recorded(self, net: Network, block: Any, rng: np.random.Generator) -> list[Trains]:
        sizes, lengths = {one.name: one.n for one in net.populations}, self.statistics.lengths
        first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        trains = read(block, None, None)
        begin = np.full(len(lengths), _SETTLE)
        return [
            _some(trains, first[name] + rng.permutation(sizes[name])[:n], begin, lengths)
            for name, n in self.statistics.populations
        ]

    def _content(self, points: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
        return {
            "networks": [self.free.models(self.free.values(u))[0].describe() for u in points],
            "statistics": [self.statistics.names, self.statistics.populations],
        }, [self.statistics.lengths]


def calibrate_network(
    given: Given, n_jobs: int, *, n_simulations: Any, n_generations: Any, engine: Any, out: Any
) -> SimulationCalibration:
    """The calibration of the network that a function makes; options as of `calibrate`."""
    make, noise, stimulus = given.parts
    if isinstance(make, Network):
        raise NsnnError(
            "model = Network: expected a function of the free parameters that makes one, such as "
            "lambda p: brunel(g=p['g'], eta=p['eta']), with free={'g': (3, 8), 'eta': (0.5, 4)}"
        )
    for name, part in (("noise", noise), ("stimulus", stimulus)):
        if part is not None:
            raise NsnnError(
                f"{name} = {shown(part)}: the populations of a network have theirs; leave {name} out"
            )
    free = FunctionParameters((make, None, None), _read_free(given.free))
    n = len(free.names)
    compiled = one_of("cpp" if engine is None else engine, ("cython", "numpy", "cpp"), "engine")
    recorded, statistics = _read_recording(given, free)
    least = len(statistics.names) + n_terms(n) + SPARE
    asked = max(_LEAST_SIMULATIONS, _PER_PARAMETER * n, least) if n_simulations is None else n_simulations
    n_simulations = whole(asked, least, "n_simulations")
    rounds = whole(_ROUNDS if n_generations is None else n_generations, 2, "n_generations")
    n_steps = int(np.ceil(statistics.lengths.max() / given.dt - 1e-9))
    folder = None if out is None else folder_of(out)
    rate = sum(part.times.size for part in recorded) / statistics.duration
    runs = NetworkRuns(free, statistics, n_steps, given.dt, rate, given.seed, compiled, n_jobs, folder)
    target = statistics.of(recorded)
    spikes = sum(part.times.size for part in recorded)
    trials = [Trial(np.zeros(round(x / given.dt)), 0.0, (0, round(x / given.dt))) for x in statistics.lengths]
    fit = calibrated(runs, target, trials, n_simulations, rounds, given.progress, confirmations=1)
    return replace(fit, n_spikes=int(spikes))


def _read_free(free: Any) -> tuple[FreeParameter, ...]:
    if not isinstance(free, Mapping) or not free or not all(isinstance(name, str) for name in free):
        raise NsnnError(
            f"free = {shown(free)}: expected a dict such as {{'g': (3, 8), 'weight': (0.05*mV, 0.5*mV)}}"
        )
    each = []
    for name, bounds in free.items():
        unit = unit_of(bounds[1]) if isinstance(bounds, tuple | list) and len(bounds) == 2 else "1"
        if unit == "?":
            raise NsnnError(
                f"free[{name!r}] = {shown(bounds)}: expected bounds in units such as ms, mV or Hz"
            )
        each.append(FreeParameter(name, name, *bounds_of(name, bounds, unit)))
    return tuple(each)


def _read_recording(given: Given, free: FunctionParameters) -> tuple[list[Trains], PopulationStatistics]:
    """The recorded trains of each population from 0, and their statistics."""
    net = free.models(free.values(free.start()))[0]
    start, stop = (
        None if t is None else float(si(t, "s", name))
        for t, name in ((given.t_start, "t_start"), (given.t_stop, "t_stop"))
    )
    trains = read(given.trains, start, stop, "trains")
    sizes = {one.name: one.n for one in net.populations}
    listed = populations_of(given.trains, trains.n_neurons)
    if len(sizes) == 1 and len(listed) == 1:
        listed = [(next(iter(sizes)), listed[0][1])]
    parts, first = [], 0
    for name, n in listed:
        if name not in sizes:
            raise NsnnError(
                f"trains have the population {name!r}, and the network {', '.join(sizes)}: expected the network's names, as in "
                'trains=to_block({"E": {"unit 3": times, ...}, "I": {...}}, t_stop=...)'
            )
        if n > sizes[name]:
            raise NsnnError(
                f"trains have {n} neurons of {name!r}, and the network {sizes[name]}: expected a network at least as large"
            )
        parts.append(_some(trains, np.arange(first, first + n), trains.t_start, trains.durations))
        first += n
    kept = [(one, part) for one, part in zip(listed, parts, strict=True) if one[1]]
    spikes = sum(part.times.size for _, part in kept)
    if spikes < 10 * len(free.names):
        raise NsnnError(
            f"trains hold {spikes} spikes: expected at least {10 * len(free.names)}, and some thousand for good errors"
        )
    return [part for _, part in kept], PopulationStatistics(tuple(one for one, _ in kept), trains.durations)


def _some(trains: Trains, neurons: np.ndarray, begin: np.ndarray, lengths: np.ndarray) -> Trains:
    """The trains of some neurons, from `begin` (n_trials,) s of each trial on, which is then 0, for `lengths`."""
    number = np.full(trains.n_neurons, -1)
    number[neurons] = np.arange(len(neurons))
    times = trains.times - begin[trains.trial]
    kept = (number[trains.neuron] >= 0) & (times >= 0) & (times < lengths[trains.trial])
    edges = np.stack([np.zeros_like(lengths), lengths], axis=1)
    return Trains.from_arrays(
        times[kept], number[trains.neuron][kept], trains.trial[kept], len(neurons), edges
    )
