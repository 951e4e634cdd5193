"""The cortical microcircuit: rates, irregularity and synchrony beside those of the full model, seconds and memory.

`python benchmarks/microcircuit.py [--scale S] [--in-degree-scale K] [--seconds T] [--seeds N] [--engine NAME] [--grid] [--quick]`.
The first 200 ms are left out. Errors are standard errors over seeds, each with wiring and noise of its own. LvR and synchrony are
those of the first seed; synchrony is the variance of the number of spikes of a population in 3 ms, relative to its mean. `--grid`
tests the threshold at grid points only, as NEST does. What the rows show: docs/microcircuit.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import neo
import numpy as np
from brian2 import ms, second
from timing import machine

import nsnn_neuro as nsnn
from nsnn_neuro import measures

SKIP = 0.2  # s
# Hz: the full model in NEST, one run (full_mean_rates of its example)
FULL = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829]


def rates(block: neo.Block) -> np.ndarray:
    """The mean rate of each population, Hz."""
    table = nsnn.tabulate(
        block, {"rate": lambda b: measures.firing_rate(b, t_start=SKIP * second)}, by="population"
    )
    return np.asarray(table["value"], dtype=float)


def synchrony(block: neo.Block, sizes: list[int]) -> list[float]:
    """Variance over mean of the number of spikes of each population in 3 ms."""
    segment, out, first = block.segments[0], [], 0
    bins = np.arange(SKIP, float(segment.t_stop.rescale("s")), 3e-3)
    for n in sizes:
        times = np.concatenate([np.asarray(t) for t in segment.spiketrains[first : first + n]])
        counts = np.histogram(times, bins)[0]
        out.append(float(counts.var() / counts.mean()))
        first += n
    return out


def peak() -> float:
    """GB that this process has taken at most."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1]) / 1e9
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--in-degree-scale", type=float)
    parser.add_argument("--seconds", type=float, default=1.0, help="after the first 0.2 s")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--engine", default="cython")
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--quick", action="store_true", help="0.1 s of a twentieth of the neurons")
    given = parser.parse_args()
    if given.quick:
        given.scale, given.seconds, given.seeds, given.engine = 0.05, 0.1, 1, "numpy"
    print(machine())
    print(
        nsnn.microcircuit(scale=given.scale, in_degree_scale=given.in_degree_scale).size(engine=given.engine)
    )
    found, seconds, first = [], [], None
    for seed in range(1, given.seeds + 1):
        net = nsnn.microcircuit(scale=given.scale, in_degree_scale=given.in_degree_scale, seed=seed)
        start = time.perf_counter()
        block = nsnn.simulate(
            net,
            duration=round(1e3 * (SKIP + given.seconds)) * ms,
            seed=100 + seed,
            engine=given.engine,
            bridge=not given.grid,
            progress=False,
        )
        seconds.append(time.perf_counter() - start)
        found.append(rates(block))
        first = block if first is None else first
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / np.sqrt(given.seeds) if given.seeds > 1 else np.full(8, np.nan)
    sizes = [p.n for p in net.populations]
    lvr = nsnn.tabulate(first, {"lvr": lambda b: measures.lvr(b, t_start=SKIP * second)}, by="population")[
        "value"
    ]
    print(
        "| population | neurons | rate (Hz) | full model (Hz) | ratio | LvR | synchrony |\n|---|---|---|---|---|---|---|"
    )
    rows = zip(net.populations, mean, error, FULL, lvr, synchrony(first, sizes), strict=True)
    for p, rate, se, full, local, together in rows:
        print(
            f"| {p.name} | {p.n} | {rate:.2f} ± {se:.2f} | {full:.2f} | {rate / full:.2f} | {local:.2f} | {together:.1f} |"
        )
    print(
        f"seconds of a call: {', '.join(f'{s:.1f}' for s in seconds)}; peak of the process: {peak():.2f} GB"
    )


if __name__ == "__main__":
    main()
