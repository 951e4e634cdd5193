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
from comparison import Agreement, Comparison, Report, add_options, goal
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


def population(quick: bool) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Counts of all trials and neurons, the stimuli, and the random numbers that are left."""
    # 5 trials of each stimulus, for 5 folds, are the fewest
    trials, neurons = (TRIALS, NEURONS) if not quick else (80, 8)
    rng = np.random.default_rng(1)
    stimulus = np.arange(trials) % STIMULI
    gain = rng.gamma(4, 1 / 4, (trials, neurons))
    return rng.poisson(rng.uniform(1, 8, (STIMULI, neurons))[stimulus] * gain), stimulus, rng


def sizes(counts: np.ndarray, n_shuffle: int) -> str:
    """The size of a comparison."""
    return f"{len(counts)} trials, {counts.shape[1]} neurons, {STIMULI} stimuli, {n_shuffle} shuffles"


def decoded(counts: np.ndarray, stimulus: np.ndarray, decoder: Any, n_shuffle: int) -> measures.Decoding:
    """The cross-validated answers."""
    return measures.decode(stimulus, counts, decoder=decoder, n_shuffle=n_shuffle)


def alone(report: Report, repeats: int, quick: bool) -> None:
    """Decoders without a peer."""
    counts, stimulus, rng = population(quick)
    shuffles = 2 if quick else 100
    trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(10 + 2 * stimulus)]
    q = np.array([0, 5, 10, 20, 50, 100, 200, 500]) * pq.Hz

    def distances(costs: Any) -> Any:
        return measures.metric_space_information(stimulus, trains, q=costs, n_shuffle=shuffles)

    cases: list[tuple[str, Callable[[], Any], float]] = [
        (kind.__name__, lambda kind=kind: decoded(counts, stimulus, kind(), shuffles), most)
        for kind, most in (
            (measures.LinearDiscriminant, 1.0), (measures.PoissonMAP, 1.0), (measures.NegativeBinomialMAP, 2.0)
        )
    ]  # fmt: skip
    cases += [
        ("metric space, one neuron, one cost", lambda: distances(10 * pq.Hz), 1.0),
        ("metric space, one neuron, 8 costs", lambda: distances(q), 1.0),
        (
            "fit of modulated_poisson, without decoding",
            lambda: measures.modulated_poisson(stimulus, counts),
            0,
        ),
    ]
    for name, case, most in cases:
        seconds = seconds_of(case, repeats)
        report.add(Comparison(name, sizes(counts, shuffles), seconds, goal=goal(most, seconds)))


def beside_scikit_learn(report: Report, repeats: int, quick: bool) -> None:
    """The linear discriminant with scikit-learn's object in each fold."""
    counts, stimulus, _ = population(quick)
    sides = measures.LinearDiscriminant(), Peer()
    here, there = (seconds_of(lambda d=d: decoded(counts, stimulus, d, 2), repeats) for d in sides)
    ours, theirs = (decoded(counts, stimulus, d, 0).predictions for d in sides)
    alike = Agreement("trials decoded differently", float(np.sum(ours != theirs)), 0.0)
    name = "linear discriminant in each fold"
    report.add(Comparison(name, sizes(counts, 2), here, "scikit-learn", there, alike))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    for part in (alone, beside_scikit_learn):
        part(Report(given.json), 1 if given.quick else given.repeats, given.quick)


if __name__ == "__main__":
    main()
