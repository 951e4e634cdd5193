"""Information of the neural code: KSG beside scikit-learn, and what the other estimators take.

`python benchmarks/information.py [--repeats N]`: medians of N calls after one that compiles, everything in one run on the same
samples, with the goals that the package sets itself. Distances and the standard table are in `measures_elephant.py`.
`--matrix` adds, once, the transfer entropy of all pairs of 40 units with surrogates, in two threads, with its progress.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq
from sklearn.feature_selection import mutual_info_regression

from nsnn_neuro import measures


def median_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median time of `repeats` calls, after one."""
    run()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def beside_scikit_learn(rng: np.random.Generator, repeats: int) -> None:
    """KSG with its error bar, without shuffles, beside the same estimate of scikit-learn."""
    print(f"{'KSG, k = 3':28s} {'ours':>10s} {'peer':>10s} {'ratio':>6s} {'goal':>5s} {'differ by':>10s}")
    for n, correlation, goal in (
        (1_000, 0.6, 0),
        (10_000, 0.0, 2),
        (10_000, 0.6, 2),
        (10_000, 0.99, 2),
        (100_000, 0.6, 0),
    ):
        x, noise = rng.normal(size=(2, n))
        y = correlation * x + np.sqrt(1 - correlation**2) * noise

        def ours(x: np.ndarray = x, y: np.ndarray = y) -> float:
            return float(measures.ksg(x, y, n_shuffle=0))

        def theirs(x: np.ndarray = x, y: np.ndarray = y) -> float:
            found = mutual_info_regression(x[:, None], y, n_neighbors=3, random_state=0)
            return float(found[0] / np.log(2))

        here, there = median_seconds(ours, repeats), median_seconds(theirs, repeats)
        met = "" if there / here >= goal else "  not met"
        differ = abs(ours() - theirs())
        print(
            f"{n:7d} points, correlation {correlation:<4g} {1e3 * here:6.2f} ms {1e3 * there:7.2f} ms "
            f"{there / here:6.1f} {goal or '':>5} {differ:8.0e} bit{met}"
        )


def alone(rng: np.random.Generator, repeats: int) -> None:
    """Estimators without a peer; the goal, where there is one, in ms."""
    x, y = rng.normal(size=(2, 10_000, 3))
    first, second, third = rng.integers(0, [[8], [6], [6]], (3, 1000))
    source = (rng.random(100_000) < 0.1).astype(int)
    target = ((np.roll(source, 1) == 1) & (rng.random(100_000) < 0.3)).astype(int)
    stimulus = rng.integers(0, 10, 100_000)
    words = (stimulus + rng.integers(0, 20, 100_000)) % 64
    labels = np.repeat([0, 1], 50)
    counts = rng.poisson(3.0 + 2 * labels[:, None], (100, 20))
    trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(20, 100)]
    q = np.array([0, 5, 10, 20, 50, 100, 200, 500]) * pq.Hz
    cases: list[tuple[str, Callable[[], Any], float]] = [
        ("Gaussian copula, 1e4 x (3 + 3), 100 shuffles", lambda: measures.gaussian_copula(x, y), 0),
        ("linear Fisher information, 2 x 50 trials, 20 neurons", lambda: measures.linear_fisher_information(
            counts[:50], counts[50:], 1.0), 0),
        ("metric space, 100 trains of 20, 8 costs", lambda: measures.metric_space_information(trains, labels, q=q), 0),
        ("partial information (BROJA), 8 x 6 x 6, 1000 trials", lambda: measures.partial_information(
            first, second, third, bias="none", n_shuffle=0), 50),
        ("the same, extrapolated, with its error", lambda: measures.partial_information(
            first, second, third, n_shuffle=0), 0),
        ("transfer entropy, 2 x 1e5 bins, 200 surrogates", lambda: measures.transfer_entropy(
            source, target, n_shuffle=200), 2000),
        ("the same, k = l = 3", lambda: measures.transfer_entropy(source, target, k=3, l=3, n_shuffle=200), 2000),
        ("the same, Gaussian, k = l = 1", lambda: measures.transfer_entropy(
            source, target, estimator="gaussian", n_shuffle=200), 2000),
        ("transfer entropy, KSG, 2 x 2000 values, 20 surrogates", lambda: measures.transfer_entropy(
            x[:2000, 0], y[:2000, 0], estimator="ksg", n_shuffle=20), 0),
        ("decode, PoissonMAP, 100 x 20, 100 shuffles", lambda: measures.decode(counts, labels), 0),
        ("decode, LinearDiscriminant, the same", lambda: measures.decode(
            counts, labels, decoder=measures.LinearDiscriminant()), 0),
    ]  # fmt: skip
    mutual_information = getattr(measures, "mutual_information", None)
    if mutual_information is not None:
        cases.append(
            (
                "mutual information, Panzeri-Treves, 1e5 words",
                lambda: mutual_information(stimulus, words, n_shuffle=0),
                20,
            )
        )
    for name, run, goal in cases:
        taken = 1e3 * median_seconds(run, repeats)
        wanted = f"  goal {goal:g} ms{'' if taken <= goal else ', not met'}" if goal else ""
        print(f"{name:54s} {taken:9.2f} ms{wanted}")


def pairs(rng: np.random.Generator, n_units: int, n_bins: int, n_jobs: int = 2) -> float:
    """Seconds of the transfer entropy of all pairs of `n_units` trains, 100 surrogates each."""
    trains = (rng.random((n_units, n_bins)) < 0.1).astype(int)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = measures.transfer_entropy_matrix(
            trains, n_jobs=n_jobs, out=Path(folder) / "pairs.npz", progress=True
        )
    taken = time.perf_counter() - begun
    false = int(found.significant().sum())
    goal = "" if n_units < 40 else f"  goal 120 s{'' if taken <= 120 else ', not met'}"
    print(
        f"transfer entropy of {n_units * (n_units - 1)} pairs of {n_units} independent trains, {n_bins} bins, 100 surrogates, "
        f"{n_jobs} threads: {taken:.1f} s, {false} false links{goal}"
    )
    return taken


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--matrix", action="store_true")
    options = parser.parse_args()
    repeats = options.repeats
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-learn"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}")
    print(f"median of {repeats}")
    beside_scikit_learn(np.random.default_rng(1), repeats)
    alone(np.random.default_rng(2), repeats)
    if options.matrix:
        pairs(np.random.default_rng(3), 40, 20_000)


if __name__ == "__main__":
    main()
