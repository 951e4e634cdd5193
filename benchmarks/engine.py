"""The engine beside its peers: noisy LIF neurons, a sweep, Brunel's network, a new seed on a compiled model.

`python benchmarks/engine.py [--only ROW ...] [--engine cpp] [--repeats K] [--neurons N] [--seconds T] [--quick] [--json FILE]`. One
thread, state in float64, both sides in one run and in turn: median (least - most) of K runs. Both times are the seconds of the
steps alone: what a standalone program says of itself, a runtime network between its preparations and its end, of NEST its `Run`,
of the hand-written program, of JAX and of PyTorch the loop. "complete call" is the call of `simulate`, Block included. The ratio is
our median over the peer's. The rows "compile included", "later call" and "new seed" count complete calls on both sides. Rows with
"two processes" use two cores for this package and one for the peer. The single runs that a sweep is compared with come before all
others, in a new process, and are compiled in another one: Brian2 collects garbage before each run, so they are slower where there
are many Python objects.

Both rates are compared. They must agree to 4 standard errors and 2 % (stock Brian2's step is Euler's, its refractory period a step
shorter; 3 % of Brunel's network, whose neurons aren't independent), or the row says WRONG. With the bridge on this package fires
more, as it sees the crossings between grid points: these rows are compared with Siegert's rate. Neurons start at their reset.
`--quick` shows that the script works and no more. NEST's rows need `pip install nest-simulator`, those of JAX and PyTorch `jax` and
`torch`; a package that is absent is reported. The hand-written program is `lif_limit.cpp` beside this file, the peers are in
`engine_peers.py`. No compiled model of yours is used: they are kept in a folder of this run's own.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import brunel_brian2_nest as wired
import numpy as np
from brian2 import ms, mV, second
from comparison import NOT_INSTALLED, Agreement, Comparison, Report, add_options, printable
from engine_cases import (
    DT,
    MU,
    SIGMA,
    Case,
    Setting,
    expected,
    grid,
    lif,
    ours,
    points,
    run_singles,
    singles,
    stock,
    stock_brunel,
    stock_lif,
    swept,
)
from engine_peers import jax_lif, limit, nest_brunel, nest_lif, torch_lif
from environment import compiler, installed, machine
from timing import Sample, in_turn, pooled

import nsnn_neuro as nsnn
from nsnn_neuro.core.parallel import safe_path

SLACK = 0.02


@dataclass(frozen=True)
class Line:
    """One comparison of simulations, each side with its rate, and the ratio that is the goal."""

    work: str
    size: str
    peer: str
    ours: list[Sample]
    theirs: list[Sample]
    goal: str = ""
    complete: bool = False
    """count complete calls, not the steps alone"""
    true_rate: float | None = None
    """rate (Hz) that ours is compared with, in place of the peer's"""
    slack: float = SLACK

    def comparison(self) -> Comparison:
        """Times and rates of both sides."""
        seconds = [
            tuple(s.call if self.complete else s.loop for s in side) for side in (self.ours, self.theirs)
        ]
        (rate, error), (other, its) = pooled(self.ours), pooled(self.theirs)
        quantity = "rate (Hz)"
        if self.true_rate is not None:
            quantity, other, its = "rate (Hz), theory's", self.true_rate, 0.0
        alike = Agreement(quantity, rate, other, float(np.hypot(error, its)), self.slack * other)
        calls = () if self.complete else tuple(s.call for s in self.ours)
        return Comparison(
            self.work, self.size, seconds[0], self.peer, seconds[1], alike, goal=self.goal, calls=calls
        )


Lines = list[Line | Comparison]


def population(setting: Setting) -> str:
    """The size of a population."""
    return f"{setting.neurons} neurons, {setting.seconds:g} s"


def absent(work: str, size: str, peer: str, why: str = NOT_INSTALLED) -> Lines:
    """The line of a peer that cannot be had."""
    return [Comparison(work, size, (), peer, missing=why)]


def lif_rows(setting: Setting, folder: Path, engine: str, goal: str) -> Lines:
    """Stock Brian2."""
    cases = {
        "stock": stock(engine, setting.seconds, folder, stock_lif(setting.neurons)),
        "off": lif(setting, engine, False),
        "on": lif(setting, engine, True),
    }
    for name in ("off", "on"):
        cases[name](0)  # compiles
    runs = in_turn(cases, setting.repeats)
    work, peer, size = f"noisy LIF, {engine}, bridge", f"Brian2 {engine}, xi, euler", population(setting)
    true_rate = expected(MU, SIGMA, setting.seconds)
    return [
        Line(f"{work} off", size, peer, runs["off"], runs["stock"], goal),
        Line(f"{work} on", size, peer, runs["on"], runs["stock"], goal, true_rate=true_rate),
    ]


def first_row(setting: Setting, folder: Path) -> Lines:
    return lif_rows(setting, folder, setting.engine, "1/4.5, aim 1/7 (cpp)")


def runtime_row(setting: Setting, folder: Path) -> Lines:
    engine = "cython" if setting.engine == "cpp" else setting.engine
    return lif_rows(setting, folder, engine, "1/3, aim 1/4 (cython)")


def thread_row(setting: Setting, folder: Path) -> Lines:
    """Two processes (`threads=2`) beside one, ten times as many neurons."""
    many = replace(setting, neurons=10 * setting.neurons)
    work, peer = "noisy LIF, cpp, bridge on, two processes", "one process, complete calls"
    if setting.engine != "cpp":
        return absent(work, population(many), peer, "threads are those of C++ programs")
    cases = {str(threads): lif(many, "cpp", True, threads) for threads in (1, 2)}
    for case in cases.values():
        case(0)  # compiles
    runs = in_turn(cases, setting.repeats)
    return [Line(work, population(many), peer, runs["2"], runs["1"], "1/1.6, aim 1/1.85", complete=True)]


def limit_row(setting: Setting, folder: Path) -> Lines:
    """The step written by hand in C++."""
    work, size = f"noisy LIF, {setting.engine}, bridge off", population(setting)
    kinds = {
        "xoshiro": "C++ by hand, xoshiro, double",
        "philox10": "C++ by hand, Philox4x32-10",
        "single": "C++ by hand, normals in float",
    }
    path = compiler()
    if path is None:
        return [line for peer in kinds.values() for line in absent(work, size, peer, "no C++ compiler")]
    program = folder / "lif_limit"
    source = Path(__file__).with_name("lif_limit.cpp")
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++11"]
    subprocess.run([path, *flags, str(source), "-o", str(program)], check=True)
    cases = {kind: limit(setting, program, kind) for kind in kinds}
    cases["off"] = lif(setting, setting.engine, False)
    cases["off"](0)
    runs = in_turn(cases, setting.repeats)
    goals = {"xoshiro": "2, aim 1.3"}
    return [
        Line(work, size, peer, runs["off"], runs[kind], goals.get(kind, "")) for kind, peer in kinds.items()
    ]


def beside(
    setting: Setting, package: str, peer: str, case: Callable[[Setting], Case], goal: str = ""
) -> Lines:
    """A row of another package, which is reported where it is absent."""
    work, size = f"noisy LIF, {setting.engine}, bridge off", population(setting)
    if not installed(package):
        return absent(work, size, peer)
    cases = {"off": lif(setting, setting.engine, False), "peer": case(setting)}
    for each in cases.values():
        each(0)  # compiles
    runs = in_turn(cases, setting.repeats)
    return [Line(work, size, peer, runs["off"], runs["peer"], goal)]


def nest_row(setting: Setting, folder: Path) -> Lines:
    return beside(setting, "nest-simulator", "NEST iaf_psc_delta", nest_lif, "1/15, aim 1/25")


def jax_row(setting: Setting, folder: Path) -> Lines:
    return beside(setting, "jax", "JAX, scan over steps", jax_lif)


def torch_row(setting: Setting, folder: Path) -> Lines:
    return beside(setting, "torch", "PyTorch, loop over steps", torch_lif)


def sweep_row(setting: Setting, folder: Path) -> Lines:
    """A grid of drive and noise: one run() for each trial, and all trials as one group."""
    mu, sigma = points(setting)
    every = [np.tile(values, setting.trials) for values in (mu, sigma)]
    runtime = "cython" if setting.engine == "cpp" else setting.engine
    alone = singles(setting, runtime, folder)
    if runtime == "cython":
        # the compiler would leave so many objects in this process that each run takes twice as long
        spawn = multiprocessing.get_context("spawn")
        compiling = spawn.Process(target=run_singles, args=(setting, runtime, folder))
        with safe_path():
            compiling.start()
        compiling.join()
    alone(0)
    one_by_one = [alone(1 + k) for k in range(setting.repeats)]
    by_sweep = swept(setting, setting.engine)
    first = by_sweep(0)
    cases = {
        "swept": by_sweep,
        "ours": grid(setting, setting.engine, False),
        "bridged": grid(setting, setting.engine, True),
        "stock": stock(setting.engine, setting.seconds, folder, stock_lif(len(every[0]), *every)),
    }
    divided = {"shared": swept(setting, setting.engine, 2)} if setting.engine == "cpp" else {}
    for name in ("ours", "bridged"):
        cases[name](0)  # compiles
    runs = in_turn(cases | divided, setting.repeats)
    size = f"{setting.points} points x {setting.trials} trials x {setting.seconds:g} s"
    work, each = f"sweep, {setting.engine}", f"one run() each, {runtime}, extrapolated"
    known = [replace(one, rate=runs["stock"][0].rate, error=runs["stock"][0].error) for one in one_by_one]
    group, true_rate = f"one group, Brian2 {setting.engine}", expected(mu, sigma, setting.seconds)
    goal = "1/4, aim 1/6"
    many = "1/400, aim 1/1,000"
    return [
        Line(f"{work}, first call, compile included", size, each, [first], known, many, complete=True),
        Line(f"{work}, later call, a new seed", size, each, runs["swept"], known, many, complete=True),
        *(
            Line(f"{work}, later call, two processes", size, each, runs[name], known, many, complete=True)
            for name in divided
        ),
        Line(f"{work}, bridge off", size, group, runs["ours"], runs["stock"], goal),
        Line(f"{work}, bridge on", size, group, runs["bridged"], runs["stock"], goal, true_rate=true_rate),
    ]


def brunel_row(setting: Setting, folder: Path) -> Lines:
    """Brunel's network in stock Brian2 and in NEST."""
    shape = setting.size
    net = nsnn.brunel(
        g=wired.G, eta=wired.ETA, n_e=shape.n_e, n_i=shape.n_i, epsilon=shape.c_e / shape.n_e, J=shape.weight * mV, seed=1,
    )  # fmt: skip

    def call(bridge: bool) -> Case:
        return ours(
            lambda seed: nsnn.simulate(
                net, duration=shape.seconds * second, dt=shape.dt * ms, seed=seed, engine=setting.engine, bridge=bridge,
                progress=False,
            ),
            shape.seconds,
        )  # fmt: skip

    cases = {
        "stock": stock(setting.engine, shape.seconds, folder, stock_brunel(shape)),
        "off": call(False),
        "on": call(True),
    }
    has_nest = installed("nest-simulator")
    if has_nest:
        cases["nest"] = nest_brunel(shape)
    for name in ("off", "on"):
        cases[name](0)
    runs = in_turn(cases, min(3, setting.repeats))
    work, peer, nest = f"Brunel's network, {setting.engine}, bridge", f"Brian2 {setting.engine}", "NEST iaf_psc_delta"  # fmt: skip
    size, goal = f"{shape.n} neurons, {shape.seconds:g} s", "1/1.6, aim 1/2.5"
    # a network's neurons fire together: their errors say too little
    slack = 0.03 if shape.n > 10_000 else 0.25
    lines: Lines = [
        Line(f"{work} off", size, peer, runs["off"], runs["stock"], goal, slack=slack),
        Line(f"{work} on", size, peer, runs["on"], runs["stock"], goal, slack=slack),
    ]
    if not has_nest:
        return lines + absent(f"{work} off", size, nest)
    return [*lines, Line(f"{work} off", size, nest, runs["off"], runs["nest"], slack=slack)]


def seed_row(setting: Setting, folder: Path) -> Lines:
    """A second call with another seed beside a first one, whose model no cache knows: the text differs by a few neurons."""
    built, cached = [], []
    for repeat in range(min(3, setting.repeats)):
        case = lif(replace(setting, neurons=setting.neurons + repeat + 1, seconds=0.1), setting.engine, False)
        with cold(folder):
            built.append(case(1))
            cached.append(case(2))
    work, size = f"new seed on a cached model, {setting.engine}", f"{setting.neurons} neurons, 0.1 s"
    return [Line(work, size, "the first call, which compiles", cached, built, "1/20", complete=True)]


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


ROWS: dict[str, Callable[[Setting, Path], Lines]] = {
    "sweep": sweep_row,  # first: a run() of stock Brian2 takes up to twice as long in a process in which many objects were made
    "lif": first_row,
    "limit": limit_row,
    "runtime": runtime_row,
    "threads": thread_row,
    "nest": nest_row,
    "jax": jax_row,
    "torch": torch_row,
    "brunel": brunel_row,
    "seed": seed_row,
}


def run(setting: Setting, only: list[str], report: Report) -> list[str]:
    """Report the comparisons of some rows; the names of those that failed, which are reported with their error."""
    failed = []
    for name in only:
        with (
            tempfile.TemporaryDirectory(prefix="nsnn_bench_", ignore_cleanup_errors=True) as folder,
            cold(Path(folder)),
        ):
            try:
                lines = ROWS[name](setting, Path(folder))
            except Exception as error:
                traceback.print_exc()
                lines = absent(f"row {name}", population(setting), "", printable(f"failed: {error!r}"))
                failed.append(name)
            for line in lines:
                report.add(line.comparison() if isinstance(line, Line) else line)
    return failed


def main() -> None:
    """Print the comparisons."""
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
    add_options(parser)
    given = parser.parse_args()
    setting = Setting(engine=given.engine)
    if given.quick:
        size = wired.Size(2_000, 500, 200, 50, 0.2, DT)
        setting = replace(
            setting, neurons=1_000, seconds=0.2, repeats=1, points=4, trials=20, singles=2, size=size
        )
    changed = {
        name: value
        for name in ("repeats", "neurons", "seconds")
        if (value := getattr(given, name)) is not None
    }
    setting = replace(setting, **changed)
    print(machine())
    print(f"{population(setting)} at {DT} ms; median (least-most) of {setting.repeats}")
    if failed := run(setting, given.only, Report(given.json)):
        sys.exit(f"rows that failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
