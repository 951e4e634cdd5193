"""Coverage of errors and uniformity of p of the information measures: writes the tables of docs/information_regimes.md.

Each case draws experiments whose truth is known: from a law of stimuli and responses, by enumeration; of time series, in closed
form or from millions of bins. `python docs/information_regimes.py` computes both tables in some minutes and writes them;
tests/measures/test_measures_regimes.py computes parts of them again.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import signal, stats

from nsnn_neuro import measures
from nsnn_neuro.measures import Estimate

PAGE = Path(__file__).with_name("information_regimes.md")
REPEATS, REPEATS_P = 200, 500
TRIALS = (20, 50, 200)
N_STIMULI = 8
PARTS = ("redundant", "unique_1", "unique_2", "synergistic")
COVERAGE = (
    "| measure | data | size | truth (bit) | within two errors | without a warning | within two errors or warned |\n"
    "|---|---|---|---|---|---|---|\n"
)
UNIFORM = "| measure | data without what p tests | p <= 0.05 | KS |\n|---|---|---|---|\n"
Rng = np.random.Generator


class Once(NamedTuple):
    """Estimates of one experiment and their truths, by the row's name."""

    estimates: dict[str, Estimate]
    truth: dict[str, float]


Case = Callable[[int, int], Iterator[Once]]  # of n and the number of repeats


# --- trials: laws of (s, r1, r2), each stimulus with the same probability ---


def _tuned(centre: float, gain: float) -> np.ndarray:
    """(8, 3) probabilities of 0, 1 and more spikes."""
    mean = gain * (0.4 + 2 * np.exp(-((np.linspace(0, 1, N_STIMULI) - centre) ** 2) / 0.125))
    p = np.stack([np.exp(-mean), mean * np.exp(-mean)], axis=1)
    return np.column_stack([p, 1 - p.sum(1)])


def _mixed(centres: tuple[float, float], gains: tuple[float, ...]) -> np.ndarray:
    """Two neurons that share the gain of a trial."""
    pairs = [_tuned(centres[0], g)[:, :, None] * _tuned(centres[1], g)[:, None, :] for g in gains]
    return np.mean(pairs, axis=0)


def _refractory() -> np.ndarray:
    """The first and the last two of four bins of one neuron; a bin after a spike has a tenth of the probability."""
    bits = np.array(np.unravel_index(np.arange(16), (2,) * 4)).T
    x = np.linspace(0, 1, N_STIMULI)[:, None]
    drive = 0.05 + 0.45 * np.exp(-((x - np.array([0.2, 0.4, 0.6, 0.8])) ** 2) / 0.05)
    before = np.column_stack([np.zeros(16, int), bits[:, :-1]])
    p = drive[:, None, :] * np.where(before, 0.1, 1.0)
    return np.where(bits, p, 1 - p).prod(-1).reshape(N_STIMULI, 4, 4)


LAWS: dict[str, np.ndarray] = {
    "independent": _mixed((0.3, 0.7), (1.0,)),
    "common gain": _mixed((0.3, 0.7), (0.2, 1.8)),
    "refractory": _refractory(),
    "common gain, no information": np.repeat(_mixed((0.3, 0.7), (0.2, 1.8)).mean(0)[None], N_STIMULI, axis=0),
}
LAWS = {name: law / law.sum() for name, law in LAWS.items()}


def _choice(law: np.ndarray) -> np.ndarray:
    """Law of stimulus, first response and a choice: whether the response has a spike, wrong in a tenth of the trials."""
    joint = law.sum(2)
    high = np.arange(joint.shape[1]) >= 1
    follow = np.where(high, 0.9, 0.1)
    return joint[:, :, None] * np.stack([1 - follow, follow], axis=1)


def draw(rng: Rng, law: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    """n trials of each stimulus, as columns."""
    n_s, *sizes = law.shape
    cells = np.concatenate([rng.choice(p.size, n, p=p / p.sum()) for p in law.reshape(n_s, -1)])
    return np.repeat(np.arange(n_s), n), *np.unravel_index(cells, sizes)


@cache
def _exact(name: str, measure: str) -> dict[str, float]:
    """Truth, from trials in very nearly the proportions of the law."""
    law = _choice(LAWS[name]) if measure == "intersection" else LAWS[name]
    counts = np.rint(law * 400_000).astype(int)
    s, a, b = np.repeat(np.argwhere(counts >= 0), counts.ravel(), axis=0).T
    plain: dict[str, Any] = {"bias": "none", "n_shuffle": 0}
    if measure == "conditional":
        return {"": measures.conditional_information(s, b, a, **plain).value}
    if measure == "intersection":
        return {"": measures.intersection_information(s, a, b, **plain).value}
    return {key: part.value for key, part in measures.partial_information(s, a, b, **plain).items()}


def trials(n: int, repeats: int, *, law: str, measure: str) -> Iterator[Once]:
    """Experiments of n trials per stimulus."""
    rng, truth = np.random.default_rng(n), _exact(law, measure)
    for seed in range(repeats):
        columns = draw(rng, _choice(LAWS[law]) if measure == "intersection" else LAWS[law], n)
        if measure == "conditional":
            s, a, b = columns
            yield Once({"": measures.conditional_information(s, b, a, n_shuffle=0)}, truth)
        elif measure == "intersection":
            yield Once({"": measures.intersection_information(*columns, n_shuffle=0, seed=seed)}, truth)
        else:
            yield Once(measures.partial_information(*columns, n_shuffle=0, seed=seed), truth)


# --- time series ---


def spikes(rng: Rng, shape: tuple[int, int], coupling: float, shared: bool) -> np.ndarray:
    """Trains (2, n, bins of 5 ms): refractory y, which x drives, both with gains that last half a second."""
    n, n_bins = shape
    blocks = rng.normal(size=(1 if shared else 2, n, n_bins // 100))
    gain = np.exp(0.3 * np.repeat(blocks, 100, axis=2))
    x, chance = rng.random(shape) < 0.1 * gain[0], rng.random(shape)
    y = np.zeros(shape, bool)
    for t in range(1, n_bins):
        y[:, t] = chance[:, t] < np.where(y[:, t - 1], 0.01, 0.05 * gain[-1, :, t] + coupling * x[:, t - 1])
    return np.array([x, y])


def counts(trains: np.ndarray) -> np.ndarray:
    """Counts in bins of 20 ms, as floats."""
    n, n_bins = trains.shape[1:]
    return trains.reshape(2, n, n_bins // 4, 4).sum(-1).astype(float)


def autoregressive(rng: Rng, shape: tuple[int, int], coupling: float, memory: float) -> np.ndarray:
    """x = memory x' + e, y = .4 y' + coupling x' + n; independent ones, without coupling, have the same memory."""
    e = rng.normal(size=(2, shape[0], shape[1] + 200))
    x = signal.lfilter([1], [1, -memory], e[0])
    own = 0.4 if coupling else memory
    y = signal.lfilter([1], [1, -own], e[1] + coupling * np.concatenate([0 * x[:, :1], x[:, :-1]], axis=1))
    return np.array([x, y])[..., 200:]


def modulated(rng: Rng, shape: tuple[int, int], coupling: float) -> np.ndarray:
    """The autoregressive pair with a common gain of both noises, of two states that last 50 bins on average."""
    state = np.cumsum(rng.random((shape[0], shape[1])) < 0.02, axis=1) % 2
    gain = np.where(state, 1.5, 0.5)
    x, y = np.zeros((2, *shape))
    e = rng.normal(size=(2, *shape)) * gain
    for t in range(1, shape[1]):
        x[:, t] = 0.5 * x[:, t - 1] + e[0, :, t]
        y[:, t] = 0.4 * y[:, t - 1] + coupling * x[:, t - 1] + e[1, :, t]
    return np.array([x, y])


Make = Callable[[Rng, tuple[int, int]], np.ndarray]
SERIES: dict[tuple[str, str], tuple[Make, dict[str, Any], int, int]] = {  # make, options, bins, bins for the truth
    ("discrete", "100 s of spikes, common gain, refractory, driven"): (
        partial(spikes, coupling=0.3, shared=True), {}, 20_000, 2_000_000),
    ("discrete", "the same, weakly driven"): (partial(spikes, coupling=0.05, shared=True), {}, 20_000, 2_000_000),
    ("discrete", "the same, not driven"): (partial(spikes, coupling=0.0, shared=True), {}, 20_000, 2_000_000),
    ("discrete", "the same, gains of their own"): (partial(spikes, coupling=0.0, shared=False), {}, 20_000, 0),
    ("discrete", "driven, k = l = 3, bootstrap"): (
        partial(spikes, coupling=0.3, shared=True), {"k": 3, "l": 3, "n_resample": 100}, 20_000, 2_000_000),
    ("gaussian", "counts of the driven trains in bins of 20 ms"): (
        lambda rng, shape: counts(spikes(rng, (shape[0], 4 * shape[1]), 0.3, True)), {}, 5000, 500_000),
    ("gaussian", "autoregressive pair"): (partial(autoregressive, coupling=0.6, memory=0.5), {}, 500, -1),
    ("gaussian", "the same with a common gain"): (partial(modulated, coupling=0.6), {}, 2000, 500_000),
    ("gaussian", "independent, memory of 20 bins"): (partial(autoregressive, coupling=0.0, memory=0.95), {}, 500, 0),
    ("gaussian", "the same, bootstrap"): (
        partial(autoregressive, coupling=0.0, memory=0.95), {"n_resample": 100}, 500, 0),
    ("ksg", "autoregressive pair"): (partial(autoregressive, coupling=0.6, memory=0.5), {}, 500, -1),
    ("ksg", "the same, longer"): (partial(autoregressive, coupling=0.6, memory=0.5), {}, 1000, -1),
    ("ksg", "independent, memory of 20 bins"): (partial(autoregressive, coupling=0.0, memory=0.95), {}, 500, 0),
}  # fmt: skip
CLOSED = 0.2610512384  # of the autoregressive pair with coupling .6 and memory .5, k = l = 1


@cache
def _series_truth(key: tuple[str, str]) -> float:
    make, options, n, n_truth = SERIES[key]
    if n_truth <= 0:
        return CLOSED if n_truth else 0.0
    x, y = make(np.random.default_rng(99), (n_truth // n, n))
    own = {name: value for name, value in options.items() if name != "n_resample"}
    return measures.transfer_entropy(x, y, estimator=key[0], n_shuffle=0, **own).value


def series(n: int, repeats: int, *, key: tuple[str, str]) -> Iterator[Once]:
    """Pairs of series, estimated with 20 surrogates, as warnings need some."""
    make, options, _, _ = SERIES[key]
    pairs = make(np.random.default_rng(n), (repeats, n))
    for seed in range(repeats):
        x, y = pairs[:, seed]
        result = measures.transfer_entropy(x, y, estimator=key[0], n_shuffle=20, seed=seed, **options)
        yield Once({"": result}, {"": _series_truth(key)})


# --- coverage ---


def covered(case: Case, n: int, repeats: int) -> dict[str, tuple[float, ...]]:
    """Of each estimate: truth, and the fractions within two errors, without a warning, and within two errors or warned."""
    rows: dict[str, list[tuple[bool, bool]]] = {}
    truth: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for once in case(n, repeats):
            truth = once.truth
            for name, one in once.estimates.items():
                inside = abs(one.value - truth[name]) <= 2 * one.se
                rows.setdefault(name, []).append((bool(inside), one.warning is None))
    out = {}
    for name, row in rows.items():
        inside, quiet = np.array(row).T
        out[name] = (truth[name], inside.mean(), quiet.mean(), (inside | ~quiet).mean())
    return out


def coverage_cases() -> dict[tuple[str, str, str], tuple[Case, int]]:
    """Rows of the first table: measure, data, size -> case and its n."""
    out: dict[tuple[str, str, str], tuple[Case, int]] = {}
    names = {
        "conditional": "`conditional_information(s, r2, r1)`",
        "partial": "`partial_information`",
        "intersection": "`intersection_information`",
    }
    for measure, title in names.items():
        for law in LAWS:
            for n in TRIALS:
                out[title, law, f"{n} trials"] = partial(trials, law=law, measure=measure), n
    for key in SERIES:
        n = SERIES[key][2]
        out[f'`transfer_entropy`, "{key[0]}"', key[1], f"{n} bins"] = partial(series, key=key), n
    return out


def coverage_rows(key: tuple[str, str, str], repeats: int = REPEATS) -> str:
    """Rows of the table of one case, one for each part."""
    case, n = coverage_cases()[key]
    lines = ""
    for name, (truth, inside, quiet, good) in covered(case, n, repeats).items():
        title = f"{key[0]}, {name}" if name else key[0]
        shares = " | ".join(f"{100 * share:.0f} %" for share in (inside, quiet, good))
        lines += f"| {title} | {key[1]} | {key[2]} | {truth:.3g} | {shares} |\n"
    return lines


# --- p without what it tests ---


def _p_conditional(rng: Rng, seed: int) -> list[Estimate]:
    law = LAWS["common gain"]
    alone = law.sum(0) / law.sum((0, 2))[:, None] / N_STIMULI  # r2 depends on r1 only
    s, r1, _ = draw(rng, law, 20)
    r2 = np.array([rng.choice(3, p=N_STIMULI * alone[one]) for one in r1])
    return [measures.conditional_information(s, r2, r1, n_shuffle=19, seed=seed)]


def _p_series(rng: Rng, seed: int, *, make: Make, n: int, **options: Any) -> list[Estimate]:
    (x,), (y,) = make(rng, (1, n))
    return [measures.transfer_entropy(x, y, n_shuffle=19, seed=seed, **options)]


def _p_locked(rng: Rng, seed: int) -> list[Estimate]:
    """Spikes of both follow the stimulus."""
    x, y = (rng.random((2, 20, 50)) < 0.1 + 0.4 * (np.arange(50) // 10 % 2)).astype(int)
    return [measures.transfer_entropy(x, y, null="trial_shuffle", n_shuffle=19, seed=seed)]


def _p_partial(rng: Rng, seed: int) -> list[Estimate]:
    parts = measures.partial_information(
        *draw(rng, LAWS["common gain, no information"], 20), bias="none", n_shuffle=19, seed=seed
    )
    return [parts[name] for name in PARTS]


def _p_intersection(rng: Rng, seed: int) -> list[Estimate]:
    """The response follows neither the stimulus nor the choice, which follows the stimulus."""
    s, r, _ = draw(rng, LAWS["common gain, no information"], 20)
    choice = (s >= N_STIMULI // 2) ^ (rng.random(s.size) < 0.2)
    return [measures.intersection_information(s, r, choice, bias="none", n_shuffle=19, seed=seed)]


def _bits(rng: Rng, shape: tuple[int, int]) -> np.ndarray:
    return (np.cumsum(rng.random((2, *shape)) > 0.9, axis=2) % 2).astype(int)


def _apart(rng: Rng, shape: tuple[int, int]) -> np.ndarray:
    """Spikes whose rates follow stationary gains that last 50 bins."""
    slow = signal.lfilter([np.sqrt(1 - 0.98**2)], [1, -0.98], rng.normal(size=(2, shape[0], shape[1] + 400)))
    return (rng.random((2, *shape)) < 1 / (1 + np.exp(2 - 1.5 * slow[..., 400:]))).astype(int)


UNIFORM_CASES: dict[tuple[str, str], Callable[[Rng, int], list[Estimate]]] = {
    ("`conditional_information(s, r2, r1)`", "r2 depends on r1 only; 8 x 20 trials"): _p_conditional,
    ('`transfer_entropy`, "discrete"', "bits that last 10 bins; 300 bins"): partial(_p_series, make=_bits, n=300),
    ('`transfer_entropy`, "discrete"', "spikes with slow gains of their own; 10 s"): partial(
        _p_series, make=_apart, n=2000),
    ('`transfer_entropy`, "discrete", blocks', "the same"): partial(
        _p_series, make=_apart, n=2000, null="block", block_length=200),
    ('`transfer_entropy`, "discrete", other trials', "spikes locked to a stimulus; 20 trials of 50 bins"): _p_locked,
    ('`transfer_entropy`, "gaussian"', "memory of 20 bins; 300 bins"): partial(
        _p_series, make=partial(autoregressive, coupling=0.0, memory=0.95), n=300, estimator="gaussian"),
    ('`transfer_entropy`, "ksg"', "memory of 10 bins; 200 bins"): partial(
        _p_series, make=partial(autoregressive, coupling=0.0, memory=0.9), n=200, estimator="ksg"),
    ("`partial_information`", "common gain, no information; 8 x 20 trials"): _p_partial,
    ("`intersection_information`", "choices follow the stimulus; 8 x 20 trials"): _p_intersection,
}  # fmt: skip


def p_values(key: tuple[str, str], repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """p (repeats, parts), and the same less a uniform part of their step of 1/20."""
    rng = np.random.default_rng(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = np.array([[one.p for one in UNIFORM_CASES[key](rng, seed)] for seed in range(repeats)], float)
    return p, p - rng.random(p.shape) / 20


def uniform_rows(key: tuple[str, str], repeats: int = REPEATS_P) -> str:
    """Rows of the second table: the share of p up to 0.05, and p of the Kolmogorov-Smirnov test."""
    p, spread = p_values(key, repeats)
    parts = PARTS if p.shape[1] > 1 else ("",)
    lines = ""
    for k, part in enumerate(parts):
        ks = stats.kstest(spread[:, k], "uniform").pvalue
        title = f"{key[0]}, {part}" if part else key[0]
        lines += f"| {title} | {key[1]} | {100 * np.mean(p[:, k] <= 0.05 + 1e-9):.1f} % | {ks:.2g} |\n"
    return lines


def _write(head: str, body: str) -> None:
    text = PAGE.read_text()
    start = text.index(head)
    end = text.index("\n\n", start) + 1
    PAGE.write_text(text[:start] + head + body + text[end:])


if __name__ == "__main__":
    if "--quick" in sys.argv:
        for key in coverage_cases():
            print(coverage_rows(key, 10), end="", flush=True)
        for pair in UNIFORM_CASES:
            print(uniform_rows(pair, 20), end="", flush=True)
    else:
        _write(COVERAGE, "".join(coverage_rows(key) for key in coverage_cases()))
        _write(UNIFORM, "".join(uniform_rows(pair) for pair in UNIFORM_CASES))
