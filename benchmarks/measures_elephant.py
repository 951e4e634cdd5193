"""Measures of spike trains beside Elephant and PySpike: the same numbers, how much faster.

`python benchmarks/measures_elephant.py [--trains N] [--neurons M] [--quick] [--json FILE]`: seconds of a call, median of several
after a first one. The distances take N neo.SpikeTrain objects of about 20 spikes. The Fano factor takes a Block of N trials of M
neurons, as a simulation leaves it, and the same as a `Trains`, which reads the Block once for many measures. Correlograms and
surrogates follow; as surrogates are random, the mean CV of their intervals is compared. The last line is the table of six measures
with jackknife errors of 100 trials of 1,000 neurons.
"""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from comparison import NOT_INSTALLED, Agreement, Comparison, Report, add_options
from elephant import spike_train_surrogates
from elephant.conversion import BinnedSpikeTrain
from elephant.spike_train_correlation import cross_correlation_histogram
from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance
from elephant.statistics import fanofactor
from environment import installed, machine
from timing import seconds_of

from nsnn_neuro import measures
from nsnn_neuro.io.save_load import to_block


def block(rng: np.random.Generator, trials: int, neurons: int, spikes: float) -> neo.Block:
    out = neo.Block()
    for _ in range(trials):
        trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(spikes, neurons)]
        out.segments.append(to_block([trains], t_stop=1 * pq.s).segments[0])
    return out


def compared(
    report: Report,
    name: str,
    size: str,
    ours: tuple[float, ...],
    theirs: tuple[float, ...],
    difference: float,
    peer: str = "Elephant",
) -> None:
    """Report a comparison of deterministic values by their largest difference, which must be at most 1e-6."""
    alike = Agreement("largest difference", difference, 0.0, slack=1e-6)
    report.add(Comparison(name, size, ours, peer, theirs, alike))


def distances(rng: np.random.Generator, report: Report, n: int, repeats: int) -> None:
    trains = [
        neo.SpikeTrain(np.sort(rng.uniform(0, 1, k)), units="s", t_stop=1.0) for k in rng.poisson(20, n)
    ]
    cost, tau = 50 * pq.Hz, 20 * pq.ms
    pairs: list[tuple[str, str, Callable[[], Any], Callable[[], Any] | None]] = [
        (
            "Victor-Purpura",
            "Elephant",
            lambda: measures.victor_purpura(trains, cost=cost),
            lambda: victor_purpura_distance(trains, cost),
        ),
        (
            "van Rossum",
            "Elephant",
            lambda: measures.van_rossum(trains, tau=tau),
            lambda: van_rossum_distance(trains, tau),
        ),
    ]
    pyspike: Any = importlib.import_module("pyspike") if installed("pyspike") else None
    objects = [pyspike.SpikeTrain(t.magnitude, [0.0, 1.0]) for t in trains] if pyspike else []
    pairs += [
        (
            "ISI distance",
            "PySpike",
            lambda: measures.isi_distance(trains),
            (lambda: pyspike.isi_distance_matrix(objects)) if pyspike else None,
        ),
        (
            "SPIKE distance",
            "PySpike",
            lambda: measures.spike_distance(trains),
            (lambda: pyspike.spike_distance_matrix(objects)) if pyspike else None,
        ),
    ]
    for name, peer, ours, theirs in pairs:
        size = f"{n} trains"
        if theirs is None:
            report.add(Comparison(name, size, (), peer, missing=NOT_INSTALLED))
            continue
        off = ~np.eye(n, dtype=bool)  # Elephant leaves sqrt(rounding) on the diagonal
        difference = float(np.abs(ours() - theirs())[off].max())
        slow = seconds_of(theirs, min(3, repeats), warm=False)
        compared(report, name, size, seconds_of(ours, repeats), slow, difference, peer)


def fano(rng: np.random.Generator, report: Report, trials: int, neurons: int, repeats: int) -> None:
    data = block(rng, trials, neurons, 20.0)
    trains = measures.as_trains(data)
    split = np.split(trains.times, trains.offsets[1:-1])
    objects = [
        [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in split[j::neurons]]
        for j in range(min(neurons, 100))
    ]
    some = seconds_of(lambda: [fanofactor(own) for own in objects], repeats)
    theirs = tuple(t * neurons / len(objects) for t in some)
    expected = np.array([fanofactor(own) for own in objects])
    many = "one neuron" if neurons == 1 else "many neurons"
    for what, source in (("Block", data), ("Trains", trains)):
        values = measures.fano_factor(source, ddof=0)[: len(objects)]
        ours = seconds_of(lambda source=source: measures.fano_factor(source), repeats)
        difference = float(np.abs(values - expected).max())
        compared(
            report,
            f"Fano factor of {many} from a {what}",
            f"{neurons} neurons, {trials} trials",
            ours,
            theirs,
            difference,
        )


def correlograms(rng: np.random.Generator, report: Report, n: int, spikes: int, repeats: int) -> None:
    """All pairs of `n` neurons with `spikes` spikes in 1,000 s, 201 lags of 1 ms; Elephant's time is that of one pair."""
    trains = [np.sort(rng.uniform(0, 1000, spikes)) for _ in range(n)]
    data = measures.as_trains(to_block([trains], t_stop=1000 * pq.s))
    options = {"bin_width": 1 * pq.ms, "max_lag": 100 * pq.ms}

    def pair() -> np.ndarray:
        objects = (neo.SpikeTrain(t, units="s", t_stop=1000.0) for t in trains[:2])
        binned = [BinnedSpikeTrain(t, bin_size=1 * pq.ms) for t in objects]
        return cross_correlation_histogram(*binned, window=[-100, 100])[0].magnitude[:, 0]

    difference = float(np.abs(measures.cross_correlograms(data, **options).counts[0, 1] - pair()).max())
    ours = seconds_of(lambda: measures.cross_correlograms(data, **options), repeats)
    n_pairs = n * (n + 1) // 2
    theirs = tuple(n_pairs * t for t in seconds_of(pair, repeats))
    compared(
        report,
        "correlograms of all pairs",
        f"{n_pairs} pairs, {spikes} spikes each",
        ours,
        theirs,
        difference,
    )


def mean_cv(trains: list[np.ndarray]) -> tuple[float, float]:
    """CV of the intervals, mean over trains with at least three, and its standard error."""
    gaps = [np.diff(t) for t in trains if t.size > 3]
    each = np.array([gap.std() / gap.mean() for gap in gaps])
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(each.size))


def surrogates(rng: np.random.Generator, report: Report, n: int, repeats: int) -> None:
    """One surrogate of `n` trains of 20 spikes."""
    trains = [np.sort(rng.uniform(0, 1, 20)) for _ in range(n)]
    data = measures.as_trains(to_block([trains], t_stop=1 * pq.s))
    objects = [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains]
    window, dither = 50 * pq.ms, 20 * pq.ms
    rows: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
        ("jitter", {"window": window}, lambda t: spike_train_surrogates.jitter_spikes(t, window)),
        ("dither", {"dither": dither}, lambda t: spike_train_surrogates.dither_spikes(t, dither)),
        ("shuffle", {}, spike_train_surrogates.shuffle_isis),
    ]
    for method, options, theirs in rows:

        def one(method: str = method, options: dict[str, Any] = options) -> Any:
            return next(measures.surrogates(data, method=method, n=1, **options))

        def other(theirs: Callable[[Any], Any] = theirs) -> list[Any]:
            return [theirs(train) for train in objects]

        made = measures.as_trains(one())
        here, error = mean_cv(np.split(made.times, made.offsets[1:-1]))
        there, its = mean_cv([np.sort(np.ravel(train[0].magnitude)) for train in other()])
        alike = Agreement("CV of intervals", here, there, float(np.hypot(error, its)))
        times = seconds_of(one, repeats), seconds_of(other, min(3, repeats), warm=False)
        report.add(Comparison(f"surrogate, {method}", f"{n} trains", times[0], "Elephant", times[1], alike))


def six_measures(rng: np.random.Generator, report: Report, trials: int, neurons: int, repeats: int) -> None:
    data = block(rng, trials, neurons, 10.0)
    functions = [getattr(measures, name) for name in ("firing_rate", "cv", "cv2", "lv", "lvr", "fano_factor")]
    ours = seconds_of(lambda: measures.tabulate({"data": data}, functions), repeats)
    report.add(Comparison("table of six measures", f"{trials} trials, {neurons} neurons of 10 spikes", ours))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trains", type=int, default=100)
    parser.add_argument("--neurons", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    add_options(parser)
    chosen = parser.parse_args()
    report, rng = Report(chosen.json), np.random.default_rng(0)
    trains, neurons, trials, repeats = chosen.trains, chosen.neurons, chosen.trains, chosen.repeats
    many, units, spikes = 1000, 50, 10_000
    if chosen.quick:
        trains, neurons, trials, repeats, many, units, spikes = 8, 3, 8, 1, 40, 3, 500
    print(machine())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distances(rng, report, trains, repeats)
        for number in (1, neurons):
            fano(rng, report, trials, number, repeats)
        correlograms(rng, report, units, spikes, repeats)
        surrogates(rng, report, many, repeats)
        six_measures(rng, report, trials, neurons, min(2, repeats))


if __name__ == "__main__":
    main()
