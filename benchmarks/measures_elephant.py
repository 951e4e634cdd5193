"""Measures of spike trains beside Elephant and PySpike: the same numbers, how much faster.

`python benchmarks/measures_elephant.py [--trains N] [--neurons M]`: seconds of one call, the best of several after a first one.
The distances take N neo.SpikeTrain objects of about 20 spikes. The Fano factor takes a Block of N trials of M neurons, as a
simulation leaves it, and the same as a `Trains`, which reads the Block once for many measures. Correlograms and surrogates
follow. The last line is the table of six
measures with jackknife errors of 100 trials of 1,000 neurons.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from elephant import spike_train_surrogates
from elephant.conversion import BinnedSpikeTrain
from elephant.spike_train_correlation import cross_correlation_histogram
from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance
from elephant.statistics import fanofactor

from nsnn_neuro import measures
from nsnn_neuro.io.save_load import to_block


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """The shortest of `repeats` calls after a first one."""
    call()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def block(rng: np.random.Generator, trials: int, neurons: int, spikes: float) -> neo.Block:
    out = neo.Block()
    for _ in range(trials):
        trains = [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(spikes, neurons)]
        out.segments.append(to_block([trains], t_stop=1 * pq.s).segments[0])
    return out


def show(name: str, ours: float, theirs: float, peer: str, difference: float) -> None:
    print(
        f"{name:32} {ours * 1e3:10.3f} ms   {peer} {theirs * 1e3:10.1f} ms   x {theirs / ours:7.0f}   differ by {difference:.0e}"
    )


def distances(rng: np.random.Generator, n: int) -> None:
    trains = [
        neo.SpikeTrain(np.sort(rng.uniform(0, 1, k)), units="s", t_stop=1.0) for k in rng.poisson(20, n)
    ]
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any], str]] = [
        (
            "Victor-Purpura",
            lambda: measures.victor_purpura(trains, cost=50 * pq.Hz),
            lambda: victor_purpura_distance(trains, 50 * pq.Hz),
            "Elephant",
        ),
        (
            "van Rossum",
            lambda: measures.van_rossum(trains, tau=20 * pq.ms),
            lambda: van_rossum_distance(trains, 20 * pq.ms),
            "Elephant",
        ),
    ]
    try:
        import pyspike
    except ImportError:
        print("PySpike isn't installed")
    else:
        objects = [pyspike.SpikeTrain(t.magnitude, [0.0, 1.0]) for t in trains]
        pairs += [
            (
                "ISI-distance",
                lambda: measures.isi_distance(trains),
                lambda: pyspike.isi_distance_matrix(objects),
                "PySpike ",
            ),
            (
                "SPIKE-distance",
                lambda: measures.spike_distance(trains),
                lambda: pyspike.spike_distance_matrix(objects),
                "PySpike ",
            ),
        ]
    for name, ours, theirs, peer in pairs:
        off = ~np.eye(n, dtype=bool)  # Elephant leaves sqrt(rounding) on the diagonal
        difference = float(np.abs(ours() - theirs())[off].max())
        begun = time.perf_counter()
        theirs()
        show(f"{name}, {n} trains", seconds(ours, 10), time.perf_counter() - begun, peer, difference)


def fano(rng: np.random.Generator, trials: int, neurons: int) -> None:
    data = block(rng, trials, neurons, 20.0)
    trains = measures.as_trains(data)
    split = np.split(trains.times, trains.offsets[1:-1])
    objects = [
        [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in split[j::neurons]]
        for j in range(min(neurons, 100))
    ]
    theirs = seconds(lambda: [fanofactor(own) for own in objects], 3) * neurons / len(objects)
    expected = np.array([fanofactor(own) for own in objects])
    for what, source in (("Block", data), ("Trains", trains)):
        found = measures.fano_factor(source, ddof=0)[: len(objects)]
        ours = seconds(lambda source=source: measures.fano_factor(source), 5)
        show(
            f"Fano, {what}, {neurons} neurons",
            ours,
            theirs,
            "Elephant",
            float(np.abs(found - expected).max()),
        )


def correlograms(rng: np.random.Generator) -> None:
    """All pairs of 50 neurons with 10,000 spikes in 1,000 s, 201 lags of 1 ms; Elephant's time is that of one pair."""
    trains = [np.sort(rng.uniform(0, 1000, 10_000)) for _ in range(50)]
    data = measures.as_trains(to_block([trains], t_stop=1000 * pq.s))
    options = {"bin_width": 1 * pq.ms, "max_lag": 100 * pq.ms}

    def pair() -> np.ndarray:
        objects = (neo.SpikeTrain(t, units="s", t_stop=1000.0) for t in trains[:2])
        binned = [BinnedSpikeTrain(t, bin_size=1 * pq.ms) for t in objects]
        return cross_correlation_histogram(*binned, window=[-100, 100])[0].magnitude[:, 0]

    difference = float(np.abs(measures.cross_correlograms(data, **options).counts[0, 1] - pair()).max())
    ours = seconds(lambda: measures.cross_correlograms(data, **options), 3)
    show("correlograms of 1,275 pairs", ours, 1275 * seconds(pair, 3), "Elephant", difference)


def surrogates(rng: np.random.Generator) -> None:
    """One surrogate of 1,000 trains of 20 spikes."""
    trains = [np.sort(rng.uniform(0, 1, 20)) for _ in range(1000)]
    data = measures.as_trains(to_block([trains], t_stop=1 * pq.s))
    objects = [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains]
    small = {"dither": 20 * pq.ms}
    rows: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
        ("jitter", {"window": 50 * pq.ms}, lambda t: spike_train_surrogates.jitter_spikes(t, 50 * pq.ms)),
        ("dither", small, lambda t: spike_train_surrogates.dither_spikes(t, 20 * pq.ms)),
        ("shuffle", {}, spike_train_surrogates.shuffle_isis),
    ]
    for method, options, theirs in rows:
        ours = seconds(lambda m=method, o=options: next(measures.surrogates(data, method=m, n=1, **o)), 5)
        begun = time.perf_counter()
        for train in objects:
            theirs(train)
        show(f"surrogate, {method}", ours, time.perf_counter() - begun, "Elephant", float("nan"))


def table(rng: np.random.Generator) -> None:
    data = block(rng, 100, 1000, 10.0)
    functions = [getattr(measures, name) for name in ("firing_rate", "cv", "cv2", "lv", "lvr", "fano_factor")]
    taken = seconds(lambda: measures.tabulate({"data": data}, functions), 2)
    print(f"table of six measures, 1e5 trains of 10 spikes: {taken:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trains", type=int, default=100)
    parser.add_argument("--neurons", type=int, default=1000)
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distances(rng, chosen.trains)
        for neurons in (1, chosen.neurons):
            fano(rng, chosen.trains, neurons)
        correlograms(rng)
        surrogates(rng)
        table(rng)


if __name__ == "__main__":
    main()
