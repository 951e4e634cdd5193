"""Brunel's network, asynchronous irregular state (g 5, eta 2): stock Brian2 beside NEST, beside the mean field.

`python benchmarks/brunel_brian2_nest.py [--seconds T] [--seeds N] [--dt MS] [--only TEXT ...] [--quick]`. NEST's rows need
`pip install nest-simulator`, and are left out without it. A run of a second takes about a minute and 2 GB; `--quick` is a
network of 2,500 neurons for 0.5 s, which shows that the script runs and nothing else. What the rows show: docs/delta_jumps.md.

rate: spikes per neuron and second, standard error from windows of 0.5 s over all seeds. I - E: rate of the inhibitory less that
of the excitatory neurons. Where the wiring treats both kinds alike its mean is 0, that of a finite run is not, and by linear
response of the mean field it moves the rate by -3.3 Hz per Hz: most of the scatter. `at I = E` takes that out (a control variate:
its mean is the rate's). It isn't given with autapses, which don't treat both alike, nor for connect(p), where the difference
belongs to the wiring and not to the run.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import brian2 as b2
import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import theory

G, ETA, TAU, THETA, RESET, REFRAC, DELAY = 5.0, 2.0, 20.0, 20.0, 10.0, 2.0, 1.5  # ms, mV
SKIP, WINDOW = 0.2, 0.5  # s
Wiring = list[tuple[np.ndarray, np.ndarray]]  # sources and targets of the E synapses, then of the I synapses


@dataclass(frozen=True)
class Size:
    """Neurons, inputs per neuron, seconds measured, step in ms."""

    n_e: int
    n_i: int
    c_e: int
    c_i: int
    seconds: float
    dt: float

    @property
    def n(self) -> int:
        return self.n_e + self.n_i

    @property
    def weight(self) -> float:
        return 100.0 / self.c_e  # mV: J C_E is 100 mV in either network

    @property
    def external(self) -> float:
        return 1e3 * ETA * THETA / (self.weight * self.c_e * TAU)  # Hz, of each of the c_e external inputs


def fixed(size: Size, rng: np.random.Generator) -> Wiring:
    """c_e and c_i different sources for each neuron, never itself: Brunel's network."""
    blocks = []
    for first, many, inputs in ((0, size.n_e, size.c_e), (size.n_e, size.n_i, size.c_i)):
        sources = np.empty((size.n, inputs), dtype=np.int32)
        for start in range(0, size.n, 500):
            rows = np.arange(start, min(start + 500, size.n))
            key = rng.random((len(rows), many), dtype=np.float32)
            own = (rows >= first) & (rows < first + many)
            key[own, rows[own] - first] = 2.0
            sources[rows] = first + np.argpartition(key, inputs, axis=1)[:, :inputs]
        blocks.append((sources.ravel(), np.repeat(np.arange(size.n, dtype=np.int32), inputs)))
    return blocks


def with_repeats(size: Size, rng: np.random.Generator) -> Wiring:
    """c_e and c_i sources drawn with replacement, itself included: NEST's `fixed_indegree` unless told otherwise."""
    return [
        (
            rng.integers(first, first + many, size.n * inputs, dtype=np.int32),
            np.repeat(np.arange(size.n, dtype=np.int32), inputs),
        )
        for first, many, inputs in ((0, size.n_e, size.c_e), (size.n_e, size.n_i, size.c_i))
    ]


def coin(size: Size, rng: np.random.Generator) -> Wiring:
    """Each pair with probability c_e / n_e, itself included: Brian2's `connect(p=...)`."""
    found = []
    for first, many, inputs in ((0, size.n_e, size.c_e), (size.n_e, size.n_i, size.c_i)):
        parts = [
            np.nonzero(rng.random((min(500, size.n - start), many), dtype=np.float32) < inputs / many)
            for start in range(0, size.n, 500)
        ]
        targets = np.concatenate([500 * k + part[0] for k, part in enumerate(parts)]).astype(np.int32)
        found.append((first + np.concatenate([part[1] for part in parts]).astype(np.int32), targets))
    return found


def brian(
    size: Size, wiring: Wiring, seed: int, *, theta: float = THETA, delay: float = DELAY
) -> tuple[np.ndarray, np.ndarray]:
    """Stock Brian2: sources and times (s) of the spikes after SKIP."""
    b2.start_scope()
    b2.seed(seed)
    b2.defaultclock.dt = size.dt * ms
    names = {"tau": TAU * ms, "theta": theta * mV, "reset_to": RESET * mV, "J": size.weight * mV, "g": G}
    cells = b2.NeuronGroup(
        size.n,
        "dv/dt = -v/tau : volt (unless refractory)",
        threshold="v > theta",
        reset="v = reset_to",
        refractory=REFRAC * ms,
        method="exact",
        namespace=names,
    )
    cells.v = np.random.default_rng(seed).uniform(0, THETA, size.n) * mV
    objects: list[b2.BrianObject] = [
        cells,
        b2.PoissonInput(cells, "v", size.c_e, size.external * b2.Hz, size.weight * mV),
    ]
    for (sources, targets), jump in zip(wiring, ("v_post += J", "v_post -= g*J"), strict=True):
        synapses = b2.Synapses(cells, cells, on_pre=jump, delay=delay * ms, namespace=names)
        synapses.connect(i=sources, j=targets)
        objects.append(synapses)
    network = b2.Network(*objects)
    network.run(SKIP * second, namespace={})
    monitor = b2.SpikeMonitor(cells)
    network.add(monitor)
    network.run(size.seconds * second, namespace={})
    return np.array(monitor.i), np.array(monitor.t / second) - SKIP


def nest_network(
    size: Size,
    wiring: Wiring,
    seed: int,
    *,
    theta: float = THETA,
    delay: float = DELAY,
    initial: np.ndarray | None = None,
    record_from: float = SKIP,
) -> Any:
    """Build the network of NEST's iaf_psc_delta, with V from 0 to THETA or `initial` (mV); return its spike recorder."""
    os.environ["PYNEST_QUIET"] = "1"
    import nest

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=size.dt, rng_seed=seed, local_num_threads=1, overwrite_files=True)
    cell = {"C_m": 1.0, "tau_m": TAU, "t_ref": REFRAC, "E_L": 0.0, "V_reset": RESET, "V_th": theta}
    cells = nest.Create("iaf_psc_delta", size.n, params=cell)
    cells.V_m = np.random.default_rng(seed).uniform(0, THETA, size.n) if initial is None else initial
    external = nest.Create("poisson_generator", params={"rate": size.external * size.c_e})
    nest.Connect(external, cells, syn_spec={"weight": size.weight, "delay": delay})
    for (sources, targets), weight in zip(wiring, (size.weight, -G * size.weight), strict=True):
        for part in np.array_split(np.arange(len(sources)), max(1, len(sources) // 1_000_000)):
            weights, delays = np.full(len(part), weight), np.full(len(part), delay)
            spec = {"weight": weights, "delay": delays}
            nest.Connect(sources[part] + 1, targets[part] + 1, "one_to_one", spec)
    recorder = nest.Create("spike_recorder", params={"start": 1e3 * record_from})
    nest.Connect(cells, recorder)
    return recorder


def nest_delta(
    size: Size, wiring: Wiring, seed: int, *, theta: float = THETA, delay: float = DELAY
) -> tuple[np.ndarray, np.ndarray]:
    """NEST's iaf_psc_delta: sources and times (s) of the spikes after SKIP."""
    recorder = nest_network(size, wiring, seed, theta=theta, delay=delay)
    import nest

    nest.Simulate(1e3 * (SKIP + size.seconds))
    events = recorder.events
    return np.asarray(events["senders"]) - 1, 1e-3 * np.asarray(events["times"]) - SKIP


def ours(size: Size, wiring: Wiring, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """This package's network: external jumps come at their own times within the step."""
    noise = nsnn.PoissonNoise(size.external * size.c_e * b2.Hz, size.weight * mV)
    return package(size, wiring, seed, {"noise": noise}, bridge=True)


def gridded(size: Size, wiring: Wiring, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same network with NEST's step: the external jumps of a step all at its end, spikes dated there.

    A drive that is constant over a step moves V by (1 - exp(-dt/tau)) of it: what makes a jump of the whole at the step's end.
    """
    steps = round((SKIP + size.seconds) / (1e-3 * size.dt))
    mean = size.external * size.c_e * 1e-3 * size.dt
    jumps = np.random.default_rng([seed, 7]).poisson(mean, (steps, size.n)) * (
        size.weight / -np.expm1(-size.dt / TAU)
    )
    drive = neo.AnalogSignal(jumps, units="mV", sampling_period=size.dt * pq.ms)
    return package(size, wiring, seed, {"stimulus": nsnn.Recorded(drive)}, bridge=False)


def package(
    size: Size, wiring: Wiring, seed: int, given: dict[str, Any], *, bridge: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A run of this package."""
    cell = nsnn.LIF(
        tau_m=TAU * ms, v_rest=0 * mV, v_reset=RESET * mV, v_thresh=THETA * mV, tau_refrac=REFRAC * ms
    )
    cells = nsnn.Population(size.n, cell, **given, name="cells")
    projections = [
        nsnn.Projection(
            cells, cells, rule=nsnn.FromList(sources, targets), weight=weight * mV, delay=DELAY * ms
        )
        for (sources, targets), weight in zip(wiring, (size.weight, -G * size.weight), strict=True)
    ]
    net = nsnn.Network([cells], projections)
    block = nsnn.simulate(
        net,
        duration=(SKIP + size.seconds) * second,
        dt=size.dt * ms,
        seed=seed,
        bridge=bridge,
        progress=False,
    )
    index, times = block.segments[0].spiketrains.multiplexed
    late = np.asarray(times.rescale("s").magnitude) - SKIP
    return np.asarray(index)[late >= -1e-9], late[late >= -1e-9]


def earlier(size: Size, wiring: Wiring, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stock Brian2 with the threshold and the delay that make its step the one of NEST (docs/delta_jumps.md)."""
    return brian(size, wiring, seed, theta=THETA * np.exp(-size.dt / TAU), delay=DELAY - size.dt)


def later(size: Size, wiring: Wiring, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """NEST with the threshold and the delay that make its step the one of stock Brian2."""
    return nest_delta(size, wiring, seed, theta=THETA * np.exp(size.dt / TAU), delay=DELAY + size.dt)


Simulator = Callable[[Size, Wiring, int], tuple[np.ndarray, np.ndarray]]
CASES: dict[str, tuple[Callable[[Size, np.random.Generator], Wiring], Simulator, bool]] = {
    # name: wiring, simulator, whether I = E on average in each run
    "nsnn_neuro": (fixed, ours, True),
    "nsnn_neuro, external jumps on the grid": (fixed, gridded, True),
    "Brian2, stock": (fixed, brian, True),
    "Brian2, theta exp(-dt/tau), delay - dt": (fixed, earlier, True),
    "Brian2, stock, connect(p=0.1)": (coin, brian, False),
    "NEST iaf_psc_delta": (fixed, nest_delta, True),
    "NEST, theta exp(+dt/tau), delay + dt": (fixed, later, True),
    "NEST, multapses and autapses": (with_repeats, nest_delta, False),
}


def measure(size: Size, index: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rates of E and of I in windows (Hz), and the mean over neurons of the CV of their intervals."""
    edges = np.arange(round(size.seconds / WINDOW) + 1) * WINDOW
    rate_e = np.histogram(times[index < size.n_e], edges)[0] / (size.n_e * WINDOW)
    rate_i = np.histogram(times[index >= size.n_e], edges)[0] / (size.n_i * WINDOW)
    order = np.lexsort((times, index))
    index, gaps = index[order], np.diff(times[order])
    within = np.diff(index) == 0
    owner, gaps = index[1:][within], gaps[within]
    count = np.bincount(owner, minlength=size.n)
    enough = count > 2
    mean = np.bincount(owner, gaps, size.n)[enough] / count[enough]
    square = np.bincount(owner, gaps**2, size.n)[enough] / count[enough]
    return rate_e, rate_i, float(np.mean(np.sqrt(np.maximum(square - mean**2, 0)) / mean))


def slope(size: Size) -> float:
    """What I - E, left over from a finite sample, does to the rate: covariance over variance by linear response, in Hz per Hz.

    dr_E = s + x_E, dr_I = s + x_I, s = F_E dr_E + F_I dr_I the common response, x the scatter of a population's rate, variance 1/n.
    """
    fixed_point = field(size)[0]

    def response(rate_e: float, rate_i: float) -> float:
        drive = size.external + rate_e
        mu = 1e-3 * TAU * size.weight * (size.c_e * drive - G * size.c_i * rate_i)
        variance = 1e-3 * TAU * size.weight**2 * (size.c_e * drive + G**2 * size.c_i * rate_i) / 2
        cell = {"tau_m": TAU * ms, "v_thresh": THETA * mV, "v_reset": RESET * mV, "tau_refrac": REFRAC * ms}
        return float(theory.siegert_rate(mu * mV, np.sqrt(variance) * mV, **cell))

    small = 0.01
    by_e, by_i = (
        (response(fixed_point + de, fixed_point + di) - response(fixed_point - de, fixed_point - di))
        / (2 * small)
        for de, di in ((small, 0.0), (0.0, small))
    )
    common = 1 / (1 - by_e - by_i)
    on_e, on_i = by_e * common + size.n_e / size.n, by_i * common + size.n_i / size.n
    return (on_i / size.n_i - on_e / size.n_e) / (1 / size.n_e + 1 / size.n_i)


def field(size: Size) -> np.ndarray:
    """Rates of the mean field, Hz."""
    return theory.brunel_rates(
        g=G, eta=ETA, n_e=size.n_e, n_i=size.n_i, epsilon=size.c_e / size.n_e, J=size.weight * mV
    )


def row(size: Size, name: str, seeds: int) -> str:
    """One line of the table."""
    wire, simulator, alike = CASES[name]
    begun = time.perf_counter()
    runs = [
        measure(size, *simulator(size, wire(size, np.random.default_rng(seed)), seed))
        for seed in range(1, seeds + 1)
    ]
    rate_e, rate_i = (np.concatenate([run[k] for run in runs]) for k in (0, 1))
    rate = (size.n_e * rate_e + size.n_i * rate_i) / size.n
    apart = rate_i - rate_e
    line = f"{name:40s} {with_error(rate)}  {apart.mean():+6.3f}"
    line += f"  {with_error(rate - slope(size) * apart) if alike else '':>17s}"
    return line + f"  {with_error(np.array([run[2] for run in runs]))}  {time.perf_counter() - begun:5.0f}"


def with_error(values: np.ndarray) -> str:
    """Mean +- standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():7.3f} +- {error:6.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="a multiple of 0.5")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--dt", type=float, default=0.1, help="ms; divides 1.5")
    parser.add_argument("--only", nargs="+", default=[""], help="the rows whose name contains one of these")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    size = Size(10_000, 2_500, 1_000, 250, given.seconds, given.dt)
    if given.quick:
        size = Size(2_000, 500, 200, 50, 0.5, given.dt)
    has_nest = find_spec("nest") is not None
    found = f"NEST {version('nest-simulator')}" if has_nest else "no NEST"
    print(f"Brian2 {version('brian2')}, {found}; {size}; {given.seeds} seeds")
    print(
        f"mean field {', '.join(f'{rate:.2f}' for rate in field(size))} Hz; slope {slope(size):.2f} Hz per Hz"
    )
    print(f"{'':40s} {'rate (Hz)':>17s}  {'I - E':>6s}  {'at I = E':>17s}  {'CV':>17s}  {'s':>5s}")
    for name in CASES:
        if any(text in name for text in given.only) and (has_nest or not name.startswith("NEST")):
            print(row(size, name, given.seeds), flush=True)


if __name__ == "__main__":
    main()
