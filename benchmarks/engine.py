"""The engine beside its peers: noisy LIF neurons, a sweep, Brunel's network, a new seed on a compiled model.

`python benchmarks/engine.py [--only ROW ...] [--engine cpp] [--repeats K] [--neurons N] [--seconds T] [--quick]`. One thread,
state in float64, both sides in one run and in turn: median (least - most) of K runs. `ours` and `peer` are the seconds of the
steps alone: what a standalone program says of itself, a runtime network between its preparations and its end, of NEST its `Run`,
of the hand-written program its loop. `call` is the whole call of `simulate`, Block included. The ratio is that of the medians
of the steps. The rows "compile included", "later call" and "new seed" count whole calls on both sides.

Beside each time stand both rates. They must agree to 4 standard errors and 2 % (stock Brian2's step is Euler's, its refractory
period a step shorter; 3 % of Brunel's network, whose neurons aren't independent), or the row says WRONG. With the bridge on this
package fires more, as it sees the crossings between grid points: these rows are held against Siegert's rate. Neurons start at
their reset. `--quick` shows that the script works and no more. NEST's row needs `pip install nest-simulator`; the hand-written
program is `lif_limit.cpp` beside this file. No compiled model of yours is
used: they are kept in a folder of this run's own.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import brian2 as b2
import brunel_brian2_nest as wired
import neo
import numpy as np
from brian2 import Hz, ms, mV, second
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from timing import Sample, compiler, in_turn, machine, pooled, rates, same_rate, spread, table, timed

import nsnn_neuro as nsnn
from nsnn_neuro import theory

devices: Any = importlib.import_module("brian2.devices.device")  # the package holds a proxy under this name

MU, SIGMA, TAU, THETA, RESET, REFRAC, DT = 15.0, 3.5, 20.0, 20.0, 10.0, 2.0, 0.1  # mV, ms
SLACK = 0.02
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


@dataclass(frozen=True)
class Line:
    """One comparison: two sides, how much faster this package is to be (or, `within`, how many times slower it may be)."""

    work: str
    peer: str
    ours: list[Sample]
    theirs: list[Sample]
    wanted: str
    whole: bool = False
    within: bool = False
    true_rate: float | None = None
    slack: float = SLACK

    def cells(self) -> list[str]:
        times = [[s.call if self.whole else s.loop for s in side] for side in (self.ours, self.theirs)]
        ratio = np.median(times[1]) / np.median(times[0])
        rate, error = pooled(self.ours)
        if self.true_rate is None:
            alike = same_rate(self.ours, self.theirs, self.slack)
        else:
            alike = abs(rate - self.true_rate) <= 4 * error + self.slack * self.true_rate
        said = f"{rate:.2f} +- {error:.2f}, {pooled(self.theirs)[0]:.2f} +- {pooled(self.theirs)[1]:.2f}"
        if self.true_rate is not None:
            said += f" (theory {self.true_rate:.2f})"
        return [
            self.work,
            self.peer,
            spread(times[0]),
            spread(times[1]),
            f"{np.median([s.call for s in self.ours]):.3g}",
            f"{1 / ratio:.2f} of its time" if self.within else f"{ratio:.3g} x",
            self.wanted,
            said + ("" if alike else "  WRONG: the rates differ"),
        ]


HEAD = ["work", "against", "ours (s)", "peer (s)", "call (s)", "ratio", "at least, aim", "rates (Hz)"]


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


def swept(setting: Setting, engine: str) -> Case:
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


def lif_rows(setting: Setting, folder: Path, engine: str, wanted: str) -> list[Line]:
    cases = {
        "stock": stock(engine, setting.seconds, folder, stock_lif(setting.neurons)),
        "off": lif(setting, engine, False),
        "on": lif(setting, engine, True),
    }
    for name in ("off", "on"):
        cases[name](0)  # compiles
    found = in_turn(cases, setting.repeats)
    peer = f"Brian2 {engine}, xi, euler"
    return [
        Line(f"noisy LIF, {engine}, bridge off", peer, found["off"], found["stock"], wanted),
        Line(
            f"noisy LIF, {engine}, bridge on",
            peer,
            found["on"],
            found["stock"],
            wanted,
            true_rate=expected(MU, SIGMA, setting.seconds),
        ),
    ]


def first_row(setting: Setting, folder: Path) -> list[Line]:
    return lif_rows(setting, folder, setting.engine, "4.5, 7 (cpp)")


def runtime_row(setting: Setting, folder: Path) -> list[Line]:
    return lif_rows(setting, folder, "cython" if setting.engine == "cpp" else setting.engine, "3, 4 (cython)")


def thread_row(setting: Setting, folder: Path) -> list[Line]:
    """Two processes (`threads=2`) beside one, ten times as many neurons."""
    if setting.engine != "cpp":
        raise RuntimeError("threads are those of C++ programs")
    many = replace(setting, neurons=10 * setting.neurons)
    cases = {str(threads): lif(many, "cpp", True, threads) for threads in (1, 2)}
    for case in cases.values():
        case(0)  # compiles
    found = in_turn(cases, setting.repeats)
    work = f"{many.neurons} noisy LIF, cpp, bridge on, two processes"
    return [Line(work, "one process, whole calls", found["2"], found["1"], "1.6, 1.85", whole=True)]


def limit(setting: Setting, program: Path, generator: str) -> Case:
    """The program of lif_limit.cpp."""

    def case(seed: int) -> Sample:
        steps = round(setting.seconds / (DT * 1e-3))
        sizes = [generator, setting.neurons, steps, seed]
        cell = [MU, SIGMA, DT / TAU, THETA, RESET, round(REFRAC / DT)]
        command = [str(program), "step", *(str(x) for x in sizes + cell)]
        begun = time.perf_counter()
        said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        per_second = 1e3 / DT
        return Sample(
            said["seconds"],
            time.perf_counter() - begun,
            said["rate"] * per_second,
            said["error"] * per_second,
        )

    return case


def limit_row(setting: Setting, folder: Path) -> list[Line]:
    path = compiler()
    if path is None:
        raise RuntimeError("no C++ compiler")
    program = folder / "lif_limit"
    source = Path(__file__).with_name("lif_limit.cpp")
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++11"]
    subprocess.run([path, *flags, str(source), "-o", str(program)], check=True)
    kinds = {
        "xoshiro": "C++ by hand, xoshiro, double",
        "philox10": "C++ by hand, Philox4x32-10",
        "single": "C++ by hand, normals in float",
    }
    cases = {kind: limit(setting, program, kind) for kind in kinds}
    cases["off"] = lif(setting, setting.engine, False)
    cases["off"](0)
    found = in_turn(cases, setting.repeats)
    work = f"noisy LIF, {setting.engine}, bridge off"
    return [
        Line(
            work,
            peer,
            found["off"],
            found[kind],
            "2, 1.3 of it" if kind == "xoshiro" else "",
            within=True,
        )
        for kind, peer in kinds.items()
    ]


def nest_lif(setting: Setting) -> Case:
    """NEST's iaf_psc_delta with a noise_generator: a current held for a step, of the same variance."""

    def case(seed: int) -> Sample:
        begun = time.perf_counter()
        os.environ["PYNEST_QUIET"] = "1"
        import nest

        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.set(resolution=DT, rng_seed=seed, local_num_threads=1, overwrite_files=True)
        keep = np.exp(-DT / TAU)
        cell = {
            "C_m": 1.0, "tau_m": TAU, "t_ref": REFRAC, "E_L": 0.0, "V_reset": RESET, "V_th": THETA, "V_m": RESET, "I_e": MU / TAU,
        }  # fmt: skip
        cells = nest.Create("iaf_psc_delta", setting.neurons, params=cell)
        spread_of_current = SIGMA * np.sqrt(1 - keep**2) / ((1 - keep) * TAU)
        noise = nest.Create("noise_generator", params={"mean": 0.0, "std": spread_of_current, "dt": DT})
        nest.Connect(noise, cells)
        recorder = nest.Create("spike_recorder")
        nest.Connect(cells, recorder)
        nest.Prepare()
        entered = time.perf_counter()
        nest.Run(1e3 * setting.seconds)
        loop = time.perf_counter() - entered
        nest.Cleanup()
        count = np.bincount(np.asarray(recorder.events["senders"]) - 1, minlength=setting.neurons)
        return Sample(loop, time.perf_counter() - begun, *rates(count[: setting.neurons], setting.seconds))

    return case


def nest_row(setting: Setting, folder: Path) -> list[Line]:
    if find_spec("nest") is None:
        raise RuntimeError("NEST is not installed")
    cases = {"off": lif(setting, setting.engine, False), "nest": nest_lif(setting)}
    cases["off"](0)
    found = in_turn(cases, setting.repeats)
    peer = f"NEST {version('nest-simulator')} iaf_psc_delta"
    return [Line(f"noisy LIF, {setting.engine}, bridge off", peer, found["off"], found["nest"], "15, 25")]


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


def sweep_row(setting: Setting, folder: Path) -> list[Line]:
    mu, sigma = points(setting)
    everything = [np.tile(values, setting.trials) for values in (mu, sigma)]
    by_sweep = swept(setting, setting.engine)
    first = by_sweep(0)
    runtime = "cython" if setting.engine == "cpp" else setting.engine
    alone = singles(setting, runtime, folder)
    alone(0)  # compiles
    cases = {
        "swept": by_sweep,
        "ours": grid(setting, setting.engine, False),
        "bridged": grid(setting, setting.engine, True),
        "stock": stock(setting.engine, setting.seconds, folder, stock_lif(len(everything[0]), *everything)),
    }
    for name in ("ours", "bridged"):
        cases[name](0)  # compiles
    found = in_turn(cases, setting.repeats)
    one_by_one = [alone(1)]
    what = f"{setting.points} points x {setting.trials} trials x {setting.seconds:g} s, {setting.engine}"
    each = f"one run() each, {runtime}, extrapolated"
    known = [replace(one_by_one[0], rate=found["stock"][0].rate, error=found["stock"][0].error)]
    group = f"one group, Brian2 {setting.engine}"
    return [
        Line(f"{what}, first call, compile included", each, [first], known, "400, 1000", whole=True),
        Line(f"{what}, later call, a new seed", each, found["swept"], known, "400, 1000", whole=True),
        Line(f"{what}, bridge off", group, found["ours"], found["stock"], "4, 6"),
        Line(
            f"{what}, bridge on",
            group,
            found["bridged"],
            found["stock"],
            "4, 6",
            true_rate=expected(mu, sigma, setting.seconds),
        ),
    ]


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


def brunel_row(setting: Setting, folder: Path) -> list[Line]:
    size = setting.size
    net = nsnn.brunel(
        g=wired.G,
        eta=wired.ETA,
        n_e=size.n_e,
        n_i=size.n_i,
        epsilon=size.c_e / size.n_e,
        J=size.weight * mV,
        seed=1,
    )

    def call(bridge: bool) -> Case:
        return ours(
            lambda seed: nsnn.simulate(
                net,
                duration=size.seconds * second,
                dt=size.dt * ms,
                seed=seed,
                engine=setting.engine,
                bridge=bridge,
                progress=False,
            ),
            size.seconds,
        )

    cases = {
        "stock": stock(setting.engine, size.seconds, folder, stock_brunel(size)),
        "off": call(False),
        "on": call(True),
    }
    repeats = min(3, setting.repeats)
    for name in ("off", "on"):
        cases[name](0)
    found = in_turn(cases, repeats)
    work, peer = f"Brunel AI, {size.n} neurons, {setting.engine}", f"Brian2 {setting.engine}"
    slack = (
        0.03 if size.n > 10_000 else 0.25
    )  # a network's neurons fire together: their errors say too little
    return [
        Line(f"{work}, bridge off", peer, found["off"], found["stock"], "1.6, 2.5", slack=slack),
        Line(f"{work}, bridge on", peer, found["on"], found["stock"], "1.6, 2.5", slack=slack),
    ]


def seed_row(setting: Setting, folder: Path) -> list[Line]:
    """A second call with another seed beside a first one, whose model no cache knows: the text differs by a few neurons."""
    built, cached = [], []
    for repeat in range(min(3, setting.repeats)):
        case = lif(replace(setting, neurons=setting.neurons + repeat + 1, seconds=0.1), setting.engine, False)
        with cold(folder):
            built.append(case(1))
            cached.append(case(2))
    work = f"new seed on a cached model, {setting.engine}"
    return [Line(work, "the first call, which compiles", cached, built, "20", whole=True)]


@contextlib.contextmanager
def cold(folder: Path) -> Iterator[None]:
    """No compiled model is known at the block's begin."""
    previous = os.environ.get("NSNN_CACHE_DIR")
    os.environ["NSNN_CACHE_DIR"] = tempfile.mkdtemp(dir=folder)
    try:
        yield
    finally:
        del os.environ["NSNN_CACHE_DIR"]
        if previous is not None:
            os.environ["NSNN_CACHE_DIR"] = previous


ROWS: dict[str, Callable[[Setting, Path], list[Line]]] = {
    "lif": first_row,
    "limit": limit_row,
    "runtime": runtime_row,
    "threads": thread_row,
    "nest": nest_row,
    "sweep": sweep_row,
    "brunel": brunel_row,
    "seed": seed_row,
}


def run(setting: Setting, only: list[str]) -> list[list[str]]:
    """The table's lines; a row that can't be had says why."""
    found: list[list[str]] = []
    for name in only:
        with (
            tempfile.TemporaryDirectory(prefix="nsnn_bench_", ignore_cleanup_errors=True) as folder,
            cold(Path(folder)),
        ):
            try:
                found += [line.cells() for line in ROWS[name](setting, Path(folder))]
            except RuntimeError as error:
                found.append([name, str(error), *[""] * (len(HEAD) - 2)])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    parser.add_argument("--engine", choices=["cpp", "cython", "numpy"], default="cpp")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--neurons", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    setting = Setting(engine=given.engine)
    if given.quick:
        size = wired.Size(2_000, 500, 200, 50, 0.2, DT)
        setting = replace(
            setting, neurons=1_000, seconds=0.2, repeats=2, points=4, trials=20, singles=2, size=size
        )
    changed = {
        name: value
        for name in ("repeats", "neurons", "seconds")
        if (value := getattr(given, name)) is not None
    }
    setting = replace(setting, **changed)
    print(machine())
    print(
        f"{setting.neurons} neurons, {setting.seconds:g} s at {DT} ms; median (least - most) of {setting.repeats}"
    )
    print(table(HEAD, run(setting, given.only)))


if __name__ == "__main__":
    main()
