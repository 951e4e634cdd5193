"""Information of the neural code: KSG beside scikit-learn, and what the other estimators take.

`python benchmarks/information.py [--repeats N]`: medians of N calls after one that compiles, everything in one run on the same
samples, with the goals that the package sets itself. Distances and the standard table are in `measures_elephant.py`.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-learn"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}")
    print(f"median of {repeats}")
    beside_scikit_learn(np.random.default_rng(1), repeats)
    alone(np.random.default_rng(2), repeats)


if __name__ == "__main__":
    main()
