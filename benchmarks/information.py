"""Information of the neural code: KSG beside scikit-learn, and what the other estimators take.

`python benchmarks/information.py [--repeats N] [--matrix] [--quick] [--json FILE]`: medians of N calls after one that compiles,
everything in one run on the same samples, with the goals that the package sets itself. Both KSG estimates must agree to 1e-5 bit.
Distances and the standard table are in `measures_elephant.py`. `--matrix` adds, once, the transfer entropy of all pairs of 40 units
with surrogates, in two threads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq
from comparison import Agreement, Comparison, Report, add_options, goal
from environment import machine
from sklearn.feature_selection import mutual_info_regression
from timing import seconds_of

from nsnn_neuro import measures


def beside_scikit_learn(rng: np.random.Generator, report: Report, repeats: int, quick: bool) -> None:
    """KSG with its error bar, without shuffles, beside the same estimate of scikit-learn."""
    cases = [(1_000, 0.6, ""), *((10_000, c, "1/2") for c in (0.0, 0.6, 0.99)), (100_000, 0.6, "")]
    for n, correlation, aim in cases[:1] if quick else cases:
        x, noise = rng.normal(size=(2, n))
        y = correlation * x + np.sqrt(1 - correlation**2) * noise

        def ours(x: np.ndarray = x, y: np.ndarray = y) -> float:
            return float(measures.ksg(x, y, n_shuffle=0))

        def theirs(x: np.ndarray = x, y: np.ndarray = y) -> float:
            nats = mutual_info_regression(x[:, None], y, n_neighbors=3, random_state=0)
            return float(nats[0] / np.log(2))

        here, there = seconds_of(ours, repeats), seconds_of(theirs, repeats)
        alike = Agreement("information (bit)", ours(), theirs(), slack=1e-5)
        name = f"KSG, k = 3, {n} points, correlation {correlation:g}"
        report.add(Comparison(name, f"{n} points", here, "scikit-learn", there, alike, goal=aim))


def alone(rng: np.random.Generator, report: Report, repeats: int, quick: bool) -> None:
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
        ("metric space, 100 trains of 20, 8 costs", lambda: measures.metric_space_information(labels, trains, q=q), 0),
        ("partial information (BROJA), 8 x 6 x 6, 1000 trials", lambda: measures.partial_information(
            first, second, third, bias="none", n_shuffle=0), 50),
        ("partial information (BROJA), extrapolated, with its error", lambda: measures.partial_information(
            first, second, third, n_shuffle=0), 0),
        ("transfer entropy, 2 x 1e5 bins, 200 surrogates", lambda: measures.transfer_entropy(
            source, target, n_shuffle=200), 2000),
        ("transfer entropy, 2 x 1e5 bins, k = l = 3, 200 surrogates", lambda: measures.transfer_entropy(
            source, target, k=3, l=3, n_shuffle=200), 2000),
        ("transfer entropy, Gaussian, 2 x 1e5 bins, 200 surrogates", lambda: measures.transfer_entropy(
            source, target, estimator="gaussian", n_shuffle=200), 2000),
        ("transfer entropy, KSG, 2 x 2000 values, 20 surrogates", lambda: measures.transfer_entropy(
            x[:2000, 0], y[:2000, 0], estimator="ksg", n_shuffle=20), 0),
        ("decode, PoissonMAP, 100 x 20, 100 shuffles", lambda: measures.decode(labels, counts), 0),
        ("decode, LinearDiscriminant, 100 x 20, 100 shuffles", lambda: measures.decode(
            labels, counts, decoder=measures.LinearDiscriminant()), 0),
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
    for name, run, most in cases[:2] if quick else cases:
        seconds = seconds_of(run, repeats)
        report.add(Comparison(name, "", seconds, goal=goal(most / 1e3, seconds)))


def pairs(rng: np.random.Generator, report: Report, n_units: int, n_bins: int, n_jobs: int = 2) -> None:
    """The transfer entropy of all pairs of `n_units` independent trains, 100 surrogates each: 5 % of p must be below 0.05."""
    trains = (rng.random((n_units, n_bins)) < 0.1).astype(int)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = measures.transfer_entropy_matrix(trains, n_jobs=n_jobs, out=Path(folder) / "pairs.npz")
    taken = time.perf_counter() - begun
    n_pairs = n_units * (n_units - 1)
    share = float(np.mean(result.p[~np.eye(n_units, dtype=bool)] <= 0.05))
    alike = Agreement(
        "share of p <= 0.05, expected", share, 0.05, error=float(np.sqrt(0.05 * 0.95 / n_pairs))
    )
    size = f"{n_pairs} pairs of {n_units} trains, {n_bins} bins, 100 surrogates, {n_jobs} threads"
    most = goal(0 if n_units < 40 else 120, (taken,))
    report.add(Comparison("transfer entropy of all pairs", size, (taken,), agreement=alike, goal=most))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--matrix", action="store_true")
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    report, repeats = Report(given.json), 1 if given.quick else given.repeats
    beside_scikit_learn(np.random.default_rng(1), report, repeats, given.quick)
    alone(np.random.default_rng(2), report, repeats, given.quick)
    if given.matrix:
        pairs(np.random.default_rng(3), report, 40, 20_000)


if __name__ == "__main__":
    main()
