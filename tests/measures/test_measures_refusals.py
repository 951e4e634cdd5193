"""Wrong arguments of measures of trains and signals, room by room: the error names the argument and its value, and says a cure.

What is wrong for every function is in `test_measures_contract`, what is for information in `test_information_refusals`.
"""

from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from helpers.refusals import assert_refused
from helpers.trains import make_block, one_silence

from nsnn_neuro import measures as m

ONE = make_block([[[0.1, 0.6]]])
TWO = make_block([[[0.1]], [[0.1, 0.6, 0.7, 0.8]]])
LONG = make_block([[[0.1]]], 2.0)
LONG_TRAIN = LONG.segments[0].spiketrains[0]
UNEQUAL = make_block([[[0.1]], [[0.1]]], [1.0, 2.0])
PAIR = make_block([[[0.1, 0.2], [0.3]], [[0.1], [0.2, 0.5]], [[0.4], [0.7]]], 2.0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=4000)
TRAIN = [[0.1, 0.2, 1.0]]
WINDOW: dict[str, Any] = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}
COUNTS = [[1, 2], [3, 2], [5, 6], [7, 6]]
LAGS: dict[str, Any] = {"bin_width": 10 * pq.ms, "max_lag": 80 * pq.ms}
BINS: dict[str, Any] = {"bin_width": 0.1 * pq.s}
SHORT: dict[str, Any] = {"baseline": [0, 0.8] * pq.s, "window": [0.8, 1] * pq.s}
HALVES: dict[str, Any] = {"baseline": [0, 0.5] * pq.s, "window": [0.5, 1] * pq.s}
FAST = np.linspace(0, 0.99, 100)
CIRCLE = np.arange(0, 360, 30.0)
COSINE = 12 + 7 * np.cos(np.deg2rad(CIRCLE - 40))
NAN = [[1, 2], [3, np.nan]]


def signal(x: Any) -> neo.AnalogSignal:
    return neo.AnalogSignal(x, units="mV", sampling_rate=1 * pq.kHz)


def events(trains: Any, **options: Any) -> Any:
    return m.firing_events(trains, **{"sigma": 10 * pq.ms, **WINDOW, **options})


def average(signals: Any = None, trains: Any = ONE, **options: Any) -> Any:
    options = {"before": 5 * pq.ms, "after": 5 * pq.ms} | options
    return m.spike_triggered_average(signal(X) if signals is None else signals, trains, **options)


def covariance(x: Any = X, trains: Any = None, before: float = 3, after: float = 2, **options: Any) -> Any:
    trains = [np.linspace(0.05, 3.5, 30)] if trains is None else trains
    return m.spike_triggered_covariance(
        signal(x), trains, before=before * pq.ms, after=after * pq.ms, **options
    )


def drawn(method: str, block: Any = PAIR, **options: Any) -> Any:
    """Refused at the call, not when the first surrogate is drawn."""
    return m.surrogates(block, method=method, **{"n": 1} | options)


def against(*shapes: Any) -> Any:
    values = iter(np.zeros(shape) for shape in shapes)
    return m.against_surrogates(lambda block: next(values), PAIR, method="shuffle", n=2)


Rows = list[tuple[Callable[[], Any], str, str]]
RATES: Rows = [
    (lambda: m.fano_factor(ONE), "window = None", "give window=..., e.g. 100"),
    (lambda: m.fano_factor(ONE, window=1 * pq.s), "window = 1.0 s", "or a shorter window"),
    (lambda: m.fano_factor(TWO, window=0 * pq.s), "window", "greater than 0"),
    (lambda: m.fano_factor(TWO, window=0.1 * pq.s, ddof=2), "ddof = 2", "expected"),
    (lambda: m.fano_factor(ONE, per="bin"), "per = 'bin' with one trial", "at least two"),
    (lambda: m.fano_factor(TWO, stimulus=[0, 1]), "each label has one trial", ""),
    (lambda: m.fano_factor(TWO, stimulus=[0]), "stimulus has shape (1,)", "expected"),
    (lambda: m.lvr(ONE, refractoriness=-1 * pq.ms), "refractoriness", "at least 0"),
    (lambda: m.cv(ONE, t_stop=5 * pq.s), "t_stop = 5.0 s", ""),
    (lambda: m.fano_curve(ONE, windows=[[1]] * pq.s), "windows", "1-D array of times"),
    (lambda: m.fano_curve(ONE, windows=[0.1, -0.2] * pq.s), "windows", "greater than 0"),
    (lambda: m.fano_curve(ONE, windows=[0.1, 3.0] * pq.s), "windows[1] = 3.0 s", "longer than the shortest trial"),
    (lambda: m.allan_factor(ONE, window=0.6 * pq.s), "window", "no trial holds two windows"),
    (lambda: m.mean_matched_fano(TWO, window=2 * pq.s), "window", "longer than the 1 s"),
    (lambda: m.mean_matched_fano(TWO, window=0.5 * pq.s, step=0 * pq.s), "step", "greater than 0"),
    (lambda: m.mean_matched_fano(TWO, window=0.5 * pq.s, bin_width=0.0), "bin_width = 0.0", "expected"),
    (lambda: m.mean_matched_fano(TWO, window=0.5 * pq.s, bin_width=0.1), "no mean count is shared by all 2 times", "bin_width = "),
    (lambda: m.mean_matched_fano(TWO, window=0.05 * pq.s), "window", "no neuron spikes at"),
    (lambda: m.tuning_curve([1, 2], {"a": TWO}), "block = {'a'", "expected"),
    (lambda: m.fano_factor({"a": TWO}), "block = dict", "tabulate takes the dict"),
    (lambda: m.modulated_poisson([0, 0], [1, 2, 3]), "stimulus has shape (2,)", "expected (3,)"),
    (lambda: m.modulated_poisson([0, 0, 1], [1, 2, 3]), "stimulus 1 has one trial", ""),
    (lambda: m.modulated_poisson([0, 0, 0], [1, -2, 3]), "counts holds -2", "expected whole numbers"),
    (lambda: m.modulated_poisson([0, 0, 0], [1, 2, 2 * 10**5]), "counts holds 200000", "from 0 to 100000"),
    (lambda: m.modulated_poisson([0, 0, 0], np.ones((3, 2, 2))), "counts = ", "expected"),
    (lambda: m.over_time("cv", TWO, window=0.5 * pq.s), "measure = 'cv'", "expected a function"),
    (lambda: m.over_time(m.cv, TWO, window=2 * pq.s), "window", "longer than the 1 s"),
    (lambda: m.over_time(m.cv, TWO, window=0.5 * pq.s, confidence=95), "confidence = 95", "between 0 and 1"),
    (lambda: m.over_time(m.cv, TWO, window=0.5 * pq.s, ddof=1), "no argument 'ddof'", "expected one of"),
    (lambda: m.over_time(m.decode, TWO, window=0.5 * pq.s, stimulus=[1]), "stimulus has shape (1,)", "expected (2,)"),
    (lambda: m.mean_matched_fano(TWO, window=0.5 * pq.s, stimulus=[0, 1]), "stimulus", "expected at least two"),
    (lambda: m.instantaneous_rate(PAIR, sigma=0.5 * pq.ms), "sampling_period = ", "longer than sigma, 0.0005 s"),
    (lambda: m.instantaneous_rate(PAIR, sigma=[1, 2, 3] * pq.ms), "sigma", "one for each of 2 neurons"),
    (lambda: m.instantaneous_rate(PAIR, sigma=-1 * pq.ms), "sigma = ", "greater than 0"),
    (lambda: m.instantaneous_rate(PAIR, kernel="alpha"), "sigma = 'auto'", "needs the Gaussian kernel"),
    (lambda: m.instantaneous_rate(PAIR, kernel="alpha", sigma=5 * pq.ms, border_correction=True), "border_correction", "needs"),
    (lambda: m.instantaneous_rate(PAIR, kernel="gausian"), "kernel = 'gausian'", "did you mean 'gaussian'"),
    (lambda: m.instantaneous_rate(PAIR, cutoff=0), "cutoff = 0", "expected"),
    (lambda: m.psth_correlation(PAIR, [[0.1]], bin_width=10 * pq.ms), "data = Block of 2 neurons", "expected the repeats of one"),
    (lambda: m.spike_synchronization(PAIR), "trains = Block of 2 neurons", "segments[k].spiketrains"),
    (lambda: m.psth_correlation(TWO, [LONG_TRAIN] * 2, bin_width=0.1 * pq.s), "data have 10 bins", "expected the same window"),
    (lambda: m.psth(ONE, bin_width=2 * pq.s), "bin_width = 2.0 s", "longer"),
    (lambda: m.psth(ONE, **BINS, confidence=95), "confidence = 95", "expected"),
    (lambda: m.psth(ONE, **BINS, t_start=-0.1 * pq.s), "t_start = -0.1 s", "the first trial starts at 0.0 s"),
    (lambda: m.psth(ONE, **BINS, t_stop=1.1 * pq.s), "t_stop = 1.1 s", "the last trial stops at 1.0 s"),
    (lambda: m.psth(ONE, **BINS, t_start=0.5 * pq.s, t_stop=0.5 * pq.s), "t_start", "must be before"),
    (lambda: m.psth(ONE, **BINS, align=[0.1, 0.2] * pq.s, t_stop=0.1 * pq.s), "2 events in 1 trials", "need a window"),
    (lambda: m.psth(ONE, **BINS, align=0.5 * pq.s, t_start=0.7 * pq.s, t_stop=0.9 * pq.s), "no window around an event", ""),
    (lambda: m.psth(ONE, **BINS).pooled(np.arange(0)), "neurons = ", ""),
    (lambda: m.psth(PAIR, bin_width=0.1 * pq.s).pooled(1), "neurons = 1", "indices of 2 neurons"),
    (lambda: m.rate_correlation(PAIR, ONE, sigma=10 * pq.ms), "2 neurons, block_b 1", ""),
    (lambda: m.rate_correlation(ONE, LONG, sigma=10 * pq.ms), "trials of block_a last", "pass t_start and t_stop"),
    (lambda: m.response_test(PAIR, baseline=[0, 0.5] * pq.s, window=[1.7, 2.2] * pq.s), "window = ", "share 0 to 2 s"),
    (lambda: m.response_test(PAIR, **SHORT), "lasts 0.8 s, window = ", "expected equal lengths"),
    (lambda: m.response_test(PAIR, test="sign", **SHORT), "window = ", "expected equal lengths"),
    (lambda: m.response_statistics([1], PAIR, window=[0, 1] * pq.s), "stimulus", "one label per trial"),
    (lambda: m.zeta_test(PAIR, [0.1, 0.5] * pq.s), "with events", "expected one, the whole recording"),
    (lambda: m.psychometric([1, 2], [0, 3]), "choice holds [0, 3]", "expected 0 and 1"),
    (lambda: m.psychometric([1, 2], [0, 1], guess=0.6, lapse=0.5), "lapse = 0.5", "below 1"),
    (lambda: m.psychometric([1, 2], [0, 1], guess=0.5, at=0.4), "at = 0.4", "between the asymptotes"),
    (lambda: m.psychometric([2, 2], [0, 1]), "single value 2", "at least two"),
    (lambda: m.responsive_units(TWO, baseline=[0, 0.5] * pq.s, response=[0.4, 0.9] * pq.s), "response", "overlap"),
    (lambda: m.responsive_units(TWO, baseline=[0, 0.5] * pq.s, response=[0.5, 0.9] * pq.s, method="paired"), "response =", "equal"),
    (lambda: m.responsive_units(TWO, baseline=[0, 0.5] * pq.s, response=[0.5, 1.5] * pq.s), "response = ", "within all trials"),
    (lambda: m.zeta_test(PAIR, duration=3 * pq.s), "duration = 3 s", "longer than the trials"),
    (lambda: m.zeta_test(PAIR, n_shuffle=5), "n_shuffle = 5", "expected"),
    (lambda: m.zeta_test(ONE, [0.1, 0.5] * pq.s), "events", "moved windows reach from -0.3"),
    (lambda: m.zeta_test(ONE, [0.1, 0.1] * pq.s), "events", "holds 0.1 s twice"),
    (lambda: m.zeta_test(make_block([[[3]]], 9), [3, 3.1] * pq.s, duration=0.2 * pq.s), "duration = 0.2 s", "are 0.1 s apart"),
    (lambda: average(before=-5 * pq.ms), "before", "at least 0"),
    (lambda: average(before=9 * pq.s), "before", "more than the signal"),
    (lambda: average([signal(X)] * 2), "signal", "one per trial"),
    (lambda: average([signal(X), signal(np.c_[X, X])], TWO), "signal", "the same number of channels"),
    (lambda: covariance(trains=PAIR), "expected the repeats of one", ""),
    (lambda: covariance(np.full(500, np.nan)), "signal holds NaN", ""),
    (lambda: covariance(before=1, after=0), "before", "a window of one number"),
    (lambda: covariance(before=6000, after=100), "before", "more than the signal"),
    (lambda: covariance(alpha=5), "alpha = 5", "expected a number between 0 and 1"),
    (lambda: covariance(np.sin(np.arange(4000) / 50), before=8, whiten=True), "whiten", "linearly dependent"),
    (lambda: drawn("jiter"), "method = 'jiter'", "did you mean 'jitter'"),
    (lambda: drawn("jitter"), "method = 'jitter'", "needs window"),
    (lambda: drawn("jitter", window=5 * pq.s), "window", "longer than the longest trial"),
    (lambda: drawn("shuffle", window=1 * pq.s), "no argument 'window'", ""),
    (lambda: drawn("dither", dither=None), "dither = None", "expected a time"),
    (lambda: drawn("isi_dither", dither=1 * pq.ms, refractory_period=-1 * pq.ms), "refractory_period", ""),
    (lambda: drawn("shuffle", n=0), "n = 0", "expected"),
    (lambda: drawn("trial_shuffle", ONE), "two trials", ""),
    (lambda: drawn("trial_shuffle", stimulus=[0, 1]), "stimulus", "one label per trial"),
    (lambda: against((2, 2), (2, 2), (2, 2)), "measure", "returned an array of shape"),
    (lambda: against(2, 2, 3), "shape (2,) for the data and (3,) for surrogate 1", ""),
]  # fmt: skip
TIMING: Rows = [
    (lambda: events([[0.1], [0.2]], sigma=0 * pq.s), "sigma", "greater than 0"),
    (lambda: events([[0.1], [0.2]], sigma=20 * pq.s), "sigma", "longer than the shortest trial"),
    (lambda: events([[0.1], [0.2]], ratio=1.0), "ratio = 1.0", "expected"),
    (lambda: events([[0.1], [0.2]], threshold=-1.0), "threshold = -1.0", "expected"),
    (lambda: m.isi_distance([[0.1], [0.2]]), "pass t_start and t_stop", ""),
    (lambda: m.isi_profile([[0.1], [0.2]], **WINDOW).mean(0.5 * pq.s, 0.2 * pq.s), "t_start = 0.5 s, t_stop = 0.2 s", ""),
    (lambda: m.victor_purpura([[0.1]], cost=-1 * pq.Hz), "cost", "at least 0"),
    (lambda: m.victor_purpura([[0.1]], cost=1 * pq.s), "cost", "Hz"),
    (lambda: m.van_rossum([[0.1]], tau=0 * pq.s), "tau", "greater than 0"),
    (lambda: m.gamma_coincidence([[0.1], FAST], precision=5 * pq.ms, **WINDOW), "2 nu Delta = 1 >= 1", "train 1 at 100 Hz"),
    (lambda: m.md_star([[0.1], [0.2]], [[0.1]], precision=4 * pq.ms), "model has 1 train", "expected two or more"),
    (lambda: m.psth_correlation([[0.1], [0.2]], [[0.1]], bin_width=0.1 * pq.s, **WINDOW), "model has 1 train", "two or more"),
]  # fmt: skip
CORRELATION: Rows = [
    (lambda: m.cross_correlogram(PAIR, (0, 3), **LAGS), "pair = (0, 3)", "expected two numbers of neurons from 0 to 1"),
    (lambda: m.cross_correlogram(PAIR, (0, True), **LAGS), "pair = ", "expected"),
    (lambda: m.cross_correlogram(PAIR, (0, 1), **LAGS | {"max_lag": 2 * pq.s}), "max_lag = 2 s", "shortest trial, 2 s"),
    (lambda: m.cross_correlogram(PAIR, (0, 1), **LAGS, predictor="jitter"), "jitter_window = None", "predictor = 'jitter'"),
    (lambda: m.cross_correlogram(PAIR, (0, 1), **LAGS, jitter_window=1 * pq.ms), "jitter_window", "expected None"),
    (lambda: m.cross_correlogram(PAIR, (0, 1), **LAGS, confidence=1.0), "confidence = 1.0", "expected"),
    (lambda: m.cross_correlograms(ONE, **LAGS, predictor="shift"), "predictor = 'shift'", "at least two trials"),
    (lambda: m.law_of_total_covariance([0.1, 0.2, 1.0, 1.0], COUNTS), "stimulus has 0.1 once", ""),
    (lambda: m.signal_correlation([0, None, 1, 1], COUNTS), "stimulus has None", "drop these samples"),
    (lambda: m.noise_correlation(COUNTS, stimulus=[0, 1, 1]), "stimulus has shape (3,)", ""),
    (lambda: m.law_of_total_covariance([0, 1], [1, 2, 3]), "counts", "expected a neo.Block or an array (n_trials, n_neurons)"),
    (lambda: m.noise_correlation([[1, 2], [3]]), "block", "expected a neo.Block"),
    (lambda: m.signal_correlation([0, 1], NAN, bias=None), "counts", "holds NaN"),
    (lambda: m.noise_correlation(COUNTS, stimulus=[0, 1, 2, 3]), "each label has one trial", ""),
    (lambda: m.noise_correlation(COUNTS[:1]), "block has one trial", "cut a long recording into trials"),
    (lambda: m.signal_correlation([1, 1, 1, 1], COUNTS), "stimulus", "at least two stimuli"),
    (lambda: m.signal_correlation([0, 0, 0, 1], COUNTS), "a label has one trial", ""),
    (lambda: m.dimensionality(COUNTS[:3]), "3 trials", "needs at least 4"),
    (lambda: m.dimensionality(COUNTS, t_stop=1 * pq.s), "t_start and t_stop only crop", ""),
    (lambda: m.noise_correlation(COUNTS, window=1 * pq.s), "block = list object", ""),
    (lambda: m.spike_time_tiling([[0.1]], dt=0 * pq.s, **WINDOW), "dt", "greater than 0"),
]  # fmt: skip
SPECTRAL: Rows = [
    (lambda: m.coherence_information(signal(X), TRAIN, nperseg=4000), "nperseg", "fewer than two segments"),
    (lambda: m.coherence_information(signal(X), TRAIN, noverlap=512), "noverlap = 512", "expected"),
    (lambda: m.coherence_information(signal(X), TRAIN, f_max=600 * pq.Hz), "f_max", "above half the signal's sampling rate"),
    (lambda: m.coherence_information(signal(X), TRAIN, nperseg=1500, noverlap=0, t_stop=3 * pq.s), "nperseg", "leave no shift"),
    (lambda: m.coherence(signal(np.ones(4000)), TRAIN), "signal is constant", ""),
    (lambda: m.coherence(signal(X), neo.SpikeTrain([11.0], units="s", t_start=10.0, t_stop=12.0)), "signal", "share 0 samples"),
    (lambda: m.linear_reconstruction(signal(X), TRAIN, n_folds=1), "n_folds = 1", "expected"),
    (lambda: m.linear_reconstruction(signal(X), TRAIN, n_folds=40), "segments are too few", ""),
    (lambda: m.linear_reconstruction(signal(X), TRAIN, f_max=600 * pq.Hz), "f_max", "above half the signal's sampling rate"),
    (lambda: m.linear_reconstruction(signal(X), TRAIN, noverlap=512), "noverlap = 512", "expected"),
    (lambda: m.power_spectrum(ONE, sampling_rate=1 * pq.kHz, nperseg=2000, noverlap=0), "nperseg = 2000 samples are 2.0 s", ""),
    (lambda: m.power_spectrum(ONE, sampling_rate=1 * pq.kHz, nperseg=1000, noverlap=0), "nperseg", "a single segment gives"),
    (lambda: m.power_spectrum(ONE, sampling_rate=1 * pq.kHz, nperseg=100, noverlap=100), "noverlap = 100", "expected"),
    (lambda: m.power_spectrum(ONE, sampling_rate=0 * pq.Hz), "sampling_rate", "greater than 0"),
    (lambda: m.power_spectrum([[0.1]], sampling_rate=1 * pq.kHz), "pass t_start and t_stop", ""),
    (lambda: m.susceptibility(signal(np.ones(3000)), TRAIN), "signal is constant", ""),
    (lambda: m.susceptibility(signal(X), TRAIN, nperseg=3900, noverlap=0), "nperseg", "fewer than two segments"),
    (lambda: m.susceptibility(signal(X), TRAIN, noverlap=600), "noverlap = 600", "expected"),
    (lambda: m.susceptibility(X, TRAIN), "signal = ndarray of shape (", ""),
    (lambda: m.signal_spectrum(signal(X), window="hamm1ng"), "window = 'hamm1ng'", 'expected "multitaper" or a window'),
    (lambda: m.signal_spectrum(signal(X), nperseg=5000), "nperseg = 5000", "more samples than the signal has"),
    (lambda: m.signal_spectrum(signal(X), nperseg=100, noverlap=100), "noverlap = 100", "expected"),
    (lambda: m.signal_spectrum(signal(X), nw=0.5), "nw = 0.5", "expected"),
    (lambda: m.signal_spectrum(signal(X), nperseg=8, nw=4.0), "nw = 4", "expected less than half"),
    (lambda: m.signal_spectrum(signal(X), confidence=0), "confidence = 0", "expected"),
    (lambda: m.signal_coherence(signal(X), signal(X[::-1]), confidence=0), "confidence = 0", "expected"),
    (lambda: m.signal_coherence(signal(X), signal(X[1:])), "a has 4000 samples at 1000 Hz from 0 s, b has 3999", ""),
    (lambda: m.signal_coherence(signal(X), signal(np.ones(4000))), "b is constant", ""),
    (lambda: m.signal_coherence(signal(X), signal(X[::-1]), window="hann", nperseg=4000), "nperseg", "one segment with one taper"),
]  # fmt: skip
TEXTS = m.tuning_curve(["a", "b", "a", "b"], [1.0, 2.0, 3.0, 4.0])
RADIANS = m.tuning_curve(np.deg2rad(CIRCLE), COSINE)
SINGLE = m.tuning_curve(CIRCLE, COSINE)
DOUBLE = m.tuning_curve(np.repeat(CIRCLE, 2), np.repeat(COSINE, 2))
TUNING: Rows = [
    (lambda: m.tuning_curve([0, 90, 180], TWO), "stimulus has shape (3,)", "expected (2,)"),
    (lambda: m.tuning_curve([0, 90], [[1.0], [np.nan]]), "block[1] = [nan]", ""),
    (lambda: m.tuning_curve([0, 90], TWO, window=(0 * pq.s, 2 * pq.s)), "t_stop", ""),
    (lambda: m.tuning_curve([0, 90], TWO, window=[0, 1, 2] * pq.s), "window", "expected one time, or (start, stop)"),
    (lambda: m.tuning_curve([0, 90], [1, 2] * pq.mV), "block", "expected plain counts, or rates in Hz"),
    (lambda: m.tuning_curve([0 * pq.deg, 90 * pq.deg], TWO), "stimulus is a list of quantities", ""),
    (lambda: TEXTS.osi, "stimulus holds texts", "p('sparseness')"),
    (lambda: TEXTS.fit(), "stimulus holds texts", ""),
    (lambda: TEXTS.interval("preferred"), "texts have no order", ""),
    (lambda: RADIANS.dsi, "would be read as degrees", ""),
    (lambda: SINGLE.interval("dsi"), "has one trial", ""),
    (lambda: DOUBLE.interval("dsi", level=95), "level = 95", "expected"),
    (lambda: m.tuning_curve([*CIRCLE, 360.0], [*COSINE, 1.0]).dsi, "stimulus", "each once"),
    (lambda: m.tuning_curve([0, 90, 180] * pq.mV, [1, 2, 3]).fit("cosine"), "stimulus has the unit mV", ""),
    (lambda: m.tuning_curve([0, 120, 240], [1, 2, 3]).dsi_peak, "dsi_peak", "those at +180 degrees"),
    (lambda: m.tuning_curve([0, 90, 180, 270], [1, -2, 3, 2]).dsi, "block has a mean response of -2", "none below 0 for dsi"),
    (lambda: m.tuning_curve([0, 90, 180], [1, 2, 3]).fit("von_mises"), "von_mises", "has 4 parameters"),
    (lambda: SINGLE.fit("von_mises", period=60), "period", "fewer than 4 stimuli differ"),
    (lambda: SINGLE.fit("von_mise"), "model = 'von_mise'", "did you mean 'von_mises'"),
    (lambda: SINGLE.p("direction"), "name = 'direction'", "expected"),
    (lambda: SINGLE.fit("cosine").predict(3 * pq.mV), "stimulus = 3", "plain numbers"),
]  # fmt: skip


def test_each_room_names_the_argument_and_says_a_cure() -> None:
    for rows in (RATES, TIMING, CORRELATION, SPECTRAL, TUNING):
        assert_refused(rows)


BUSY = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.03, 20))
SILENT = make_block([[BUSY, []], [BUSY[:9], []]])
SILENCE: dict[str, Callable[[], Any]] = {
    **{name: lambda name=name: getattr(m, name)(SILENT)
       for name in ("cv", "cv2", "lv", "lvr", "fano_factor", "serial_correlation", "mean_spike_distance")},
    "fano_curve": lambda: m.fano_curve(SILENT, windows=[0.5, 0.25] * pq.s)[1][0],
    "allan_factor": lambda: m.allan_factor(SILENT, window=0.25 * pq.s),
    "rate_correlation": lambda: m.rate_correlation(SILENT, SILENT, sigma=10 * pq.ms),
    "spike_time_tiling": lambda: m.spike_time_tiling(SILENT, dt=5 * pq.ms)[0],
    "spike_triggered_average": lambda: average([signal(X)] * 2, SILENT).average[:, 0],
    "power_spectrum": lambda: m.power_spectrum(SILENT, sampling_rate=1 * pq.kHz).power[:, 0],
    "tuning_curve": lambda: m.tuning_curve(CIRCLE, np.c_[COSINE, 0 * COSINE]).osi,
}  # fmt: skip


def test_silent_neurons_are_nan_with_one_warning() -> None:
    for name, call in SILENCE.items():
        with one_silence("1 of 2 neurons"):
            assert np.isnan(call()).tolist() == [False, True], name


def test_silent_trains_have_no_spectra() -> None:
    for call in (
        lambda: m.coherence(signal(X), [[]])[1],
        lambda: m.coherence_information(signal(X), [[]]).value,
        lambda: m.susceptibility(signal(X), [[]]).chi,
        lambda: m.linear_reconstruction(signal(X), [[]]).information.value,
    ):
        with one_silence():
            assert np.isnan(call()).all()
