"""What every public measure keeps: pure, deterministic, the documented shape, a named error for what isn't data, a doctest.

Functions are found in `measures.__all__`. A new one needs a row in EXAMPLES and nothing else; one that takes a Block, the
repeats of a neuron or counts also says in `bad` what it makes of empty, single, unequal and NaN trials.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import ms

from nsnn_neuro import NsnnError, measures, tabulate, to_block
from nsnn_neuro.measures import Estimate, SilentNeuronWarning, Trains

N_NEURONS, N_TRIALS = 3, 6


def block_of(trials: list[Any], t_stop: Any = 1.0) -> neo.Block:
    """Block from nested lists [trial][neuron] of seconds; t_stop in s, one for all trials or one each."""
    block = neo.Block()
    for trial, stop in zip(trials, np.broadcast_to(t_stop, len(trials)), strict=True):
        segment = neo.Segment()
        for times in trial:
            segment.spiketrains.append(neo.SpikeTrain(times, units="s", t_stop=float(stop)))
        block.segments.append(segment)
    return block


def random_trials(seed: int = 1, n_neurons: int = N_NEURONS, n_trials: int = N_TRIALS) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [[np.sort(rng.uniform(0, 1, 12 + 2 * j)) for j in range(n_neurons)] for _ in range(n_trials)]


def block(n_neurons: int = N_NEURONS) -> neo.Block:
    """Trains held as arrays, as a simulation leaves them."""
    out = neo.Block()
    for trial in random_trials(n_neurons=n_neurons):
        out.segments.append(to_block([trial], t_stop=1 * pq.s).segments[0])
    return out


def repeats(seed: int = 2) -> list[neo.SpikeTrain]:
    return [segment.spiketrains[0] for segment in block_of(random_trials(seed, 1)).segments]


def signal() -> neo.AnalogSignal:
    return neo.AnalogSignal(np.random.default_rng(3).normal(size=1000), units="mV", sampling_rate=1 * pq.kHz)


def field() -> neo.AnalogSignal:
    """A signal that goes beyond trials of 1 to 1.5 s."""
    values = np.random.default_rng(3).normal(size=2500)
    return neo.AnalogSignal(values, units="mV", sampling_rate=1 * pq.kHz, t_start=-0.5 * pq.s)


LABELS = np.arange(N_TRIALS) % 2
STIMULUS = np.arange(200) % 2
PROBABILITIES, CLASSES = np.random.default_rng(8).dirichlet([1, 1, 1], 60), np.arange(60) % 3
WORDS = np.random.default_rng(4).integers(0, 2, (200, 2))
SYMBOLS = WORDS @ [1, 2] + STIMULUS


def normals(seed: int = 4) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(seed).normal(size=(2, 60)))


def many_repeats() -> list[neo.SpikeTrain]:
    return [train for seed in range(4) for train in repeats(seed)]


def timed() -> neo.Block:
    """Ten trials whose counts are correlated, as a timescale needs."""
    rng = np.random.default_rng(6)
    trials = []
    for _ in range(10):
        rate = 30 * np.exp(np.cumsum(rng.normal(size=10)) / 4)
        trials.append([np.repeat(np.arange(10), rng.poisson(rate / 10)) / 10 + 0.05])
    return to_block(trials, t_stop=1 * pq.s)


NAN, FINE = "<nan>", "<fine>"


class Example(NamedTuple):
    """How to call a function: `args()` makes fresh arguments.

    shape : shape of the array returned, a type, or a list of these for a tuple
    data : what the first argument is: "block", "repeats", "counts" (of a Block), or None for anything else
    bad : for these, what becomes of data without spikes, of one trial, and of trials of unequal duration: a part of the
        error's message, NAN (with exactly one SilentNeuronWarning), or FINE (a value, no warning)
    """

    args: Callable[[], tuple[Any, ...]]
    kwargs: Mapping[str, Any]
    shape: Any
    data: str | None = None
    bad: tuple[str, str, str] | None = None


PAIR = (N_TRIALS, N_TRIALS)
NEURONS = (N_NEURONS,)
TWO, COUNTS, WINDOWS = "at least two", "trials last from 1.0 to 1.5 s", "cover different windows"
# no measures but tools; each has its own tests
TOOLS = {"measure", "positive", "warn_silent"}

EXAMPLES: dict[str, Example] = {
    "as_repeats": Example(lambda: (repeats(),), {}, Trains, "repeats", (FINE, FINE, FINE)),
    "as_trains": Example(lambda: (block(),), {}, Trains, "block", (FINE, FINE, FINE)),
    "read_signal": Example(lambda: (signal(),), {}, [(1000,), float, float]),
    "tabulate": Example(lambda: (block(), [measures.cv]), {}, pd.DataFrame, "block", (FINE, FINE, FINE)),
    "against_surrogates": Example(
        lambda: (measures.firing_rate, block()), {"method": "shuffle", "n": 3}, list),
    "allan_factor": Example(lambda: (block(),), {"window": 0.2 * pq.s}, NEURONS, "block", (NAN, FINE, FINE)),
    "choice_probability": Example(
        lambda: (STIMULUS, SYMBOLS, WORDS[:, 1]), {"n_resample": 5, "n_shuffle": 5}, Estimate),
    "burst_index": Example(lambda: (block(),), {"limit": 20 * pq.ms}, NEURONS, "block", (NAN, FINE, FINE)),
    "coherence": Example(
        lambda: (signal(), repeats()), {"nperseg": 200, "noverlap": 100}, [(101,), (101,)]
    ),
    "coherence_information": Example(
        lambda: (signal(), repeats()), {"nperseg": 200, "noverlap": 100, "n_shuffle": 5}, Estimate
    ),
    "cross_correlogram": Example(
        lambda: (block(), (0, 1)), {"bin_width": 10 * pq.ms, "max_lag": 50 * pq.ms}, measures.CrossCorrelogram, "block",
        (FINE, FINE, FINE)),
    "cross_correlograms": Example(
        lambda: (block(),), {"bin_width": 10 * pq.ms, "max_lag": 50 * pq.ms}, measures.CrossCorrelograms, "block",
        (FINE, FINE, FINE)),
    "cv": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, FINE)),
    "cv2": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, FINE)),
    "dimensionality": Example(lambda: (block(),), {}, Estimate, "counts", (NAN, "counts of 1 trials", COUNTS)),
    "fano_curve": Example(
        lambda: (block(),), {"windows": [0.1, 0.5] * pq.s}, [(2,), (2, N_NEURONS)], "block", (NAN, FINE, FINE)),
    "fano_factor": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, "at least two counts", COUNTS)),
    "firing_events": Example(lambda: (repeats(),), {"sigma": 20 * pq.ms}, measures.FiringEvents, "repeats", (NAN, TWO, WINDOWS)),
    "firing_rate": Example(lambda: (block(),), {}, NEURONS, "block", (FINE, FINE, FINE)),
    "md_star": Example(lambda: (repeats(), repeats()), {"precision": 5 * pq.ms}, float),
    "psth_correlation": Example(lambda: (repeats(), repeats(4)), {"bin_width": 50 * pq.ms}, float),
    "gamma_coincidence": Example(lambda: (repeats(),), {"precision": 5 * pq.ms}, PAIR, "repeats", (NAN, FINE, WINDOWS)),
    "instantaneous_rate": Example(
        lambda: (block(),), {"sigma": 20 * pq.ms, "sampling_period": 5 * pq.ms}, neo.AnalogSignal, "block",
        (FINE, FINE, WINDOWS)),
    "intrinsic_timescale": Example(
        lambda: (timed(),), {"bin_width": 50 * pq.ms, "max_lag": 0.4 * pq.s, "n_resample": 3}, measures.IntrinsicTimescale),
    "isi": Example(lambda: (block(),), {}, list, "block", (FINE, FINE, FINE)),
    "isi_distance": Example(lambda: (repeats(),), {}, PAIR, "repeats", (FINE, FINE, WINDOWS)),
    "isi_profile": Example(lambda: (repeats(),), {}, measures.DistanceProfile, "repeats", (FINE, TWO, WINDOWS)),
    "law_of_total_covariance": Example(
        lambda: (LABELS, block()), {}, measures.CovarianceParts, "counts", (FINE, "counts has one trial", COUNTS)),
    "lv": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, FINE)),
    "lvr": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, FINE)),
    "mean_isi_distance": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, TWO, WINDOWS)),
    "mean_matched_fano": Example(
        lambda: (block(),), {"window": 0.5 * pq.s, "bin_width": 99.0}, measures.MeanMatchedFano, "block",
        ("no neuron spikes", TWO, WINDOWS)),
    "mean_spike_distance": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, TWO, WINDOWS)),
    "modulation_ratio": Example(lambda: (5 * pq.Hz, block()), {}, pd.DataFrame, "block", (NAN, FINE, FINE)),
    "neurometric": Example(
        lambda: (np.arange(200) % 4, SYMBOLS, 0), {"model": "gaussian", "n_resample": 5}, measures.Neurometric),
    "noise_correlation": Example(
        lambda: (block(),), {"window": 0.5 * pq.s}, (3, 3), "counts",
        (NAN, "block has one trial", "different numbers of windows")),
    "over_time": Example(lambda: (measures.cv2, block()), {"window": 0.5 * pq.s}, pd.DataFrame),
    "population_coupling": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, COUNTS)),
    "power_spectrum": Example(
        lambda: (block(),), {"sampling_rate": 1 * pq.kHz, "nperseg": 200, "noverlap": 100},
        measures.PowerSpectrum, "block", (NAN, FINE, FINE)),
    "psth": Example(lambda: (block(),), {"bin_width": 0.1 * pq.s}, measures.Psth, "block", (FINE, FINE, FINE)),
    "psychometric": Example(lambda: (np.arange(60) % 5, np.arange(60) % 2), {}, measures.Psychometric),
    "rate_correlation": Example(lambda: (block(), block()), {"sigma": 20 * pq.ms}, NEURONS),
    "roc_auc": Example(lambda: normals(), {"n_shuffle": 5}, Estimate),
    "response_statistics": Example(
        lambda: (LABELS, block()), {"window": [0, 500] * pq.ms}, pd.DataFrame, "block", (NAN, FINE, FINE)),
    "response_test": Example(
        lambda: (block(),), {"baseline": [0, 400] * pq.ms, "window": [500, 900] * pq.ms}, measures.ResponseTest, "block",
        (FINE, FINE, FINE)),
    "responsive_units": Example(
        lambda: (block(),), {"baseline": [0, 400] * pq.ms, "response": [500, 900] * pq.ms, "n_shuffle": 10, "n_resample": 5},
        pd.DataFrame, "block", (NAN, "expected at least two", FINE)),
    "schreiber_reliability": Example(lambda: (repeats(),), {"sigma": 5 * pq.ms}, float, "repeats", (NAN, TWO, FINE)),
    "serial_correlation": Example(lambda: (block(),), {}, NEURONS, "block", (NAN, FINE, FINE)),
    "signal_correlation": Example(
        lambda: (LABELS, block()), {"bias": None}, (3, 3), "counts",
        (NAN, "stimulus has one label", COUNTS)),
    "signal_coherence": Example(lambda: (signal(), signal()), {"nperseg": 200}, measures.SignalCoherence),
    "signal_spectrum": Example(lambda: (signal(),), {}, measures.SignalSpectrum),
    "sparseness": Example(lambda: (np.arange(12.0).reshape(4, 3),), {}, NEURONS),
    "spike_distance": Example(lambda: (repeats(),), {}, PAIR, "repeats", (FINE, FINE, WINDOWS)),
    "spike_field_coherence": Example(
        lambda: (signal(), block()), {"nperseg": 200, "noverlap": 100}, measures.SpikeFieldCoherence, "block", (NAN, FINE, FINE)),
    "spike_profile": Example(lambda: (repeats(),), {}, measures.DistanceProfile, "repeats", (FINE, TWO, WINDOWS)),
    "spike_synchronization": Example(lambda: (repeats(),), {}, PAIR, "repeats", (FINE, FINE, WINDOWS)),
    "spike_time_tiling": Example(lambda: (block(),), {"dt": 5 * pq.ms}, (3, 3), "block", (NAN, FINE, FINE)),
    "spike_triggered_average": Example(
        lambda: (signal(), block()), {"before": 20 * pq.ms, "after": 20 * pq.ms},
        measures.SpikeTriggeredAverage, "block", (NAN, FINE, FINE)),
    "spike_triggered_covariance": Example(
        lambda: (signal(), repeats()), {"before": 5 * pq.ms, "after": 0 * pq.ms, "n_shuffle": 3},
        measures.SpikeTriggeredCovariance, "repeats", (NAN, FINE, FINE)),
    "tuning_curve": Example(lambda: (LABELS, block()), {}, measures.TuningCurve, "counts", (FINE, FINE, FINE)),
    "surrogates": Example(lambda: (block(),), {"method": "shuffle", "n": 2}, Iterator, "block", (FINE, FINE, FINE)),
    "susceptibility": Example(
        lambda: (signal(), repeats()), {"nperseg": 200, "noverlap": 100}, measures.Susceptibility
    ),
    "trial_drift": Example(
        lambda: (block(),), {"n_shuffle": 20}, measures.TrialDrift, "block", (NAN, "at least three t", COUNTS)),
    "synchronization_profile": Example(
        lambda: (repeats(),), {}, measures.SynchronizationProfile, "repeats", (FINE, TWO, WINDOWS)),
    "van_rossum": Example(lambda: (repeats(),), {"tau": 20 * pq.ms}, PAIR, "repeats", (FINE, FINE, FINE)),
    "victor_purpura": Example(lambda: (repeats(),), {"cost": 50 * pq.Hz}, PAIR, "repeats", (FINE, FINE, FINE)),
    # information; words, counts and latencies of Blocks
    "active_information": Example(lambda: (SYMBOLS,), {"n_shuffle": 5}, Estimate),
    "bin_counts": Example(lambda: (np.arange(60) % 7,), {"n_bins": 3}, [(60,), (4,)]),
    "blahut_arimoto": Example(lambda: (np.array([[0.9, 0.1], [0.2, 0.8]]),), {}, measures.ChannelCapacity),
    "brier_score": Example(lambda: (PROBABILITIES, CLASSES), {}, Estimate),
    "calibration_error": Example(lambda: (PROBABILITIES, CLASSES), {"n_shuffle": 5}, Estimate),
    "channel_capacity": Example(lambda: (STIMULUS, SYMBOLS), {"n_shuffle": 5}, Estimate),
    "codes_table": Example(
        lambda: (LABELS, block()), {"bin_width": 100 * pq.ms, "neuron": 0, "n_shuffle": 5}, pd.DataFrame, "block",
        (FINE, "stimulus holds 1 distinct label", COUNTS)),
    "conditional_information": Example(lambda: (WORDS[:, 0], SYMBOLS, STIMULUS), {"n_shuffle": 5}, Estimate),
    "d_prime": Example(lambda: normals(), {}, Estimate),
    "decode": Example(
        lambda: (LABELS, block()), {"n_folds": 3, "n_shuffle": 5}, measures.Decoding, "block",
        (FINE, "1 distinct label", COUNTS)),
    "decoder_information": Example(
        lambda: (LABELS, block()), {"decoders": {"P": measures.PoissonMAP()}, "n_folds": 3, "n_shuffle": 5}, pd.DataFrame,
        "block", (FINE, "1 distinct label", COUNTS)),
    "direct_information_rate": Example(
        lambda: (many_repeats(),), {"bin_width": 0.1 * pq.s, "word_lengths": (1, 2), "n_shuffle": 3}, Estimate),
    "entropy": Example(lambda: (SYMBOLS,), {}, Estimate),
    "feature_information_transfer": Example(
        lambda: (STIMULUS, SYMBOLS, WORDS[:, 0], WORDS[:, 1]), {"n_shuffle": 5}, Estimate),
    "first_spike_latency": Example(lambda: (block(),), {}, (6, 3), "block", (FINE, FINE, COUNTS)),
    "fit_warp": Example(
        lambda: (block(),), {"sigma": 40 * pq.ms, "max_shift": 100 * pq.ms}, measures.WarpFit, "block",
        ("expected at least two trials", "expected at least two trials", WINDOWS)),
    "gaussian_copula": Example(lambda: normals(), {"n_shuffle": 5}, Estimate),
    "gaussian_copula_classes": Example(lambda: (np.arange(60) % 2, normals()[0]), {"n_shuffle": 5}, Estimate),
    "gaussian_fisher": Example(lambda: (np.ones(2), np.eye(2)), {}, float),
    "history_length": Example(lambda: (SYMBOLS,), {"longest": 2}, measures.HistoryLength),
    "information_breakdown": Example(lambda: (STIMULUS, WORDS), {"n_shuffle": 5}, dict),
    "information_growth": Example(
        lambda: (LABELS, block()), {"method": "confusion", "n_folds": 3, "n_subsets": 2}, measures.InformationGrowth, "counts",
        (FINE, "1 distinct label", COUNTS)),
    "information_over_time": Example(
        lambda: (LABELS, block()), {"window": 0.5 * pq.s, "neuron": 0, "n_shuffle": 19}, measures.InformationOverTime,
        "block", (FINE, "stimulus holds 1 distinct label", COUNTS)),
    "information_per_spike": Example(
        lambda: (repeats(),), {"bin_width": 0.1 * pq.s, "n_shuffle": 5}, Estimate, "repeats", (NAN, FINE, COUNTS)),
    "interaction_information": Example(lambda: (WORDS[:, 0], SYMBOLS, STIMULUS), {"n_shuffle": 5}, Estimate),
    "intersection_information": Example(lambda: (STIMULUS, SYMBOLS, WORDS[:, 1]), {"n_shuffle": 5}, Estimate),
    "ksg": Example(lambda: normals(), {"n_shuffle": 5}, Estimate),
    "kullback_leibler": Example(lambda: (SYMBOLS, SYMBOLS[STIMULUS == 0]), {"n_shuffle": 5}, Estimate),
    "latency_symbols": Example(
        lambda: (block(),), {"resolution": 0.1 * pq.s}, (6, 3), "block", (FINE, FINE, COUNTS)),
    "linear_fisher_information": Example(
        lambda: (np.column_stack(normals()), 1 + np.column_stack(normals(5)), 1.0), {"n_shuffle": 5}, Estimate),
    "linear_reconstruction": Example(
        lambda: (signal(), repeats()), {"nperseg": 100, "noverlap": 50, "n_folds": 3, "n_shuffle": 3},
        measures.Reconstruction),
    "local_information": Example(lambda: (WORDS[:, 0], SYMBOLS, STIMULUS), {}, (200,)),
    "local_transfer_entropy": Example(lambda: (WORDS[:, 0], SYMBOLS), {}, (200,)),
    "metric_space_information": Example(
        lambda: (LABELS, repeats()), {"q": [0, 10] * pq.Hz, "n_shuffle": 5}, measures.MetricSpace, "repeats",
        (FINE, "1 distinct label", FINE)),
    "modulated_poisson": Example(
        lambda: (LABELS, block()), {}, measures.ModulatedPoisson, "counts", (NAN, "has one trial", COUNTS)),
    "mutual_information": Example(lambda: (STIMULUS, SYMBOLS), {"n_shuffle": 5}, Estimate),
    "partial_information": Example(lambda: (STIMULUS, WORDS[:, 0], WORDS[:, 1]), {"n_shuffle": 5}, dict),
    "phase_counts": Example(
        lambda: (signal(), block()), {"t_stop": 0.9 * pq.s}, (6, 3, 4), "block", (FINE, FINE, FINE)),
    "phase_locking": Example(
        lambda: (field(), block()), {"band": [5, 20] * pq.Hz, "n_surrogates": 3}, pd.DataFrame, "block", (NAN, FINE, FINE)),
    "plan_trials": Example(lambda: (STIMULUS, SYMBOLS), {}, measures.TrialPlan),
    "poisson_fisher": Example(lambda: (np.ones(2), np.ones(2)), {}, float),
    "rate_map": Example(lambda: (signal(), block()), {"bins": 4}, measures.RateMap, "block", (FINE, FINE, "covers the window")),
    "rate_vs_temporal": Example(
        lambda: (LABELS, block()), {"resolutions": [100, 500] * pq.ms, "neuron": 0, "n_shuffle": 5}, pd.DataFrame,
        "block", (FINE, "stimulus holds 1 distinct label", COUNTS)),
    "reliability_curve": Example(lambda: (PROBABILITIES, CLASSES), {}, measures.ReliabilityCurve),
    "selective_accuracy": Example(lambda: (PROBABILITIES, CLASSES), {}, measures.SelectiveAccuracy),
    "skaggs_information": Example(lambda: (STIMULUS, SYMBOLS), {"n_shuffle": 5}, Estimate),
    "spike_counts": Example(lambda: (block(),), {}, (6, 3), "block", (FINE, FINE, COUNTS)),
    "synergy": Example(lambda: (STIMULUS, WORDS[:, 0], WORDS[:, 1]), {"n_shuffle": 5}, Estimate),
    "transfer_entropy": Example(lambda: (WORDS[:, 0], SYMBOLS), {"n_shuffle": 5}, Estimate),
    "transfer_entropy_matrix": Example(
        lambda: (WORDS.T,), {"n_shuffle": 5, "progress": False}, measures.TransferEntropyMatrix),
    "which_estimator": Example(lambda: (STIMULUS, WORDS), {"n_repeats": 2}, measures.EstimatorComparison),
    "word_entropies": Example(
        lambda: (many_repeats(),), {"bin_width": 0.1 * pq.s, "word_lengths": (1, 2)}, pd.DataFrame),
    "zeta_test": Example(
        lambda: (block(),), {"n_shuffle": 10}, measures.ZetaTest, "block", (NAN, "expected at least two", FINE)),
    "words": Example(lambda: (block(),), {"bin_width": 0.1 * pq.s}, (6, 3, 10), "block", (FINE, FINE, COUNTS)),
}  # fmt: skip


FUNCTIONS = {
    name: getattr(measures, name)
    for name in measures.__all__
    if inspect.isroutine(getattr(measures, name)) and name not in TOOLS
}
ON_DATA = [name for name, example in EXAMPLES.items() if example.data]


def call(name: str, *args: Any) -> Any:
    """The function of that name on its example's arguments, or on `args`."""
    example = EXAMPLES[name]
    return FUNCTIONS[name](*(args or example.args()), **example.kwargs)


def place_of_data(args: Sequence[Any]) -> int:
    """Place of the data: first, or second after a stimulus."""
    return int(len(args) > 1 and (args[0] is LABELS or isinstance(args[0], pq.Quantity)))


def content(thing: Any) -> Any:
    """All that `thing` holds as plain values and copies of arrays, to be compared by `same`."""
    if isinstance(thing, neo.Block):
        return [[content(t) for t in s.spiketrains] + [dict(s.annotations)] for s in thing.segments] + [
            dict(thing.annotations)
        ]
    if isinstance(thing, neo.SpikeTrain):
        return [thing.magnitude.copy(), str(thing.units), float(thing.t_start), float(thing.t_stop)]
    if isinstance(thing, Iterator):
        return [content(item) for item in thing]
    if isinstance(thing, pq.Quantity):
        return [thing.magnitude.copy(), str(thing.units)]
    if isinstance(thing, np.ndarray):
        return thing.copy()
    if isinstance(thing, pd.DataFrame):
        return thing.to_dict("list")
    if dataclasses.is_dataclass(thing):
        return {f.name: content(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, Mapping):
        return {key: content(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [content(item) for item in thing]
    return thing


def same(a: Any, b: Any) -> bool:
    """Equal in all that `content` gives, NaN equal to NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if a is pd.NA or b is pd.NA:
        return a is b
    return bool(a == b) or (a != a and b != b)


def has_nan(thing: Any) -> bool:
    plain = content(thing)
    if isinstance(plain, dict | list):
        return any(has_nan(item) for item in (plain.values() if isinstance(plain, dict) else plain))
    return isinstance(plain, float | np.ndarray) and bool(np.isnan(plain).any())


def test_every_public_function_has_an_example() -> None:
    missing = sorted(FUNCTIONS.keys() - EXAMPLES.keys())
    assert not missing, f"give {missing} a row in EXAMPLES"
    assert not sorted(EXAMPLES.keys() - FUNCTIONS.keys())
    assert not sorted(TOOLS - set(measures.__all__))
    assert not [name for name in ON_DATA if EXAMPLES[name].bad is None]


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, list):
        return isinstance(value, tuple) and [*map(fits, value, shape)] == [True] * len(shape)
    if isinstance(shape, tuple):
        return isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind in "fci"
    return isinstance(value, shape)


@pytest.mark.parametrize("name", EXAMPLES)
def test_pure_deterministic_and_of_its_shape(name: str) -> None:
    """The input isn't changed, a second call on it agrees, and a result prints itself in words."""
    args = EXAMPLES[name].args()
    before, result = content(args), call(name, *args)
    assert fits(result, EXAMPLES[name].shape)
    assert isinstance(result, neo.AnalogSignal) or not isinstance(result, pq.Quantity)
    assert "array(" not in str(result) or not dataclasses.is_dataclass(result) or isinstance(result, Trains)
    first = content(result)
    assert same(content(args), before)
    assert same(content(call(name, *args)), first)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_no_data_is_refused(name: str) -> None:
    args = list(EXAMPLES[name].args())
    for wrong in (5, None):
        args[place_of_data(args)] = wrong
        with pytest.raises(NsnnError):
            call(name, *args)


# a table needs the Block's own annotations
@pytest.mark.parametrize("name", [name for name in ON_DATA if name != "tabulate"])
def test_a_trains_stands_in_for_the_data(name: str) -> None:
    example = EXAMPLES[name]
    read = measures.as_repeats if example.data == "repeats" else measures.as_trains
    args = list(example.args())
    place = place_of_data(args)
    shared = [*args[:place], read(args[place]), *args[place + 1 :]]
    assert same(content(call(name, *shared)), content(call(name, *args)))


FIRST = {"stimulus", "signal", "labels"}


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if FIRST & {*list(inspect.signature(FUNCTIONS[name]).parameters)[:1]}]
)
def test_data_before_its_stimulus_or_signal_are_swapped_arguments(name: str) -> None:
    args = EXAMPLES[name].args()
    if len(args) > 1:  # the others take a signal alone
        data = WORDS if args[1] is SYMBOLS else args[1]
        with pytest.raises(NsnnError, match="swapped"):
            call(name, data, args[0], *args[2:])


SHAPED = [name for name, example in EXAMPLES.items() if example.shape == NEURONS]


@pytest.mark.parametrize("name", [name for name in SHAPED if EXAMPLES[name].data])
def test_measures_of_neurons_make_a_table(name: str) -> None:
    """One row per neuron with the function's values and its unit, and an error for those that have one."""
    table = tabulate(block(), partial(FUNCTIONS[name], **EXAMPLES[name].kwargs))
    assert same(table["value"].to_numpy(), call(name))
    assert set(table["unit"]) == {FUNCTIONS[name].unit}
    assert set(table["measure"]) == {name}
    assert table["se"].notna().all()


def test_measures_of_neurons_are_marked() -> None:
    assert len(SHAPED) > 10
    assert not [name for name in SHAPED if not getattr(FUNCTIONS[name], "unit", "")]


def _bad_data(name: str, condition: str) -> tuple[Any, ...]:
    """The example's arguments with bad data in place of its own."""
    trials, stop = random_trials(), np.ones(N_TRIALS)
    rest = list(EXAMPLES[name].args())
    place = place_of_data(rest)
    if condition == "empty":
        trials = [[[] for _ in trial] for trial in trials]
    elif condition == "one trial":
        trials, stop = trials[:1], stop[:1]
        rest = [x[:1] if x is LABELS else x for x in rest]
    elif condition == "unequal":
        stop = 1 + np.arange(N_TRIALS) / 10
    else:
        trials[2][0] = np.array([0.1, np.nan])
    bad = block_of(trials, stop)
    first = [s.spiketrains[0] for s in bad.segments] if EXAMPLES[name].data == "repeats" else bad
    rest[place] = first
    return tuple(rest)


@pytest.mark.parametrize("condition", ["empty", "one trial", "unequal", "nan"])
@pytest.mark.parametrize("name", ON_DATA)
def test_bad_data(name: str, condition: str) -> None:
    """A named error, NaN with one warning, or a value: as the row says. A spike at NaN is always refused."""
    bad = dict(zip(["empty", "one trial", "unequal"], EXAMPLES[name].bad or (), strict=True))
    wanted = bad.get(condition, "spike time NaN in trial 2")
    args = _bad_data(name, condition)
    if wanted not in (NAN, FINE):
        with pytest.raises(NsnnError, match=re.escape(wanted)):
            call(name, *args)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(name, *args)
    assert [w.category for w in caught] == ([SilentNeuronWarning] if wanted == NAN else [])
    if wanted == NAN:
        assert has_nan(result)


# what no argument means, but for whole numbers of any size as a seed
HOSTILE: dict[str, Any] = {
    "an array of objects": np.array([object(), None], dtype=object),
    "an empty list": [],
    "unsized": object(),
    "an unsized array": np.array(None, dtype=object),
    "of too many digits": 10**5000,
    "a list with a huge number": [10**400, 1],
    "complex numbers": np.array([1 + 2j, 3]),
    "a complex time of Brian2": (1 + 2j) * ms,
    "NaN": float("nan"),
    "an array with NaN": np.array([np.nan, 1.0]),
    "a time of NaN": np.nan * pq.ms,
    "text": "x",
    "texts": ["a", "b"],
    "bytes": b"x",
    "rows of unequal length": [[1], [1, 2]],
    "a dictionary": {"a": 1},
}
MEANT = {
    *(("seed", what) for what in ("of too many digits", "a list with a huge number")),
    # of entropy and kullback_leibler; the other functions' x refuse texts in tests of their own
    ("x", "texts"),
    # repeats of one and of two spikes
    *((name, "rows of unequal length") for name in ("train", "trains", "other", "data", "model")),
    *(("blocks", what) for what in ("text", "texts")),  # paths
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_argument_is_refused_by_its_name(name: str) -> None:
    """Never a raw error, never a value: NsnnError that names the argument and says what was expected."""
    fresh = EXAMPLES[name].args()
    for place, parameter in enumerate(inspect.signature(FUNCTIONS[name]).parameters):
        numbers = {"below 0": -1, "a float": 2.0} if parameter == "n_shuffle" else {}
        for what, value in {**HOSTILE, **numbers}.items():
            if parameter == "name" or (parameter, what) in MEANT:  # a name is for messages
                continue
            args, kwargs = list(fresh), dict(EXAMPLES[name].kwargs)
            if place < len(args):
                args[place] = value
            else:
                kwargs[parameter] = value
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                with pytest.raises(NsnnError) as caught:
                    FUNCTIONS[name](*args, **kwargs)
            text = str(caught.value)
            assert re.search(rf"\b{parameter}\b", text), f"{parameter}, {what}: {text}"
            assert len(text) < 1000


def test_the_checks_see() -> None:
    """`same` and `has_nan` tell a change of a spike, of an annotation, of a type; and NaN deep inside."""
    one, two = content(block()), content(block())
    assert same(one, two)
    two[1][0][0][3] += 1e-12
    assert not same(one, two)
    two = content(block())
    two[-1]["x"] = 1
    assert not same(one, two)
    assert not same(content(np.arange(3)), content(np.arange(3.0)))
    assert has_nan(Estimate(float("nan")))
    assert not has_nan(Estimate(1.0, 2.0))
    assert has_nan((np.zeros(3), [np.array([1.0, np.nan])]))


SERIES: dict[str, Any] = {"n_shuffle": 0, "n_blocks": 4}


def transfer(**options: Any) -> Callable[..., Any]:
    return lambda x, y, z=None: measures.transfer_entropy(x, y, z=z, **SERIES, **options)


def active(**options: Any) -> Callable[..., Any]:
    return lambda x: measures.active_information(x, **SERIES, **options)


CASES: dict[str, tuple[Callable[..., Any], tuple[str, ...], bool]] = {  # call, names of its arguments, discrete
    "conditional": (lambda *a: measures.conditional_information(*a, n_shuffle=0), ("x", "y", "z"), True),
    "interaction": (lambda *a: measures.interaction_information(*a, n_shuffle=0), ("x", "y", "z"), True),
    "local": (measures.local_information, ("x", "y", "z"), True),
    "capacity": (lambda *a: measures.channel_capacity(*a, n_shuffle=0), ("s", "r"), True),
    "partial": (lambda *a: measures.partial_information(*a, n_shuffle=0), ("s", "r1", "r2"), True),
    "intersection": (lambda *a: measures.intersection_information(*a, n_shuffle=0), ("s", "r", "c"), True),
    "feature transfer": (
        lambda *a: measures.feature_information_transfer(*a, n_shuffle=0), ("s", "x_past", "y", "y_past"), True),
    "transfer": (transfer(), ("x", "y", "z"), True),
    "transfer, local": (measures.local_transfer_entropy, ("x", "y"), True),
    "transfer, Gaussian": (transfer(estimator="gaussian"), ("x", "y", "z"), False),
    "transfer, KSG": (transfer(estimator="ksg"), ("x", "y", "z"), False),
    "active": (active(), ("x",), True),
    "active, KSG": (active(estimator="ksg"), ("x",), False),
    "history": (lambda y: measures.history_length(y, longest=2), ("y",), True),
    "history, Gaussian": (
        lambda y, x: measures.history_length(y, x=x, longest=2, estimator="gaussian"), ("y", "x"), False),
}  # fmt: skip
EACH = [(name, argument) for name, (_, names, _) in CASES.items() for argument in names]


def arguments(name: str) -> tuple[Callable[..., Any], dict[str, np.ndarray]]:
    call, names, discrete = CASES[name]
    rng = np.random.default_rng(3)
    return call, {one: rng.integers(0, 2, 40) if discrete else rng.normal(size=40) for one in names}


@pytest.mark.parametrize(("name", "argument"), EACH)
def test_nan_and_unequal_lengths_are_refused_by_name(name: str, argument: str) -> None:
    call, given = arguments(name)
    holed = given[argument].astype(float)
    holed[3] = np.nan
    for values in [holed, given[argument][1:], []] if len(given) > 1 else [holed, []]:
        with pytest.raises(NsnnError) as caught:
            call(*{**given, argument: values}.values())
        assert argument in str(caught.value).split(":")[0]


def outcome(call: Callable[..., Any], values: Any) -> tuple[Any, str, list[Any]]:
    """The result, or None and the text of the error; and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return call(*values), "", caught
        except NsnnError as error:
            return None, str(error), caught


@pytest.mark.parametrize(("name", "argument"), EACH)
def test_a_constant_argument_is_an_error_nan_or_named(name: str, argument: str) -> None:
    call, given = arguments(name)
    given[argument] = 0 * given[argument]
    result, error, caught = outcome(call, given.values())
    if error:
        assert error.startswith((f"{argument}: constant (0)", f"{argument} holds one value"))
    elif caught:
        assert [one.category for one in caught] == [SilentNeuronWarning]
        assert np.isnan(result if isinstance(result, np.ndarray) else result.value).all()
    elif argument == "z" or name == "history":
        pass  # nothing is known of z, no past is needed: both can be meant
    elif isinstance(result, np.ndarray):
        assert (result == 0).all()
    else:
        parts = result.values() if isinstance(result, dict) else [result]
        assert all(np.isfinite(part.value) for part in parts)
        named = f"{argument} holds one value: it tells nothing"
        assert all(named in str(part.warning) for part in parts)


@pytest.mark.parametrize("name", [name for name, (_, _, discrete) in CASES.items() if discrete])
def test_alphabets_too_large_are_refused_or_warned_of(name: str) -> None:
    call, given = arguments(name)
    order = np.random.default_rng(4).permutation(40)
    for values in (order, np.tile(order, 10)):  # 40 symbols in as many samples, or in 400
        result, error, _ = outcome(call, [values] * len(given))
        if error:
            assert any(what in error for what in ("cells", "equations", "of 1 trial", "too many symbols"))
        elif name not in ("local", "transfer, local", "history"):  # plug-in values, a cross-validated length
            parts = result.values() if isinstance(result, dict) else [result]
            assert all(part.warning is not None for part in parts)


def test_a_series_that_its_past_determines_has_a_history_length() -> None:
    """No variance is left of a sine; its score is bounded by rounding, and two bins are enough."""
    wave = 1e4 + np.sin(0.3 * np.arange(500))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lengths = measures.history_length(wave, longest=4, estimator="gaussian")
    assert int(lengths) == 2
    assert np.isfinite(lengths.score).all()
