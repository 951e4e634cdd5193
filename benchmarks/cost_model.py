"""How long runs and sweeps take, and how much memory: measures sizes, fits a linear model, checks it on sizes that were held out.

`python benchmarks/cost_model.py --out FOLDER` measures every case and appends a line for each to FOLDER/cost_model.jsonl. A run
that was stopped continues. Then it prints the model. `--page` also writes
docs/cost_model.json and docs/scaling.md. `--quick` measures a few small cases on NumPy, into the folder it is given.

Times are user and system seconds of the processor, of all processes, which other work on the machine changes less than wall time.
Cases are measured in five rounds, those of three seconds and more in two, and the least time is kept: a machine shared with
others is slow for minutes. Code is compiled and loaded before a time is taken. Memory is the
peak of a process of its own, above that of one with a tiny model.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Hz, ms, mV
from first_touch import cpu_seconds
from recovery import append
from scipy.optimize import nnls
from timing import machine, table

import nsnn_neuro as nsnn
from nsnn_neuro.brian.equations.group_text import MANY
from nsnn_neuro.measures import as_trains, firing_rate

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "cost_model.json"
ALLOWED = {"seconds": 0.25, "bytes": 0.30}
"""Largest relative error of a prediction of a size that was held out."""
SHORT = 3.0  # s
ROUNDS, LONG_ROUNDS = 5, 2  # of cases below so many seconds, and of others; the least time is kept
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
NOISE, DRIVE = nsnn.WhiteNoise(5 * mV), nsnn.Constant(15 * mV)
RUN: dict[str, Any] = {"dt": 0.1 * ms, "seed": 1, "progress": False}
Features = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A size to measure, for the model of costs `model`; `held_out` from its fit."""

    model: str
    size: tuple[tuple[str, int], ...]
    held_out: bool = False

    @property
    def name(self) -> str:
        """Such as "numpy neurons=10 steps=2000"."""
        return " ".join([self.model, *(f"{key}={value}" for key, value in self.size)])


def seconds(call: Callable[[], Any], clock: Callable[[], float] = cpu_seconds) -> tuple[Any, float]:
    """What a call returns, and its processor time."""
    begun = clock()
    result = call()
    return result, clock() - begun


def in_steps(neurons: int, steps: int, engine: str = "numpy") -> Features:
    """Neurons times steps of a population without synapses, of a small or of a large one; in C++ these cost the same."""
    small = neurons < MANY and engine != "cpp"
    return {"small neuron step" if small else "neuron step": neurons * steps}


def population(engine: str, neurons: int, steps: int) -> tuple[Features, float]:
    """LIF neurons in white noise."""
    run = partial(nsnn.simulate, CELL, NOISE, DRIVE, n_neurons=neurons, engine=engine, **RUN)
    run(duration=1 * ms)
    block, taken = seconds(partial(run, duration=0.1 * steps * ms))
    rate = as_trains(block).times.size / (neurons * steps * 1e-4)
    return {
        "run": 1,
        "step": steps,
        "neuron": neurons,
        **in_steps(neurons, steps, engine),
        "rate": rate,
    }, taken


def network(engine: str, neurons: int, steps: int) -> tuple[Features, float]:
    """Brunel's network, a tenth of all pairs connected; its wiring is drawn in each run."""

    def run(n_steps: int) -> tuple[Any, Any]:
        net = nsnn.brunel(g=5, eta=2, n_e=4 * neurons // 5, n_i=neurons // 5)
        return net, nsnn.simulate(net, duration=0.1 * n_steps * ms, engine=engine, **RUN)

    run(10)
    (net, block), taken = seconds(partial(run, steps))
    spikes = np.array([len(train) for train in block.segments[0].spiketrains])
    first = {"E": spikes[: 4 * neurons // 5], "I": spikes[4 * neurons // 5 :]}
    wires = [(projection.pre.name, net.connections(projection)) for projection in net.projections]
    events = sum(int(first[name][wire.pre].sum()) for name, wire in wires)
    synapses = sum(wire.pre.size for _, wire in wires)
    rate = float(spikes.sum()) / (neurons * steps * 1e-4)
    features = {"run": 1, "step": steps, "neuron step": neurons * steps, "synapse": synapses, "event": events}
    return {**features, "rate": rate}, taken


def spikes(written: bool, neurons: int, steps: int, rate: int) -> tuple[Features, float]:
    """Poisson sources, whose steps cost little: their spikes are written with `out`, or kept in memory."""
    source = nsnn.PoissonSource(rate * Hz)
    with tempfile.TemporaryDirectory() as folder:
        given = {"out": Path(folder) / "run.nwb"} if written else {}
        run = partial(nsnn.simulate, source, n_neurons=neurons, engine="numpy", **given, **RUN)
        run(duration=1 * ms)
        block, taken = seconds(partial(run, duration=0.1 * steps * ms))
        number = as_trains(block).times.size
    return {"run": 1, "step": steps, **in_steps(neurons, steps), "spike": number}, taken


def sweep(points: int, trials: int, steps: int, **options: Any) -> Any:
    """The firing rate of a neuron at `points` drives."""
    grid = {"stimulus.v": [(10 + 10 * k / points) * mV for k in range(points)]}
    return nsnn.sweep(
        CELL, grid, noise=NOISE, stimulus=DRIVE, measures=firing_rate, trials=trials, duration=0.1 * steps * ms,
        engine="numpy", **RUN, **options,
    )  # fmt: skip


def sweep_here(points: int, trials: int, steps: int) -> tuple[Features, float]:
    """A sweep in one process and one chunk."""
    sweep(2, trials, 10)
    _, taken = seconds(partial(sweep, points, trials, steps))
    return {"run": 1, "step": steps, "point": points, "neuron step": points * trials * steps}, taken


def own_seconds() -> float:
    """User and system time of this process alone."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def sweep_there(points: int, chunk: int) -> tuple[Features, float]:
    """What a sweep on a Dask cluster, into a folder, costs the process that calls it, in which the scheduler runs too."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        sweep(2, 1, 10, scheduler=client)

        def run() -> None:
            sweep(points, 1, 10, scheduler=client, chunk=chunk, out=Path(folder) / "sweep")

        _, taken = seconds(run, own_seconds)
    return {"run": 1, "point": points, "chunk": -(-points // chunk)}, taken


def process(number: int) -> tuple[Features, float]:
    """Start of a process that is ready for chunks of a sweep; `number` tells repetitions apart."""
    command = [sys.executable, "-P", "-c", "import distributed, nsnn_neuro.sweep.worker"]
    _, taken = seconds(partial(subprocess.run, command, check=True))
    return {"process": 1}, taken


def peak() -> int:
    """Most bytes of memory that this process has had so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def memory(**size: int) -> tuple[Features, float]:
    """Peak memory of a process that simulates on NumPy, above that of one with a tiny model."""
    runs = []
    for one in ({"neurons": 10, "steps": 10}, size):
        command = [sys.executable, __file__, "--memory", json.dumps(one)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(text.splitlines()[-1]))
    features = {key: value for key, value in runs[1]["features"].items() if key in MODELS["memory"].features}
    return {**features, "base": runs[0]["peak"]}, runs[1]["peak"] - runs[0]["peak"]


def report_memory(size: dict[str, int]) -> None:
    """Print the features of a run and the peak of this process."""
    measure: Any = partial(population, "numpy")
    if "wired" in size:
        measure, size = partial(network, "numpy"), {"neurons": size["wired"], "steps": 10}
    elif "rate" in size:
        measure = partial(spikes, False)
    elif "points" in size:
        measure = sweep_here
    features, _ = measure(**size)
    features |= {"neuron": size.get("neurons", 0)}
    print(json.dumps({"features": features, "peak": peak()}))


@dataclass(frozen=True)
class CostModel:
    """What is measured, in what unit, and the features that it is linear in."""

    measure: Callable[..., tuple[Features, float]]
    features: tuple[str, ...]
    label: str
    unit: str = "seconds"


_POPULATION = ("run", "step", "neuron", "small neuron step", "neuron step")
_NETWORK = ("run", "step", "neuron step", "synapse", "event")
_SPIKES = ("run", "step", "small neuron step", "neuron step", "spike")
MODELS = {
    "numpy": CostModel(partial(population, "numpy"), _POPULATION, "population, NumPy"),
    "cpp": CostModel(partial(population, "cpp"), ("run", "step", "neuron", "neuron step"), "population, C++"),
    "numpy network": CostModel(partial(network, "numpy"), _NETWORK, "network, NumPy"),
    "cpp network": CostModel(partial(network, "cpp"), _NETWORK, "network, C++"),
    "kept": CostModel(partial(spikes, False), _SPIKES, "spikes kept in memory"),
    "written": CostModel(partial(spikes, True), _SPIKES, "spikes written with `out`"),
    "sweep": CostModel(sweep_here, ("run", "step", "point", "neuron step"), "sweep in one process, NumPy"),
    "caller": CostModel(sweep_there, ("run", "point", "chunk"), "caller and scheduler of a sweep on Dask"),
    "process": CostModel(process, ("process",), "start of a worker"),
    "memory": CostModel(memory, ("neuron", "synapse", "spike", "point"), "memory, NumPy", "bytes"),
}


def cases() -> list[Case]:
    """All sizes: those of the fits, and those held out, which lie between them."""

    def of(model: str, keys: str, fitted: Sequence[Any], held_out: Sequence[Any]) -> Iterator[Case]:
        for sizes, apart in ((fitted, False), (held_out, True)):
            for size in sizes:
                yield Case(model, tuple(zip(keys.split(), size, strict=True)), apart)

    ne = "neurons steps"
    poisson = [
        (10, 10_000, 20),
        (100, 1000, 100),
        (1000, 1000, 2000),
        (10_000, 300, 100),
        (10_000, 3000, 100),
        (20_000, 1000, 2000),
        (20_000, 4000, 1000),
    ]
    held_out = [(300, 3000, 1000), (3000, 1000, 2000), (10_000, 2000, 500), (20_000, 6000, 200)]
    every = [
        *of("numpy", ne, [(10, 2000), (100, 10_000), (1000, 1000), (1000, 10_000), (10_000, 1000), (60_000, 500)],
            [(30, 1000), (300, 5000), (3000, 3000), (30_000, 1000), (10_000, 20_000)]),
        *of("cpp", ne, [(100, 10_000), (100, 1_000_000), (2000, 10_000), (2000, 100_000), (40_000, 1000), (40_000, 10_000),
            (2000, 1_000_000)], [(500, 10_000), (500, 200_000), (10_000, 3000), (10_000, 30_000), (10_000, 300_000)]),
        *of("numpy network", ne, [(100, 3000), (300, 1000), (1000, 3000), (3000, 1000), (6000, 1000), (6000, 100)],
            [(200, 2000), (2000, 2000), (4000, 1000)]),
        *of("cpp network", ne, [(100, 100_000), (100, 10_000), (1000, 10_000), (6000, 1000), (6000, 6000)],
            [(400, 20_000), (3000, 5000), (6000, 50_000)]),
        *of("kept", ne + " rate", poisson, held_out),
        *of("written", ne + " rate", poisson, held_out),
        *of("sweep", "points trials steps", [(10, 1, 300), (10, 10, 3000), (100, 10, 1000), (1000, 1, 300), (1000, 20, 1000),
            (10_000, 1, 300)], [(30, 10, 1000), (300, 10, 500), (4000, 2, 300)]),
        *of("caller", "points chunk", [(20, 10), (200, 2), (500, 50), (10_000, 100)], [(100, 5), (3000, 100)]),
        *of("process", "number", [(1,), (2,)], [(3,)]),
        *of("memory", ne, [(200_000, 10), (600_000, 10)], [(400_000, 10)]),
        *of("memory", "wired", [(4000,), (9000,)], [(6000,)]),
        *of("memory", ne + " rate", [(3000, 1000, 2000), (10_000, 1000, 2000)], [(6000, 1000, 2000)]),
        *of("memory", "points trials steps", [(5000, 1, 10), (15_000, 1, 10)], [(10_000, 1, 10)]),
    ]  # fmt: skip
    return sorted(every, key=lambda case: list(MODELS).index(case.model))


def quick_cases() -> list[Case]:
    """Three sizes of each of two models, which take seconds."""
    sizes = [(10, 100), (1000, 100), (300, 300)]
    return [
        *(Case("numpy", (("neurons", n), ("steps", t)), k == 2) for k, (n, t) in enumerate(sizes)),
        *(
            Case("kept", (("neurons", n), ("steps", t), ("rate", 500)), k == 2)
            for k, (n, t) in enumerate(sizes)
        ),
    ]


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    """The measurements that are there, by the names of their cases: of each case that with the least value, and its number."""
    path = folder / "cost_model.jsonl"
    found: dict[str, dict[str, Any]] = {}
    for text in path.read_text().splitlines() if path.exists() else []:
        line = json.loads(text)
        number = found[line["name"]]["rounds"] + 1 if line["name"] in found else 1
        if number == 1 or line["value"] < found[line["name"]]["value"]:
            found[line["name"]] = line
        found[line["name"]]["rounds"] = number
    return found


def rounds(case: Case, known: dict[str, Any] | None) -> int:
    """How often a case is measured, as far as that is known before its first time."""
    if MODELS[case.model].unit != "seconds":
        return 1
    return ROUNDS if known is None or known["value"] < SHORT else LONG_ROUNDS


def run(folder: Path, chosen: Sequence[Case]) -> None:
    """Measure the cases that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    begun, here = time.perf_counter(), machine()
    for number in range(1, ROUNDS + 1):
        for case in chosen:
            known = lines(folder).get(case.name)
            if (known["rounds"] if known else 0) >= min(number, rounds(case, known)):
                continue
            features, value = MODELS[case.model].measure(**dict(case.size))
            line = {
                "name": case.name,
                "model": case.model,
                "size": dict(case.size),
                "held_out": case.held_out,
            }
            append(
                folder / "cost_model.jsonl", {**line, "features": features, "value": value, "machine": here}
            )
            shown = f"{value:.3g} s" if MODELS[case.model].unit == "seconds" else f"{value / 1e6:.0f} MB"
            print(
                f"round {number}, {case.name}: {shown} ({time.perf_counter() - begun:.0f} s so far)",
                flush=True,
            )


def fit(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, float]:
    """Costs >= 0 of the features that minimise the sum of squared relative errors of the rows that are not held out."""
    chosen = [row for row in rows if not row["held_out"]]
    design = np.array([[row["features"].get(name, 0.0) for name in names] for row in chosen], dtype=float)
    design /= np.array([row["value"] for row in chosen])[:, None]
    scale = np.where(design.any(axis=0), design.max(axis=0), 1.0)
    costs, _ = nnls(design / scale, np.ones(len(chosen)))
    return dict(zip(names, (costs / scale).tolist(), strict=True))


def predicted(costs: dict[str, float], features: Features) -> float:
    """Seconds or bytes."""
    return sum(cost * features.get(name, 0.0) for name, cost in costs.items())


def summary(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of each model its costs, and the relative errors of its predictions of sizes that were held out."""
    models = {}
    for key, model in MODELS.items():
        rows = [row for row in measured.values() if row["model"] == key]
        if not any(not row["held_out"] for row in rows):
            continue
        costs = fit(rows, model.features)
        apart = [row for row in rows if row["held_out"]]
        rates = [row["features"]["rate"] for row in rows if "rate" in row["features"]]
        errors = [predicted(costs, row["features"]) / row["value"] - 1 for row in apart]
        models[key] = {
            "unit": model.unit,
            "costs": costs,
            "fitted": len(rows) - len(apart),
            "range": [min(row["value"] for row in rows), max(row["value"] for row in rows)],
            "rates": [min(rates), max(rates)] if rates else [],
            "largest": {name: max(row["features"].get(name, 0.0) for row in rows) for name in model.features},
            "held_out": {row["name"]: round(error, 4) for row, error in zip(apart, errors, strict=True)},
            "largest_error": round(max(map(abs, errors)), 4) if errors else None,
            "allowed": ALLOWED[model.unit],
        }
    machines = sorted({row["machine"].replace("\n", "; ") for row in measured.values()})
    bases = [row["features"]["base"] for row in measured.values() if row["model"] == "memory"]
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machines[0],
        "base": statistics.median(bases) if bases else None,
        "models": models,
    }


def report(made: dict[str, Any]) -> str:
    """A summary as text."""
    rows = []
    for key, one in made["models"].items():
        costs = ", ".join(f"{name} {cost:.3g}" for name, cost in one["costs"].items())
        error = one["largest_error"]
        rows.append([key, one["unit"], costs, "-" if error is None else f"{100 * error:.0f} %"])
    return f"{made['machine']}\n" + table(["model", "unit", "costs", "largest error"], rows)


def main() -> None:
    """Measure what is missing, and print the model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results/cost_model"))
    parser.add_argument("--quick", action="store_true", help="a few small cases on NumPy")
    parser.add_argument("--only", nargs="+", choices=list(MODELS), metavar="MODEL", default=list(MODELS))
    parser.add_argument("--summary", action="store_true", help="print what is there, without a run")
    parser.add_argument("--page", action="store_true", help="write docs/cost_model.json and docs/scaling.md")
    parser.add_argument("--memory", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory is not None:
        report_memory(given.memory)
        return
    if not given.summary:
        with contextlib.suppress(KeyboardInterrupt):
            run(
                given.out,
                [case for case in (quick_cases() if given.quick else cases()) if case.model in given.only],
            )
    made = summary(lines(given.out))
    print(report(made))
    if given.page:
        from scaling_page import write_page

        write_page(made)


if __name__ == "__main__":
    main()
