"""Level of tests and coverage of errors for trains with a rhythm or memory: writes a table of docs/few_trials.md.

Each case makes neurons of one kind of train (`KINDS`) and returns p-values without an effect, or value, se and the truth. The seed
is fixed. `python docs/recording_tests.py` writes the table into the page, in about five minutes of CPU time;
tests/measures/test_few_trials.py computes some rows again and compares.
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
from scipy.signal import lfilter

from nsnn_neuro import align, measures, select, to_block

PAGE = Path(__file__).with_name("few_trials.md")
HEAD = (
    "| measure | data | Poisson | bursts | slow gain | regular | adapting |\n|---|---|---|---|---|---|---|\n"
)
KINDS = ("Poisson", "bursts", "slow gain", "regular", "adapting")
DT = 1e-3  # s


def slow(rng: np.random.Generator, n: int, size: int, tau: float) -> np.ndarray:
    """(n, size) Gaussian signals of SD 1 in steps of DT, with a correlation time of tau (s)."""
    keep, before = np.exp(-DT / tau), int(5 * tau / DT)
    x = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.normal(size=(n, before + size)), axis=1)
    return x[:, before:]


def adapting(rng: np.random.Generator, n: int, size: int) -> list[np.ndarray]:
    """Noisy integrate-and-fire neurons with a current that grows with each spike and decays within 100 ms."""
    v, a, fired = rng.random(n), np.full(n, 0.5), np.zeros((size + 500, n), dtype=bool)
    for row in fired:
        v += 0.1 * (1.6 - v - a) + 0.2 * rng.normal(size=n)
        row[:] = v > 1
        v[row] = 0.0
        a += 0.25 * row - 0.01 * a
    return [np.flatnonzero(neuron) * DT for neuron in fired[500:].T]


def trains(kind: str, rng: np.random.Generator, n: int, duration: float) -> list[np.ndarray]:
    """N stationary trains of about 20 Hz, sorted times in s; the statistics of each kind are in the page."""
    size = round(duration / DT)
    if kind == "Poisson":
        times = [rng.uniform(0, duration, c) for c in rng.poisson(20 * duration, n)]
    elif kind == "bursts":
        first = [rng.uniform(-0.1, duration, c) for c in rng.poisson(7 * (duration + 0.1), n)]
        times = [
            np.concatenate([t, t + rng.uniform(0.003, 0.008, t.size), t + rng.uniform(0.01, 0.016, t.size)])
            for t in first
        ]
    elif kind == "slow gain":
        rate = 20 * DT * np.exp(0.6 * slow(rng, n, size, 0.2) - 0.18)
        times = [(np.flatnonzero(row) + rng.random()) * DT for row in rng.random((n, size)) < rate]
    elif kind == "regular":
        steps = rng.gamma(6, 1 / 120, (n, int(20 * duration + 40 + 20 * np.sqrt(duration))))
        times = [np.cumsum(row) - rng.uniform(0.3, 0.8) for row in steps]
    else:
        times = adapting(rng, n, size)
    return [np.sort(t[(t >= 0) & (t < duration)]) for t in times]


def trials(kind: str, rng: np.random.Generator, n: int, n_trials: int, duration: float) -> neo.Block:
    """Trials of n neurons, cut from a long recording with breaks of 0.4 s."""
    period = duration + 0.4
    edges = period * np.arange(1, n_trials)
    whole = trains(kind, rng, n, period * n_trials)
    parts = [np.split(train, np.searchsorted(train, edges)) for train in whole]
    rows = [[train[k] - period * k for train in parts] for k in range(n_trials)]
    return to_block([[t[t < duration] for t in row] for row in rows], t_stop=duration * pq.s)


def analog(x: np.ndarray, rate: float, t_start: float = 0.0) -> neo.AnalogSignal:
    """A signal in mV."""
    return neo.AnalogSignal(x, units="mV", sampling_rate=rate * pq.Hz, t_start=t_start * pq.s)


def thinned(
    rng: np.random.Generator, whole: list[np.ndarray], kept: np.ndarray, rate: float = 1 / DT
) -> list[np.ndarray]:
    """Spikes kept with a probability that is sampled at `rate` (Hz)."""
    return [
        t[rng.random(t.size) < kept[np.minimum(np.rint(t * rate).astype(int), kept.size - 1)]] for t in whole
    ]


# --- p without an effect ---


def locking_to_frequency(kind: str, rng: np.random.Generator, n: int = 500) -> np.ndarray:
    """5 trials of 3 s, 20 Hz: the rate of the neurons."""
    block = trials(kind, rng, n, 5, 3.0)
    return measures.phase_locking(20 * pq.Hz, block, n_surrogates=99).p


def locking_to_field(kind: str, rng: np.random.Generator, n: int = 500) -> np.ndarray:
    """A trial of 15 s, another field for every 25 neurons."""
    p = []
    for k in range(n // 25):
        field = analog(rng.normal(size=8500), 500.0, -1.0)
        block = to_block([trains(kind, rng, 25, 15.0)], t_stop=15 * pq.s)
        p.append(measures.phase_locking(field, block, band=[15, 25] * pq.Hz, n_surrogates=99, seed=k).p)
    return np.concatenate(p)


def responds(kind: str, rng: np.random.Generator, n: int = 500, method: str = "zeta") -> np.ndarray:
    """40 trials, windows of 300 ms."""
    block = trials(kind, rng, n, 40, 0.6)
    windows = {"baseline": [0, 0.3] * pq.s, "response": [0.3, 0.6] * pq.s}
    return measures.responsive_units(block, method=method, n_resample=0, **windows).p


def zeta(kind: str, rng: np.random.Generator, n: int = 500) -> np.ndarray:
    """40 trials aligned to an event, at least 300 ms after it."""
    block = align(trials(kind, rng, n, 40, 0.6), rng.uniform(0.1, 0.3, 40) * pq.s)
    return measures.zeta_test(block).p


def warp_p(kind: str, rng: np.random.Generator, n: int = 500) -> np.ndarray:
    """12 trials of 0.6 s, 4 neurons."""
    options = {"sigma": 20 * pq.ms, "max_shift": 60 * pq.ms, "n_shuffle": 19}
    whole = trials(kind, rng, 4 * n, 12, 0.6)
    parts = (select(whole, units=np.arange(4 * k, 4 * k + 4)) for k in range(n))
    return np.array([measures.fit_warp(block, **options, seed=k).p for k, block in enumerate(parts)])


def place(rng: np.random.Generator, duration: float) -> neo.AnalogSignal:
    """A path between walls 100 cm apart."""
    x = np.cumsum(rng.normal(0, 4, int(30 * duration)))
    return neo.AnalogSignal(100 - np.abs(x % 200 - 100), units="cm", sampling_rate=30 * pq.Hz)


def map_p(kind: str, rng: np.random.Generator, n: int = 500) -> np.ndarray:
    """120 s, another path for every 25 neurons."""
    p = []
    for k in range(n // 25):
        block = to_block([trains(kind, rng, 25, 120.0)], t_stop=120 * pq.s)
        p.append(measures.rate_map(place(rng, 120.0), block, bins=10).information(n_shuffle=39, seed=k).p)
    return np.concatenate(p)


# --- value, se and truth ---


def modulation(kind: str, rng: np.random.Generator, n: int = 500) -> tuple[Any, Any, Any]:
    """30 cycles of 2 Hz, ratio 0.6."""
    kept = (1 + 0.6 * np.sin(4 * np.pi * np.arange(0, 15, DT))) / 1.6
    spikes = thinned(rng, trains(kind, rng, n, 15.0), kept)
    table = measures.modulation_ratio(2 * pq.Hz, to_block([spikes], t_stop=15 * pq.s))
    return table.ratio, table.se, 0.6


def fano_in_windows(
    kind: str, rng: np.random.Generator, n: int = 500, limits: bool = False
) -> tuple[Any, Any, Any]:
    """40 trials, windows of 200 ms; the truth is that of 10,000 other trials. Of limits the middle and a quarter of the length."""
    options = {"window": 200 * pq.ms, "step": 200 * pq.ms, "confidence": 0.95}

    def of(size: int, m: int) -> Any:
        block = trials(kind, rng, size, m, 0.6)
        return measures.over_time(measures.fano_factor, block, **options)

    truth, table = of(5, 2000).value.mean(), of(n, 40)
    if limits:
        return (table.lower + table.upper) / 2, (table.upper - table.lower) / 4, truth
    return table.value, table.se, truth


def field_coherence(kind: str, rng: np.random.Generator, n: int = 500) -> tuple[Any, Any, Any]:
    """20 trials of 2 s, mean of 15 to 25 Hz; the truth is that of 2,000 other trials."""

    def of(size: int, m: int) -> Any:
        x = slow(rng, 1, 2000 * m, 0.02)[0]
        spikes = thinned(rng, trains(kind, rng, size, 2.0 * m), 1 / (1 + np.exp(-1.5 * x)))
        parts = [np.split(t, np.searchsorted(t, 2.0 * np.arange(1, m))) for t in spikes]
        block = to_block(
            [[np.clip(train[k] - 2.0 * k, 0, 2) for train in parts] for k in range(m)], t_stop=2 * pq.s
        )
        fields = [analog(field, 1000.0) for field in x.reshape(m, 2000)]
        return measures.spike_field_coherence(fields, block, band=[15, 25] * pq.Hz, nperseg=500, noverlap=250)

    truth, parts = of(4, 500).band_mean.mean(), [of(10, 20) for _ in range(n // 10)]
    return (
        np.concatenate([part.band_mean for part in parts]),
        np.concatenate([part.band_se for part in parts]),
        truth,
    )


def map_rate(kind: str, rng: np.random.Generator, n: int = 500) -> tuple[Any, Any, Any]:
    """10 bins, 300 s, another path for every 25 neurons; the truth is the mean over neurons."""
    values, errors = [], []
    for _ in range(n // 25):
        path = place(rng, 300.0)
        kept = 0.1 + 0.009 * path.magnitude[:, 0]
        spikes = thinned(rng, trains(kind, rng, 25, 300.0), kept, 30.0)
        result = measures.rate_map(path, to_block([spikes], t_stop=300 * pq.s), bins=np.linspace(0, 100, 11))
        values.append(result.rate)
        errors.append(result.se)
    value = np.concatenate(values)
    return value, np.concatenate(errors), value.mean(axis=0)


CASES: dict[tuple[str, str], Callable[..., Any]] = {
    ("`phase_locking`, surrogates", "a drive of 20 Hz, 5 trials of 3 s"): locking_to_frequency,
    ("`phase_locking`, surrogates", "a noisy field, 15 to 25 Hz, 15 s"): locking_to_field,
    ('`responsive_units`, "zeta"', "40 trials, windows of 0.3 s"): responds,
    ('`responsive_units`, "paired"', "the same"): partial(responds, method="paired"),
    ("`zeta_test`", "40 aligned trials, 0.3 s"): zeta,
    ("`fit_warp`, held-out neurons", "12 trials of 0.6 s, 4 neurons"): warp_p,
    ("`RateMap.information`", "10 bins, 120 s"): map_p,
    ("`rate_map`, `se`", "10 bins, 300 s"): map_rate,
    ("`modulation_ratio`, `se`", "30 cycles, ratio 0.6"): modulation,
    ("`over_time` of `fano_factor`, `se`", "40 trials, windows of 0.2 s"): fano_in_windows,
    ("`over_time` of `fano_factor`, limits", "the same"): partial(fano_in_windows, limits=True),
    ("`spike_field_coherence`, `band_se`", "20 trials of 2 s, coherence 0.01 to 0.04"): field_coherence,
}


def cell(case: Callable[..., Any], kind: str) -> str:
    """Percentages of one kind of train: p up to 0.05 and 0.5, or values within two errors of the truth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = case(kind, np.random.default_rng(1))
    if isinstance(result, tuple):
        value, se, truth = (np.asarray(part, float) for part in result)
        return f"{100 * np.mean(np.abs(value - truth) <= 2 * se):.0f}"
    p = np.asarray(result, float)
    return f"{100 * np.mean(p <= 0.05):.1f}; {100 * np.mean(p <= 0.5):.0f}"


def row(name: str, data: str) -> str:
    """A row of the table."""
    return f"| {name} | {data} | {' | '.join(cell(CASES[name, data], kind) for kind in KINDS)} |\n"


if __name__ == "__main__":
    rows = "".join(row(*key) for key in CASES)
    text = PAGE.read_text()
    start = text.index(HEAD)
    PAGE.write_text(text[:start] + HEAD + rows + text[text.index("\n\n", start) + 1 :])
