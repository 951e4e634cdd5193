"""Coverage of standard errors and of confidence limits with few trials: writes the table of docs/few_trials.md.

Each case draws the trials of many neurons whose true value is known, and returns value, se, lower, upper and the truth. With
`python docs/few_trials.py` the table is computed and written into the page; tests/measures/test_few_trials.py computes it again and
compares.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from nsnn_neuro import measures, tabulate, to_block

PAGE = Path(__file__).with_name("few_trials.md")
TRIALS = (5, 10, 20)
HEAD = "| measure | data | at two standard errors | at the limits |\n|---|---|---|---|\n"
Sample = tuple[Any, Any, Any, Any, Any]


def block_of(counts: np.ndarray) -> neo.Block:
    """Trials of 1 s with these numbers of spikes (n_trials, n_neurons), evenly spread."""
    return to_block([[np.linspace(0.1, 0.9, c) for c in trial] for trial in counts], t_stop=1 * pq.s)


def poisson(rng: np.random.Generator, n: int, size: int, rate: float, duration: float = 1.0) -> neo.Block:
    """Poisson trains of one rate."""
    trials = [
        [np.sort(rng.uniform(0, duration, c)) for c in rng.poisson(rate * duration, size)] for _ in range(n)
    ]
    return to_block(trials, t_stop=duration * pq.s)


def tabulated(block: neo.Block, measure: Callable[..., Any], truth: float) -> Sample:
    """The columns of `tabulate` with its limits."""
    table = tabulate(block, measure, confidence=0.95)
    return table["value"], table["se"], table["lower"], table["upper"], truth


def rate(rng: np.random.Generator, n: int) -> Sample:
    """Poisson trains of 8 Hz."""
    return tabulated(poisson(rng, n, 800, 8), measures.firing_rate, 8.0)


def tuning(rng: np.random.Generator, n: int, gain: bool) -> Sample:
    """Means of four stimuli, Poisson counts with or without an exponential gain."""
    mean = np.array([2.0, 5.0, 10.0, 20.0]).repeat(n)[:, None]
    x = rng.poisson(mean * (rng.exponential(size=(4 * n, 400)) if gain else 1.0) + np.zeros((1, 400)))
    curve = measures.tuning_curve(np.arange(4).repeat(n), x.astype(float))
    return curve.mean, curve.se, curve.lower, curve.upper, np.array([2.0, 5.0, 10.0, 20.0])


def difference(rng: np.random.Generator, n: int) -> Sample:
    """Of two windows of the same rate."""
    test = measures.response_test(poisson(rng, n, 800, 8), baseline=[0, 0.5] * pq.s, window=[0.5, 1] * pq.s)
    return test.difference, test.se, test.lower, test.upper, 0.0


def latency(rng: np.random.Generator, n: int) -> Sample:
    """Of the first spike after 50 ms, 20 Hz."""
    first = 0.05 + rng.exponential(0.05, (n, 800))
    block = to_block([[[t] for t in trial] for trial in first], t_stop=2 * pq.s)
    table = measures.response_statistics(np.zeros(n, int), block, window=[0, 2] * pq.s)
    columns = ("mean_latency", "latency_se", "latency_lower", "latency_upper")
    return *(table[name] for name in columns), 0.1


def fano(rng: np.random.Generator, n: int, mean: tuple[float, ...], gain: float = 0.1) -> Sample:
    """Counts of a gain that is gamma distributed: variance mean + gain mean^2."""
    stimulus, m = np.arange(len(mean)).repeat(n), np.array(mean)
    counts = rng.poisson(m[stimulus][:, None] * rng.gamma(1 / gain, gain, (stimulus.size, 800)))
    truth = 1 + gain * (m**2).sum() / m.sum()
    return tabulated(block_of(counts), partial(measures.fano_factor, stimulus=stimulus), truth)


def allan(rng: np.random.Generator, n: int) -> Sample:
    """Poisson trains of 20 Hz."""
    return tabulated(poisson(rng, n, 800, 20), partial(measures.allan_factor, window=100 * pq.ms), 1.0)


def gamma_trains(rng: np.random.Generator, n: int, size: int) -> neo.Block:
    """Gamma trains of shape 2 and 20 Hz, 1 s."""
    times = np.cumsum(rng.gamma(2, 1 / 40, (n, size, 90)), axis=2) - 1.0
    return to_block([[t[(t >= 0) & (t < 1)] for t in trial] for trial in times], t_stop=1 * pq.s)


def intervals(rng: np.random.Generator, n: int, measure: Callable[..., Any]) -> Sample:
    """The true value is that of very many such trials."""
    truth = float(measure(gamma_trains(rng, 1000, 1))[0])
    return tabulated(gamma_trains(rng, n, 800), measure, truth)


def bursts(rng: np.random.Generator, n: int) -> Sample:
    """Events of 10 Hz, 30 % of them pairs of spikes 3 ms apart, trials of 1 s."""

    def block(n_trials: int, size: int) -> neo.Block:
        trials = []
        for _ in range(n_trials):
            events = [rng.uniform(0, 1, c) for c in rng.poisson(10, size)]
            trials.append([np.sort(np.concatenate([e, e[rng.random(e.size) < 0.3] + 0.003])) for e in events])
        return to_block(trials, t_stop=1.1 * pq.s)

    return tabulated(block(n, 800), measures.burst_index, float(measures.burst_index(block(1500, 1))[0]))


def spectrum(rng: np.random.Generator, n: int, k: int) -> Sample:
    """Poisson trains of 20 Hz, whose power is their rate."""
    s = measures.power_spectrum(poisson(rng, n, 400, 20), sampling_rate=100 * pq.Hz, nperseg=50, noverlap=25)
    return s.power[:, k], s.se[:, k], s.lower[:, k], s.upper[:, k], 20.0


def coupling(rng: np.random.Generator, n: int) -> Sample:
    """4 neurons of 40 Hz in trials of 250 ms, gain of SD 0.4: 3 * 40 Hz * 0.16."""
    parts = []
    for _ in range(120):
        gains = rng.gamma(6.25, 0.16, n)
        trials = [[np.sort(rng.uniform(0, 0.25, rng.poisson(10 * g))) for _ in range(4)] for g in gains]
        block = to_block(trials, t_stop=0.25 * pq.s)
        parts.append(tabulated(block, partial(measures.population_coupling, bin_width=5 * pq.ms), 19.2))
    columns = zip(*(part[:4] for part in parts), strict=True)
    return *(np.concatenate(column) for column in columns), 19.2


def event(rng: np.random.Generator, n: int, jitter: bool) -> Sample:
    """Reliability or jitter of an event at 0.5 s in 80 % of the trials, jitter 5 ms."""
    rows: list[Any] = []
    while len(rows) < 300:
        trials = [[0.5 + 0.005 * rng.normal()] if rng.random() < 0.8 else [] for _ in range(n)]
        e = measures.firing_events(trials, sigma=20 * pq.ms, t_start=0 * pq.s, t_stop=1 * pq.s)
        if e.time.size != 1:  # no spike, or two events
            continue
        of_jitter = e.jitter, e.jitter_se, e.jitter_lower, e.jitter_upper
        of_event = e.reliability, e.reliability_se, e.reliability_lower, e.reliability_upper
        rows.append(of_jitter if jitter else of_event)
    return *np.array(rows)[..., 0].T, 0.005 if jitter else 0.8


def selectivity(rng: np.random.Generator, n: int, name: str, depth: float) -> Sample:
    """Eight directions, mean 10, modulated by this depth."""
    t = np.arange(8) * np.pi / 4
    mean = 10 * (1 + depth * np.cos(t - 1) + depth / 2 * np.cos(2 * (t - 1)))
    true = measures.tuning_curve(np.arange(8) * 45, mean[:, None])
    x = rng.poisson(mean.repeat(n)[:, None], (8 * n, 400)).astype(float)
    curve = measures.tuning_curve(np.arange(8).repeat(n) * 45, x)
    lower, upper = curve.interval(name, n_resample=300)
    return getattr(curve, name), np.nan * lower, lower, upper, getattr(true, name)


def phase(rng: np.random.Generator, n: int) -> Sample:
    """White signals, one of them with as much noise again; n Hann segments that overlap by half, about 0.9 n independent."""
    rows = []
    for _ in range(100):
        x, noise = rng.normal(size=(2, 50 * (n + 1)))
        a, b = (neo.AnalogSignal(y, units="mV", sampling_rate=1 * pq.kHz) for y in (x, x + noise))
        c = measures.signal_coherence(a, b, window="hann", nperseg=100)
        rows.append(np.array([c.phase, c.phase_se, c.phase_lower, c.phase_upper])[:, 5:45:4])
    return *np.concatenate(rows, axis=1), 0.0


def triggered(rng: np.random.Generator, n: int) -> Sample:
    """Mean of 200 channels that are correlated over 20 ms, at spikes that are not related to them."""
    noise = gaussian_filter1d(rng.normal(size=(n, 80, 200)), 2, axis=1)[:, 10:-10]
    signals = [neo.AnalogSignal(one, units="mV", sampling_rate=200 * pq.Hz) for one in noise]
    trains = [np.flatnonzero(rng.random(60) < 0.3) / 200 for _ in range(n)]
    sta = measures.spike_triggered_average(signals, trains, before=25 * pq.ms, after=0 * pq.ms)
    return sta.average[0], sta.se[0], np.nan, np.nan, 0.0


def gain_variance(rng: np.random.Generator, n: int) -> Sample:
    """Of counts of mean 10."""
    fit = measures.modulated_poisson(np.zeros(n, int), rng.poisson(10 * rng.gamma(4, 0.25, (n, 800))))
    return fit.gain_variance, fit.se, fit.lower, fit.upper, 0.25


def threshold(rng: np.random.Generator, n: int, history: float = 0.0) -> Sample:
    """Psychometric threshold 0 of width 4 and 2 % lapses; the last choice shifts it by `history`."""
    rows = []
    for _ in range(300):
        x = rng.permutation(np.repeat([-3.0, -1.5, -0.5, 0.5, 1.5, 3.0], n))
        choice, last = np.empty(x.size, dtype=int), 0.0
        for k, one in enumerate(x):
            p = 0.02 + 0.96 * ndtr(2 * 1.645 / 4 * (one + history * last))
            choice[k] = rng.random() < p
            last = 2 * choice[k] - 1
        t = measures.psychometric(x, choice, guess=None).threshold
        rows.append((t.value, t.se, t.lower, t.upper))
    return *np.array(rows).T, 0.0


CASES: dict[tuple[str, str], Callable[[np.random.Generator, int], Sample]] = {
    ("`firing_rate`", "Poisson, 8 Hz, 1 s"): rate,
    ("`tuning_curve`, mean", "Poisson counts, means of 2 to 20"): partial(tuning, gain=False),
    ("`tuning_curve`, mean", "the same, exponential gain"): partial(tuning, gain=True),
    ("`response_test`, difference", "Poisson, 8 Hz, windows of 0.5 s"): difference,
    ("`response_statistics`, latency", "first spike after 50 ms at 20 Hz"): latency,
    ("`fano_factor`", "one stimulus, mean 10, gain variance 0.1"): partial(fano, mean=(10.0,)),
    ("`fano_factor(stimulus=)`", "means of 4, 10, 20, gain variance 0.1"): partial(
        fano, mean=(4.0, 10.0, 20.0)
    ),
    ("`modulated_poisson`, gain variance", "one stimulus, mean 10, gain variance 0.25"): gain_variance,
    ("`allan_factor`", "Poisson, 20 Hz, windows of 0.1 s"): allan,
    ("`cv`", "gamma, CV 0.7, 20 Hz, 1 s"): partial(intervals, measure=measures.cv),
    ("`lv`", "the same"): partial(intervals, measure=measures.lv),
    ("`burst_index`", "30 % of events are pairs, 13 Hz"): bursts,
    ("`power_spectrum`, f = 0", "Poisson, 20 Hz, 1 s, segments of 0.5 s"): partial(spectrum, k=0),
    ("`power_spectrum`, f = 20 Hz", "the same"): partial(spectrum, k=10),
    ("`population_coupling`", "4 neurons, gain of SD 0.4 in a trial"): coupling,
    ("`tuning_curve.interval('osi')`", "8 directions, mean 10, OSI 0.05"): partial(
        selectivity, name="osi", depth=0.2
    ),
    ("`tuning_curve.interval('dsi')`", "the same, DSI 0.4"): partial(selectivity, name="dsi", depth=0.8),
    ("`tuning_curve.interval('sparseness')`", "the same, sparseness 0.04"): partial(
        selectivity, name="sparseness", depth=0.25
    ),
    ("`firing_events`, reliability", "0.8"): partial(event, jitter=False),
    ("`firing_events`, jitter", "the same, normal, 5 ms"): partial(event, jitter=True),
    ("`signal_coherence`, phase", "coherence 0.5; 5, 10 and 20 segments"): phase,
    ("`spike_triggered_average`", "signal correlated over 20 ms, trials of 0.3 s"): triggered,
    ("`psychometric`, threshold", "6 stimuli, trials of each, 2 % lapses"): threshold,
    ("`psychometric`, threshold", "the same, the last choice moves it by 0.1 of the width"): partial(
        threshold, history=0.4
    ),
}


def coverage(case: Callable[[np.random.Generator, int], Sample], n: int) -> tuple[float, float]:
    """Fractions of repeats whose two standard errors and whose limits contain the truth; NaN where there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, se, lower, upper, truth = (np.asarray(one, float) for one in case(np.random.default_rng(n), n))
    errors, limits = np.abs(value - truth) <= 2 * se, (lower <= truth) & (truth <= upper)
    return (
        np.nan if np.isnan(se).all() else float(errors.mean()),
        np.nan if np.isnan(upper).all() else float(limits.mean()),
    )


def row(name: str, data: str) -> str:
    """A row of the table: percentages with 5, 10 and 20 trials."""
    both = np.array([coverage(CASES[name, data], n) for n in TRIALS])
    errors, limits = (
        "none" if np.isnan(column).all() else ", ".join(f"{100 * one:.0f}" for one in column)
        for column in both.T
    )
    return f"| {name} | {data} | {errors} | {limits} |\n"


if __name__ == "__main__":
    text = PAGE.read_text()
    start = text.index(HEAD)
    end = text.index("\n\n", start) + 1
    PAGE.write_text(text[:start] + HEAD + "".join(row(*key) for key in CASES) + text[end:])
