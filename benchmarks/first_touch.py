"""First touch: the command `nsnn simulate` with empty and with filled caches, and the costs that `engine="auto"` is based on.

`python benchmarks/first_touch.py [command] [costs] [--repeats N] [--quick] [--json FILE]`; both parts by default. Times are user
and system seconds of all processes, which other work on the machine changes less than wall time, and wall seconds of the command.

`command`: `nsnn simulate examples/lif.toml` in a fresh home folder and again in the same one, the median of N. The package's own
bytecode is compiled beforehand, as an installation does.
`costs`: seconds per step of a population, of a member, of a projection and of a synaptic event, and of compilation, on each engine,
beside the constants of `nsnn_neuro.brian.engine_choice`. Cython modules are shared by models, so the first row of an engine is that
of an empty cache, and later rows say what a further model costs. Measured on a Xeon (two cores shared with other work), GCC 12:

    model                engine  ready after    per step   per member   per event
    LIF, white noise     numpy        0.72 s     69.2 us    0.0905 us
    LIF, no noise        numpy        0.01 s     30.6 us    0.0093 us
    LIF, OU noise        numpy        0.05 s     63.4 us    0.1214 us
    LIF, shot noise      numpy        0.04 s    100.4 us    0.0707 us
    Wang-Buzsaki         numpy        0.10 s    145.5 us    0.2740 us
    NSNN neuron          numpy        0.01 s     47.7 us    0.1042 us
    Brunel's network     numpy        0.06 s    267.1 us
    all to all           numpy                    9.9 us                0.011 us
    LIF, white noise     cpp          2.10 s                0.0112 us
    LIF, no noise        cpp          1.66 s                0.0008 us
    LIF, OU noise        cpp          1.82 s                0.0178 us
    LIF, shot noise      cpp          1.88 s                0.0206 us
    Wang-Buzsaki         cpp          1.85 s                0.1942 us
    NSNN neuron          cpp          1.87 s                0.0975 us
    Brunel's network     cpp          7.17 s
    LIF, white noise     cython      15.0 s       5.1 us    0.0139 us
    LIF, no noise        cython       3.1 s       3.7 us    0.0054 us
    Wang-Buzsaki         cython       5.1 s       3.0 us    0.3359 us
    Brunel's network     cython      15.5 s      27.5 us
    all to all           cython                   8.0 us                0.003 us
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from comparison import Comparison, Report, add_options

ROOT = Path(__file__).resolve().parents[1]


def cpu_seconds() -> float:
    """User and system time of this process and of those that it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def command(home: Path) -> tuple[float, float]:
    """CPU and wall seconds of the command with the caches in `home`."""
    arguments = ["simulate", str(ROOT / "examples" / "lif.toml"), "-o", str(home / "run.nwb")]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NSNN_CACHE_DIR", "PYTHONDONTWRITEBYTECODE")
    }
    environment = {
        **kept,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    before, begun = cpu_seconds(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", "-m", "nsnn_neuro", *arguments],
        cwd=home,
        env=environment,
        check=True,
        capture_output=True,
    )
    return cpu_seconds() - before, time.perf_counter() - begun


def show_command(report: Report, repeats: int) -> None:
    """Report wall times of the command, cold and warm, and print those of the processor."""
    taken: dict[str, list[tuple[float, float]]] = {"empty caches": [], "filled caches": []}
    for _ in range(repeats + 1):
        home = Path(tempfile.mkdtemp(prefix="nsnn_first_touch_"))
        try:
            for name in taken:
                taken[name].append(command(home))
        finally:
            shutil.rmtree(home, ignore_errors=True)
    for name, values in taken.items():
        cpu, wall = (tuple(column) for column in zip(*values[1:], strict=True))
        print(f"{name}: {statistics.median(cpu):.2f} s of the processor")
        report.add(Comparison(f"nsnn simulate examples/lif.toml, {name}", "", wall))


def models() -> dict[str, tuple[tuple[Any, ...], float]]:
    """Arguments of `simulate` and the time step (ms) of each row."""
    from brian2 import Hz, ms, mV

    import nsnn_neuro as nsnn

    lif = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    drive = nsnn.Constant(15 * mV)
    return {
        "LIF, white noise": ((lif, nsnn.WhiteNoise(3 * mV), drive), 0.1),
        "LIF, no noise": ((lif, None, drive), 0.1),
        "LIF, OU noise": ((lif, nsnn.OUNoise(3 * mV, 5 * ms), drive), 0.1),
        "LIF, shot noise": ((lif, nsnn.PoissonNoise(rate=800 * Hz, weight=0.5 * mV), drive), 0.1),
        "Wang-Buzsaki": ((nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), nsnn.Constant(0 * mV)), 0.02),
        "NSNN neuron": ((nsnn.NSNNNeuron(), nsnn.EscapeNoise(nsnn.Logistic(1.0)), nsnn.Constant(1)), 0.1),
        "Brunel's network": ((nsnn.brunel(g=5, eta=2, n_e=80, n_i=20, epsilon=0.2, J=0.5 * mV),), 0.1),
    }


def row(engine: str, parts: tuple[Any, ...], dt: float, steps: int) -> list[str]:
    """Seconds until the code is ready, microseconds of a step and of a member in a step."""
    from brian2 import ms

    import nsnn_neuro as nsnn

    def seconds(n_steps: int, **size: int) -> float:
        before = cpu_seconds()
        nsnn.simulate(*parts, duration=n_steps * dt * ms, dt=dt * ms, seed=1, engine=engine, **size)
        return cpu_seconds() - before

    first, again = seconds(10), seconds(10)
    each = (seconds(steps) - again) / steps
    cells = [f"{max(0.0, first - again):9.2f} s", f"{1e6 * each:8.1f} us"]
    if len(parts) > 1:
        n = 1000
        seconds(10, n_neurons=n)
        member = (seconds(steps, n_neurons=n) - seconds(10, n_neurons=n)) / steps - each
        cells.append(f"{1e6 * member / (n - 1):9.4f} us")
    return cells


def synapses(engine: str) -> list[str]:
    """Microseconds of a projection in a step and of a synaptic event: 1000 neurons with one synapse each, and all to all."""
    from brian2 import ms, mV

    import nsnn_neuro as nsnn

    lif = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    cells = nsnn.Population(
        1000, lif, noise=nsnn.WhiteNoise(6 * mV), stimulus=nsnn.Constant(40 * mV), name="E"
    )
    steps, each, events = 1000, [], 0.0
    for rules in ([], [nsnn.FixedInDegree(1)], [nsnn.AllToAll()]):
        net = nsnn.Network(
            [cells], [nsnn.Projection(cells, cells, rule=rule, weight=1e-5 * mV) for rule in rules]
        )

        def seconds(n_steps: int, net: Any = net) -> float:
            nonlocal events
            before = cpu_seconds()
            block = nsnn.simulate(net, duration=n_steps * 0.1 * ms, seed=1, engine=engine)
            taken = cpu_seconds() - before
            events = 1000 * sum(len(train) for train in block.segments[0].spiketrains) / n_steps
            return taken

        seconds(10)
        each.append((seconds(steps) - seconds(10)) / steps)
    seconds(steps)
    return [
        " " * 11,
        f"{1e6 * (each[1] - each[0]):8.1f} us",
        f"{1e6 * (each[2] - each[1]) / events:22.4f} us",
    ]


def show_costs(engines: list[str]) -> None:
    """Print what each engine costs, and the constants in use."""
    import nsnn_neuro.brian.engine_choice as constants

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NSNN_CACHE_DIR"] = folder
        print(f"{'model':20s} {'engine':7s} ready after    per step   per member   per event")
        for engine in engines:
            for name, (parts, dt) in models().items():
                print(f"{name:20s} {engine:7s}", *row(engine, parts, dt, 2000), flush=True)
            print(f"{'all to all':20s} {engine:7s}", *synapses(engine), flush=True)
    for engine in engines:
        print(engine, constants.RUN[engine], "compilation:", constants.BUILD.get(engine, "none"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts",
        nargs="*",
        choices=("command", "costs", []),
        metavar="PART",
        help="command or costs; default: both",
    )
    parser.add_argument("--repeats", type=int, default=5, help="fresh homes; default: %(default)s")
    parser.add_argument("--engines", nargs="*", default=["numpy", "cpp", "cython"], help="default: all")
    add_options(parser)
    given = parser.parse_args()
    report = Report(given.json)
    for part in given.parts or (("command",) if given.quick else ("command", "costs")):
        if part == "command":
            show_command(report, 1 if given.quick else given.repeats)
        else:
            show_costs(given.engines)


if __name__ == "__main__":
    main()
