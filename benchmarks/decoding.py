"""Decoding with permutation tests: 176 trials of 41 neurons and 16 stimuli, 100 shuffles.

`python benchmarks/decoding.py [--repeats N]`: medians of N calls after one that compiles, with the goals that the package sets
itself. The linear discriminant is also timed with scikit-learn's object in each fold, as a check that both decode alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import quantities as pq
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from nsnn_neuro import measures

TRIALS, NEURONS, STIMULI = 176, 41, 16


@dataclass(frozen=True)
class Peer:
    """Scikit-learn's linear discriminant with the options of `LinearDiscriminant`."""

    def fit(self, responses: np.ndarray, labels: np.ndarray) -> Any:
        varies = np.ptp(responses, axis=0) > 0
        even = np.full(STIMULI, 1 / STIMULI)
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=even)
        model.fit(responses[:, varies], labels)

        class Fitted:
            def predict(self, asked: np.ndarray) -> np.ndarray:
                return model.predict(asked[:, varies])

        return Fitted()


def median_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median time of `repeats` calls, after one."""
    run()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(1)
    stimulus = np.arange(TRIALS) % STIMULI
    gain = rng.gamma(4, 1 / 4, (TRIALS, NEURONS))
    counts = rng.poisson(rng.uniform(1, 8, (STIMULI, NEURONS))[stimulus] * gain)
    trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(10 + 2 * stimulus)]
    q = np.array([0, 5, 10, 20, 50, 100, 200, 500]) * pq.Hz

    def decoded(decoder: Any, n_shuffle: int = 100) -> measures.Decoding:
        return measures.decode(counts, stimulus, decoder=decoder, n_shuffle=n_shuffle)

    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "scikit-learn"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}")
    print(f"{TRIALS} trials, {NEURONS} neurons, {STIMULI} stimuli, 100 shuffles; median of {repeats}")
    cases: list[tuple[str, Callable[[], Any], float]] = [
        ("LinearDiscriminant", lambda: decoded(measures.LinearDiscriminant()), 1.0),
        ("PoissonMAP", lambda: decoded(measures.PoissonMAP()), 1.0),
        ("NegativeBinomialMAP", lambda: decoded(measures.NegativeBinomialMAP()), 2.0),
        ("metric space, one neuron, one cost", lambda: measures.metric_space_information(
            trains, stimulus, q=10 * pq.Hz), 1.0),
        ("metric space, one neuron, 8 costs", lambda: measures.metric_space_information(trains, stimulus, q=q), 1.0),
        ("fit of modulated_poisson, without decoding", lambda: measures.modulated_poisson(stimulus, counts), 0),
    ]  # fmt: skip
    for name, run, goal in cases:
        taken = median_seconds(run, repeats)
        note = f"  goal {goal:g} s{'' if taken <= goal else ', not met'}" if goal else ""
        print(f"{name:44s} {taken:8.3f} s{note}")
    ours, theirs = measures.LinearDiscriminant(), Peer()
    here, there = (median_seconds(lambda d=d: decoded(d, 2), 1) for d in (ours, theirs))
    alike = np.array_equal(decoded(ours, 0).predictions, decoded(theirs, 0).predictions)
    print(
        f"linear discriminant, 2 shuffles: {here:.3f} s, scikit-learn's {there:.3f} s; the same answers: {alike}"
    )


if __name__ == "__main__":
    main()
