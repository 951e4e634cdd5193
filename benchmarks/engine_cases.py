"""Noisy LIF neurons, a sweep and Brunel's network, by this package and by stock Brian2: what engine.py times."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brian2 as b2
import brunel_brian2_nest as wired
import neo
import numpy as np
from brian2 import Hz, ms, mV, second
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from timing import Sample, rates, timed

import nsnn_neuro as nsnn
from nsnn_neuro import theory

devices: Any = importlib.import_module("brian2.devices.device")  # the package holds a proxy under this name

MU, SIGMA, TAU, THETA, RESET, REFRAC, DT = 15.0, 3.5, 20.0, 20.0, 10.0, 2.0, 0.1  # mV, ms
Case = Callable[[int], Sample]


@dataclass(frozen=True)
class Setting:
    """Sizes of a run."""

    neurons: int = 10_000
    seconds: float = 1.0
    repeats: int = 5
    points: int = 100
    trials: int = 100
    singles: int = 5  # runs of one trial that stand for all
    engine: str = "cpp"
    size: wired.Size = wired.Size(10_000, 2_500, 1_000, 250, 1.0, DT)


def ours(call: Callable[[int], neo.Block], seconds: float) -> Case:
    """A call of this package: spikes of a neuron over all trials."""

    def case(seed: int) -> Sample:
        block, loop, whole = timed(lambda: call(seed))
        trains = nsnn.measures.as_trains(block)
        number = trains.trial * trains.n_neurons + trains.neuron
        count = np.bincount(number, minlength=trains.n_neurons * trains.n_trials)
        return Sample(loop, whole, *rates(count, seconds))

    return case


def lif(setting: Setting, engine: str, bridge: bool, threads: int | None = None) -> Case:
    cell = nsnn.LIF(
        tau_m=TAU * ms, v_rest=RESET * mV, v_reset=RESET * mV, v_thresh=THETA * mV, tau_refrac=REFRAC * ms
    )

    def call(seed: int) -> neo.Block:
        return nsnn.simulate(
            cell, nsnn.WhiteNoise(SIGMA * mV), nsnn.Constant((MU - RESET) * mV), n_neurons=setting.neurons,
            duration=setting.seconds * second, dt=DT * ms, seed=seed, engine=engine, bridge=bridge, progress=False, threads=threads,
        )  # fmt: skip

    return ours(call, setting.seconds)


def expected(mu: Any, sigma: Any, seconds: float) -> float:
    """Spikes in `seconds` from the reset on, over `seconds`, of the continuous membrane; mean over points.

    Of a renewal process that begins with an event T r + (CV^2 - 1) / 2; the first interval lacks its refractory period.
    """
    cell = {"tau_m": TAU * ms, "v_thresh": THETA * mV, "v_reset": RESET * mV, "tau_refrac": REFRAC * ms}
    rate = theory.siegert_rate(mu * mV, sigma * mV, **cell)
    cv = theory.siegert_cv(mu * mV, sigma * mV, **cell)
    return float(np.mean(rate + ((cv**2 - 1) / 2 + rate * REFRAC * 1e-3) / seconds))


def points(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Drive and noise (mV) of the grid's points."""
    side = round(np.sqrt(setting.points))
    mu, sigma = np.meshgrid(np.linspace(10, 22, side), np.linspace(2, 8, side))
    return mu.ravel(), sigma.ravel()


def swept(setting: Setting, engine: str, threads: int | None = None) -> Case:
    """All points and trials by `sweep`, the table of rates included."""
    mu, sigma = points(setting)
    cell = nsnn.LIF(
        tau_m=TAU * ms, v_rest=RESET * mV, v_reset=RESET * mV, v_thresh=THETA * mV, tau_refrac=REFRAC * ms
    )
    listed = [{"stimulus.v": (m - RESET) * mV, "noise.sigma": s * mV} for m, s in zip(mu, sigma, strict=True)]

    def case(seed: int) -> Sample:
        table, loop, whole = timed(
            lambda: nsnn.sweep(
                cell,
                listed,
                noise=nsnn.WhiteNoise(1 * mV),
                stimulus=nsnn.Constant(0 * mV),
                measures=nsnn.measures.firing_rate,
                trials=setting.trials,
                duration=setting.seconds * second,
                dt=DT * ms,
                seed=seed,
                engine=engine,
                bridge=False,
                threads=threads,
                progress=False,
            )
        )
        error = np.sqrt((table["se"] ** 2).sum()) / len(table)
        return Sample(loop, whole, float(table["value"].mean()), float(error))

    return case


def grid(setting: Setting, engine: str, bridge: bool) -> Case:
    """All points and trials as one group."""
    mu, sigma = points(setting)
    cell = nsnn.LIF(
        tau_m=TAU * ms, v_rest=RESET * mV, v_reset=RESET * mV, v_thresh=THETA * mV, tau_refrac=REFRAC * ms
    )

    def call(seed: int) -> neo.Block:
        return nsnn.simulate(
            cell, nsnn.WhiteNoise(sigma * mV), nsnn.Constant((mu - RESET) * mV), n_neurons=len(mu), trials=setting.trials,
            duration=setting.seconds * second, dt=DT * ms, seed=seed, engine=engine, bridge=bridge, progress=False,
        )  # fmt: skip

    return ours(call, setting.seconds)


@contextlib.contextmanager
def target(engine: str, directory: Path) -> Iterator[CPPStandaloneDevice | None]:
    """Stock Brian2 on `engine` inside the block, global state put back after; yields its standalone device, if it builds one."""
    previous, chosen = devices.active_device, b2.prefs.codegen.target
    drawn = np.random.get_state()  # noqa: NPY002 - stock Brian2's runtime draws from it
    device = None
    try:
        if engine == "cpp":
            device = CPPStandaloneDevice()
            device.activate(build_on_run=False, directory=str(directory))
            devices.active_device = device
        else:
            b2.prefs.codegen.target = engine
        yield device
    finally:
        devices.active_device, b2.prefs.codegen.target = previous, chosen
        np.random.set_state(drawn)  # noqa: NPY002


def stock(engine: str, seconds: float, folder: Path, make: Callable[[], tuple[list[Any], Any]]) -> Case:
    """A model of stock Brian2 that can be run again: compiled here, with random numbers of its own; `make` gives its objects and
    the monitor of its spikes."""
    directory = Path(tempfile.mkdtemp(dir=folder))
    with target(engine, directory) as device:
        objects, monitor = make()
        network = b2.Network(*objects, name="stock_network*")
        network.run((seconds if device else DT * 1e-3) * second, namespace={})
        if device is None:
            network.store()
        if device is not None:
            device.build(directory=str(directory), compile=True, run=False, with_output=False)

    def again(seed: int) -> np.ndarray:
        if device is not None:
            device.run(str(directory), "results", with_output=False)
            return np.array(monitor.count[:])
        with target(engine, directory):
            network.restore()
            b2.seed(seed)
            network.run(seconds * second, namespace={})
            return np.array(monitor.count[:])

    def case(seed: int) -> Sample:
        count, loop, call = timed(lambda: again(seed))
        return Sample(loop, call, *rates(count, seconds))

    return case


def stock_lif(neurons: int, mu: Any = MU, sigma: Any = SIGMA) -> Callable[[], tuple[list[Any], Any]]:
    """Noisy LIF neurons as anybody would write them for Brian2: `xi` and Euler's method."""

    def make() -> tuple[list[Any], Any]:
        given = "mu : volt (constant)\nsigma : volt (constant)"
        numbers = {"tau": TAU * ms, "theta": THETA * mV, "reset_to": RESET * mV}
        if np.ndim(mu) == 0:
            given, numbers = "", {**numbers, "mu": mu * mV, "sigma": sigma * mV}
        group = b2.NeuronGroup(
            neurons,
            f"dv/dt = (mu - v)/tau + sigma*sqrt(2/tau)*xi : volt (unless refractory)\n{given}",
            threshold="v > theta",
            reset="v = reset_to",
            refractory=REFRAC * ms,
            method="euler",
            dt=DT * ms,
            namespace=numbers,
            name="stock*",
        )
        group.v = RESET * mV
        if given:
            group.mu, group.sigma = mu * mV, sigma * mV
        monitor = b2.SpikeMonitor(group, name="stock_spikes*")
        return [group, monitor], monitor

    return make


def singles(setting: Setting, engine: str, folder: Path) -> Case:
    """One run() for each trial of each point, stock Brian2: a few of them, evenly among the points, times how many there are."""
    mu, sigma = points(setting)
    chosen = np.linspace(0, len(mu) - 1, setting.singles).round().astype(int)

    def case(seed: int) -> Sample:
        spent, counts = [], []
        with target(engine, folder):
            b2.seed(seed)
            for k in chosen:
                begun = time.perf_counter()
                objects, monitor = stock_lif(1, mu[k : k + 1], sigma[k : k + 1])()
                b2.Network(*objects, name="single*").run(setting.seconds * second, namespace={})
                counts.append(int(monitor.num_spikes))
                spent.append(time.perf_counter() - begun)
        whole = float(np.median(spent)) * len(mu) * setting.trials
        return Sample(whole, whole, float("nan"), float("nan"))

    return case


def run_singles(setting: Setting, engine: str, folder: Path) -> None:
    """Run them once, which compiles what no run has compiled before."""
    singles(setting, engine, folder)(0)


def stock_brunel(size: wired.Size) -> Callable[[], tuple[list[Any], Any]]:
    """Brunel's network in stock Brian2, with in-degrees that are exact as in ours."""
    wiring = wired.fixed(size, np.random.default_rng(1))

    def make() -> tuple[list[Any], Any]:
        names = {
            "tau": wired.TAU * ms, "theta": wired.THETA * mV, "reset_to": wired.RESET * mV, "J": size.weight * mV, "g": wired.G,
        }  # fmt: skip
        cells = b2.NeuronGroup(
            size.n,
            "dv/dt = -v/tau : volt (unless refractory)",
            threshold="v > theta",
            reset="v = reset_to",
            refractory=wired.REFRAC * ms,
            method="exact",
            dt=size.dt * ms,
            namespace=names,
            name="cells*",
        )
        drive = b2.PoissonInput(cells, "v", size.c_e, size.external * Hz, size.weight * mV)
        objects: list[Any] = [cells, drive]
        for (sources, targets), jump in zip(wiring, ("v_post += J", "v_post -= g*J"), strict=True):
            synapses = b2.Synapses(
                cells,
                cells,
                on_pre=jump,
                delay=wired.DELAY * ms,
                dt=size.dt * ms,
                namespace=names,
                name="recurrent*",
            )
            synapses.connect(i=sources, j=targets)
            objects.append(synapses)
        monitor = b2.SpikeMonitor(cells, name="spikes_of_cells*")
        return [*objects, monitor], monitor

    return make
