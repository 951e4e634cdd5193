"""Measures beside Elephant's functions: values and times. Writes the table of docs/elephant.md.

`python docs/elephant_ratios.py` computes the table and writes it into the page: the largest difference of values, relative to the
largest value, and how many times as fast the measure is from a Block, with one neuron and with 100 (in brackets: another number).
tests/test_elephant_ratios.py compares the values again. The trains are Poisson, 20 Hz, in one trial of 2 s, or ten where trials
are compared. Signals are white noise, 4,000 samples.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq
from elephant import phase_analysis, signal_processing, spectral, sta, statistics
from elephant import spike_train_surrogates as surrogates
from elephant.conversion import BinnedSpikeTrain
from elephant.spike_train_correlation import cross_correlation_histogram, spike_time_tiling_coefficient
from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance

from nsnn_neuro import measures, to_block

PAGE = Path(__file__).with_name("elephant.md")
HEAD = (
    "| measure | Elephant's function | difference | one neuron | 100 neurons | why it is kept |\n"
    "|---|---|---|---|---|---|\n"
)
FEW = 10  # neurons of calls that take Elephant long with 100
REPEATS = 5


class Data(NamedTuple):
    """A Block, its trains by trial and neuron, and a field of 4 s that begins a second before the trials."""

    block: neo.Block
    trains: list[list[neo.SpikeTrain]]
    field: neo.AnalogSignal

    @property
    def repeats(self) -> list[neo.SpikeTrain]:
        """The trains of the first trial."""
        return self.trains[0]


def data(neurons: int, trials: int) -> Data:
    """Poisson trains and white noise."""
    rng = np.random.default_rng(neurons)
    block = to_block(
        [[np.sort(rng.uniform(0, 2, n)) for n in rng.poisson(40, neurons)] for _ in range(trials)],
        t_stop=2 * pq.s,
    )
    field = neo.AnalogSignal(rng.normal(size=4000), units="mV", sampling_rate=1 * pq.kHz, t_start=-1 * pq.s)
    return Data(block, [list(segment.spiketrains) for segment in block.segments], field - field.mean())


class Case(NamedTuple):
    """Two functions of `Data` that give equal values."""

    name: str
    """of Elephant's function"""
    ours: Callable[[Data], Any]
    theirs: Callable[[Data], Any]
    reason: str
    trials: int = 1
    sizes: tuple[int, ...] = (1, 100)
    """numbers of neurons that are timed"""
    apart: float | None = 1e-9
    """at most the difference of values, relative to the largest; None for random ones"""


def per_neuron(function: Callable[[Any], Any]) -> Callable[[Data], Any]:
    """Values of the trains of the first trial."""
    return lambda d: [function(train) for train in d.repeats]


def of_intervals(function: Callable[..., Any]) -> Callable[[Data], Any]:
    """Values of the intervals of each train."""
    return per_neuron(lambda train: function(statistics.isi(train)))


def histograms(d: Data) -> list[np.ndarray]:
    """Rates (Hz) of each neuron in bins."""
    return [
        statistics.time_histogram(list(trains), bin_size=20 * pq.ms, output="rate")
        .rescale("Hz")
        .magnitude[:, 0]
        for trains in zip(*d.trains, strict=True)
    ]


def correlograms(d: Data) -> list[np.ndarray]:
    """Counts of each pair of neurons."""
    binned = [BinnedSpikeTrain(train, bin_size=1 * pq.ms) for train in d.repeats]
    return [
        cross_correlation_histogram(a, b, window=[-100, 100])[0].magnitude[:, 0]
        for k, a in enumerate(binned)
        for b in binned[k + 1 :]
    ]


def our_correlograms(d: Data) -> np.ndarray:
    """The same of `cross_correlograms`."""
    c = measures.cross_correlograms(d.block, bin_width=1 * pq.ms, max_lag=100 * pq.ms)
    return c.counts[np.triu_indices(len(d.repeats), 1)]


def averages(d: Data) -> np.ndarray:
    """Averages of the field, (n_neurons, n_lags)."""
    window = [-50 * pq.ms, 50 * pq.ms]
    return np.array([sta.spike_triggered_average(d.field, t, window).magnitude[:, 0] for t in d.repeats])


def field_coherences(d: Data) -> np.ndarray:
    """Coherences above the two frequencies at which both differ, (n_neurons, n_f)."""
    inside = d.field.time_slice(0 * pq.s, 2 * pq.s)
    options = {"nperseg": 500, "noverlap": 250}
    return np.array([sta.spike_field_coherence(inside, t, **options)[0].magnitude[2:, 0] for t in d.repeats])


def our_field_coherences(d: Data) -> np.ndarray:
    """The same of `spike_field_coherence`."""
    inside = d.field.time_slice(0 * pq.s, 2 * pq.s)
    return measures.spike_field_coherence(inside, d.block, nperseg=500, noverlap=250).coherence[:, 2:]


def strengths(d: Data) -> list[float]:
    """Vector strengths by phases of the filtered field."""
    filtered = signal_processing.butter(
        d.field, 15 * pq.Hz, 30 * pq.Hz, order=3, filter_function="sosfiltfilt"
    )
    turned = signal_processing.hilbert(filtered, padding="none")
    phases, _, _ = phase_analysis.spike_triggered_phase(turned, d.repeats, interpolate=True)
    return [phase_analysis.mean_phase_vector(one)[1] for one in phases]


def pair(d: Data) -> tuple[Any, Any]:
    """The field and the field a sample later."""
    return d.field[1:].time_shift(-1 * pq.ms), d.field[:-1]


def surrogate(method: str, **options: Any) -> Callable[[Data], Any]:
    """One surrogate of a Block."""
    return lambda d: next(measures.surrogates(d.block, method=method, n=1, **options))


MS = pq.ms
POOLED = "pools trials without intervals across them; errors by `tabulate`"
SEED = "depends on `seed` alone"
PAIRS = (2, FEW)
CASES = {
    "firing_rate": Case(
        "mean_firing_rate",
        lambda d: measures.firing_rate(d.block),
        per_neuron(lambda t: statistics.mean_firing_rate(t).rescale("Hz").item()),
        "pools trials; errors by `tabulate`",
    ),
    "isi": Case(
        "isi",
        lambda d: np.concatenate(measures.isi(d.block)),
        lambda d: np.concatenate([statistics.isi(t).magnitude for t in d.repeats]),
        "pools trials without intervals across them",
    ),
    "cv": Case("cv", lambda d: measures.cv(d.block), of_intervals(statistics.cv), POOLED),
    "cv2": Case("cv2", lambda d: measures.cv2(d.block), of_intervals(statistics.cv2), POOLED),
    "lv": Case("lv", lambda d: measures.lv(d.block), of_intervals(statistics.lv), POOLED),
    "lvr": Case(
        "lvr",
        lambda d: measures.lvr(d.block, refractoriness=2 * MS),
        of_intervals(lambda intervals: statistics.lvr(intervals, R=2 * MS)),
        POOLED,
    ),
    "fano_factor": Case(
        "fanofactor",
        lambda d: measures.fano_factor(d.block, ddof=0),
        lambda d: [statistics.fanofactor(list(t)) for t in zip(*d.trains, strict=True)],
        "unbiased variance by default; windows, stimuli, errors",
        trials=10,
    ),
    "psth": Case(
        "time_histogram",
        lambda d: measures.psth(d.block, bin_width=20 * MS).rate,
        histograms,
        "Poisson limits; trials of different lengths",
        trials=10,
    ),
    "cross_correlograms": Case(
        "cross_correlation_histogram",
        our_correlograms,
        correlograms,
        "expected pairs and their band",
        sizes=PAIRS,
    ),
    "spike_time_tiling": Case(
        "spike_time_tiling_coefficient",
        lambda d: measures.spike_time_tiling(d.block, dt=10 * MS).ravel(),
        lambda d: [spike_time_tiling_coefficient(a, b, dt=10 * MS) for a in d.repeats for b in d.repeats],
        "Elephant's `dt` grows with the time of the spike, see below",
        sizes=PAIRS,
        apart=0.1,
    ),
    "victor_purpura": Case(
        "victor_purpura_distance",
        lambda d: measures.victor_purpura(d.repeats, cost=50 * pq.Hz),
        lambda d: victor_purpura_distance(d.repeats, 50 * pq.Hz),
        "compiled",
        sizes=PAIRS,
    ),
    "van_rossum": Case(
        "van_rossum_distance",
        lambda d: measures.van_rossum(d.repeats, tau=20 * MS),
        lambda d: van_rossum_distance(d.repeats, 20 * MS),
        "compiled; exactly 0 on the diagonal",
        sizes=(2, 100),
        apart=1e-6,
    ),
    "spike_triggered_average": Case(
        "spike_triggered_average",
        lambda d: measures.spike_triggered_average(d.field, d.block, before=50 * MS, after=50 * MS).average,
        averages,
        "all trials; errors; NaN in place of an average over no spikes",
    ),
    "spike_field_coherence": Case(
        "spike_field_coherence",
        our_field_coherences,
        field_coherences,
        "a field for each trial, errors, mean over a band",
    ),
    "phase_locking": Case(
        "spike_triggered_phase`, `mean_phase_vector",
        lambda d: measures.phase_locking(d.field, d.block, band=[15, 30] * pq.Hz).vector_strength,
        strengths,
        "all trials; leaves out unreliable ends; tests",
        apart=0.05,
    ),
    "signal_spectrum": Case(
        "multitaper_psd",
        lambda d: measures.signal_spectrum(d.field, bias=None).power[:-1],
        lambda d: spectral.multitaper_psd(d.field)[1].magnitude[0, :-1],
        "confidence limits; two corrections, see below",
        sizes=(1,),
    ),
    'signal_spectrum, "hann"': Case(
        "welch_psd",
        lambda d: measures.signal_spectrum(d.field, window="hann", nperseg=500, bias=None).power,
        lambda d: spectral.welch_psd(d.field, len_segment=500, detrend=False)[1].magnitude[0],
        "confidence limits, from the same lines as with tapers",
        sizes=(1,),
    ),
    "signal_coherence": Case(
        "multitaper_coherence",
        lambda d: measures.signal_coherence(*pair(d), nperseg=500).coherence,
        lambda d: spectral.multitaper_coherence(*pair(d), len_segment=500)[1],
        "double precision; limits, threshold, error of the phase",
        sizes=(1,),
        apart=1e-4,
    ),
    'signal_coherence, "hann"': Case(
        "welch_coherence",
        lambda d: measures.signal_coherence(*pair(d), window="hann", nperseg=500).coherence,
        lambda d: spectral.welch_coherence(*pair(d), len_segment=500, detrend=False)[1],
        "the same",
        sizes=(1,),
        apart=1e-4,
    ),
    'surrogates, "dither"': Case(
        "dither_spikes",
        surrogate("dither", dither=20 * MS),
        per_neuron(lambda t: surrogates.dither_spikes(t, 20 * MS)),
        f"{SEED}; keeps spikes near the ends",
        apart=None,
    ),
    'surrogates, "isi_dither"': Case(
        "dither_spikes(refractory_period)",
        surrogate("isi_dither", dither=20 * MS),
        per_neuron(lambda t: surrogates.dither_spikes(t, 20 * MS, refractory_period=4 * MS)),
        SEED,
        apart=None,
    ),
    'surrogates, "jitter"': Case(
        "jitter_spikes",
        surrogate("jitter", window=20 * MS),
        per_neuron(lambda t: surrogates.jitter_spikes(t, 20 * MS)),
        f"{SEED}; right for trials that do not start at 0",
        apart=None,
    ),
    'surrogates, "shuffle"': Case(
        "shuffle_isis", surrogate("shuffle"), per_neuron(surrogates.shuffle_isis), SEED, apart=None
    ),
    'surrogates, "shift"': Case(
        "trial_shifting",
        surrogate("shift", dither=20 * MS),
        lambda d: surrogates.trial_shifting(d.repeats, 20 * MS),
        SEED,
        apart=None,
    ),
}


def difference(case: Case) -> float:
    """Largest difference of values of at most FEW neurons, relative to the largest value."""
    sample = data(min(case.sizes[-1], FEW), case.trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (np.array(f(sample), dtype=float) for f in (case.ours, case.theirs))
    return float(np.abs(ours - theirs.reshape(ours.shape)).max() / np.abs(theirs).max())


def least_seconds(call: Callable[[Data], Any], sample: Data) -> float:
    """Least time of several calls after a first one."""
    seconds = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        call(sample)
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def names(measure: str, case: Case) -> str:
    """The begin of a row."""
    ours, *options = measure.split(", ")
    return f"| {', '.join([f'`{ours}`', *options])} | `{case.name}` |"


def row(measure: str, case: Case) -> str:
    """A row of the table: the difference, and Elephant's time divided by ours."""
    apart = "random" if case.apart is None else "0" if (d := difference(case)) < 1e-9 else f"{d:.0e}"
    ratios = ["", ""]
    for k, n in enumerate(case.sizes):
        sample = data(n, case.trials)
        ratio = least_seconds(case.theirs, sample) / least_seconds(case.ours, sample)
        ratios[k] = f"{float(f'{ratio:.2g}'):,g}" + ("" if n in (1, 100) else f" ({n})")
    return f"{names(measure, case)} {apart} | {' | '.join(ratios)} | {case.reason} |\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    text = PAGE.read_text()
    start = text.index(HEAD)
    end = text.index("\n\n", start) + 1
    PAGE.write_text(text[:start] + HEAD + "".join(row(*one) for one in CASES.items()) + text[end:])
