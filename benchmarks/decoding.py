"""Decoding with permutation tests: 176 trials of 41 neurons and 16 stimuli, 100 shuffles.

`python benchmarks/decoding.py [--repeats N] [--quick] [--json FILE]`: medians of N calls after one that compiles, with the goals
that the package sets itself. The linear discriminant is also timed with scikit-learn's object in each fold; both must decode every
trial alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq
from comparison import Agreement, Comparison, Report, add_options
from environment import machine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from timing import seconds_of

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


def run(report: Report, repeats: int, quick: bool) -> None:
    """Report the comparisons."""
    trials, neurons, shuffles = (
        (TRIALS, NEURONS, 100) if not quick else (80, 8, 2)
    )  # 5 trials of each stimulus for 5 folds
    rng = np.random.default_rng(1)
    stimulus = np.arange(trials) % STIMULI
    gain = rng.gamma(4, 1 / 4, (trials, neurons))
    counts = rng.poisson(rng.uniform(1, 8, (STIMULI, neurons))[stimulus] * gain)
    trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(10 + 2 * stimulus)]
    q = np.array([0, 5, 10, 20, 50, 100, 200, 500]) * pq.Hz

    def decoded(decoder: Any, n_shuffle: int = shuffles) -> measures.Decoding:
        return measures.decode(counts, stimulus, decoder=decoder, n_shuffle=n_shuffle)

    def distances(costs: Any) -> Any:
        return measures.metric_space_information(trains, stimulus, q=costs, n_shuffle=shuffles)

    size = f"{trials} trials, {neurons} neurons, {STIMULI} stimuli, {shuffles} shuffles"
    cases: list[tuple[str, Callable[[], Any], float]] = [
        ("LinearDiscriminant", lambda: decoded(measures.LinearDiscriminant()), 1.0),
        ("PoissonMAP", lambda: decoded(measures.PoissonMAP()), 1.0),
        ("NegativeBinomialMAP", lambda: decoded(measures.NegativeBinomialMAP()), 2.0),
        ("metric space, one neuron, one cost", lambda: distances(10 * pq.Hz), 1.0),
        ("metric space, one neuron, 8 costs", lambda: distances(q), 1.0),
        (
            "fit of modulated_poisson, without decoding",
            lambda: measures.modulated_poisson(stimulus, counts),
            0,
        ),
    ]
    for name, case, goal in cases:
        report.add(Comparison(name, size, seconds_of(case, repeats), goal=f"{goal:g} s" if goal else ""))
    ours, theirs = measures.LinearDiscriminant(), Peer()
    here, there = (seconds_of(lambda d=d: decoded(d, 2), repeats) for d in (ours, theirs))
    different = np.sum(decoded(ours, 0).predictions != decoded(theirs, 0).predictions)
    alike = Agreement("trials decoded differently", float(different), 0.0)
    few = size.replace(f"{shuffles} shuffles", "2 shuffles")
    report.add(Comparison("linear discriminant in each fold", few, here, "scikit-learn", there, alike))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    run(Report(given.json), 1 if given.quick else given.repeats, given.quick)


if __name__ == "__main__":
    main()
