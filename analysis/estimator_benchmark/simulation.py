"""Channels of known information, and the run of the study: estimates on repeats of each channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate, stats

from nsnn_neuro import measures

from ..harness import Progress, quiet
from .config import Config

ESTIMATORS = {
    "plugin": "#555555",
    "miller-madow": "#B0B0B0",
    "panzeri-treves": "#0072B2",
    "quadratic": "#56B4E9",
    "shuffle": "#009E73",
    "chao-shen": "#E69F00",
    "grassberger": "#6A3D9A",
    "best-upper-bound": "#CC79A7",
    "nsb": "#A8201A",
    "auto": "#000000",
    "ksg": "#7B5B3A",
    "gaussian-copula": "#D55E00",
}
DISCRETE = list(ESTIMATORS)[:9]
BINS, STIMULI, SYMBOLS = 6, 8, 100
KINDS = ("independent", "refractory", "gain of two states", "gain of three states")
ON_WORDS = ("panzeri-treves", "shuffle", "nsb", "chao-shen", "grassberger", "auto")
_GAINS = {
    "gain of two states": ((0.2, 0.5), (1.8, 0.5)),
    "gain of three states": ((0.1, 0.3), (1.0, 0.4), (2.0, 0.3)),
}
_LOW, _HIGH = 0.03, 0.45  # probability of a spike in a bin, far from the peak of the stimulus and at it
Estimates = Callable[[int, np.random.Generator], Iterator[tuple[str, measures.Estimate]]]


class Channel(NamedTuple):
    """A channel: its true value (bits), its sizes, and a function that returns the estimates of one repeat by name."""

    name: str
    truth: float
    sizes: tuple[int, ...]
    alphabet: int  # number of symbols, 1 if continuous
    estimate: Estimates
    shown: bool = True  # in the figure


def _information(joint: np.ndarray) -> float:
    """I(S; R) in bits of a table of probabilities."""
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum())


def word_law(
    kind: str, n_stimuli: int, bins: int, *, informative: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """All words (2^bins, bins) and their probabilities (n_stimuli, 2^bins), by enumeration.

    Each stimulus has a bump of firing at its own time. "independent": bins are independent given the stimulus; "refractory": a
    spike reduces the probability in the next bin to a tenth; "gain ...": a random factor for all bins of a trial, with two or
    three values. Without `informative` all stimuli have the same time.
    """
    time, s = np.arange(bins), np.arange(n_stimuli)[:, None]
    peak = (bins - 1) * s / (n_stimuli - 1)
    rate = _LOW + (_HIGH - _LOW) * np.exp(-0.5 * ((time - peak) / (bins / 5)) ** 2)
    if not informative:
        rate = np.tile(rate[n_stimuli // 2], (n_stimuli, 1))
    words = np.array(np.meshgrid(*[[0, 1]] * bins, indexing="ij")).reshape(bins, -1).T
    before = np.column_stack([np.zeros(len(words), dtype=int), words[:, :-1]])
    recovered = np.where(before, 0.1, 1.0) if kind == "refractory" else 1.0
    law = np.zeros((n_stimuli, len(words)))
    for gain, weight in _GAINS.get(kind, ((1.0, 1.0),)):
        chance = np.minimum(gain * rate[:, None] * recovered, 0.95)
        law += weight * np.where(words, chance, 1 - chance).prod(axis=2)
    return words, law


def words_channel(per_response: tuple[float, ...], *, shuffled: bool = False) -> Channel:
    """Binary words of six bins under eight stimuli; `shuffled`: paired with random stimuli."""
    time, s = np.arange(BINS), np.arange(STIMULI)[:, None]
    # without a spike in the previous bin
    fire = 0.03 + (0.2 + 0.06 * s) * np.exp(-0.5 * ((time - 0.7 * s) / 1.2) ** 2)
    words = np.array(np.meshgrid(*[[0, 1]] * BINS, indexing="ij")).reshape(BINS, -1).T
    before = np.column_stack([np.zeros(len(words), dtype=int), words[:, :-1]])
    chance = fire[:, None] * np.where(before, 0.2, 1.0)
    law = np.where(words, chance, 1 - chance).prod(axis=2)

    sizes = tuple(round(x * len(words)) for x in per_response)
    estimate = _of_words(words, law, DISCRETE, shuffled)
    return Channel("words", _information(law / STIMULI), sizes, len(words), estimate)


def kind_channel(
    kind: str, bins: int, trials: tuple[int, ...], *, informative: bool, shuffled: bool = False
) -> Channel:
    """Words of one kind, see `word_law`; `shuffled`: paired with random stimuli."""
    words, law = word_law(kind, STIMULI, bins, informative=informative)
    estimate = _of_words(words, law, ON_WORDS, shuffled)
    name = f"{kind}, {bins} bins{'' if informative else ', no information'}"
    truth = max(0.0, _information(law / STIMULI))
    return Channel(name, truth, trials, len(words), estimate, shown=False)


def _of_words(words: np.ndarray, law: np.ndarray, names: Iterable[str], shuffled: bool) -> Estimates:
    """Estimates by these names from words (n, bins) with the probabilities `law` (stimuli, n)."""

    def estimate(trials: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        stimulus = np.repeat(np.arange(STIMULI), trials)
        response = np.concatenate([words[rng.choice(len(words), trials, p=p)] for p in law])
        response = rng.permutation(response) if shuffled else response
        for name in names:
            yield name, _mutual(stimulus, response, name, len(words))

    return estimate


def counts_channel(trials: tuple[int, ...], *, shuffled: bool = False) -> Channel:
    """Poisson counts under eight stimuli; `shuffled`: paired with random stimuli."""
    mean, most = np.linspace(1, 15, STIMULI), 60
    law = stats.poisson.pmf(np.arange(most), mean[:, None])

    def estimate(trials: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        stimulus = np.repeat(np.arange(STIMULI), trials)
        response = rng.poisson(mean[rng.permutation(stimulus) if shuffled else stimulus])
        for name in DISCRETE:
            if name != "shuffle":  # for words only
                yield name, _mutual(stimulus, response, name, 32)

    return Channel("counts", _information(law / STIMULI), trials, 24, estimate)


def _mutual(s: np.ndarray, r: np.ndarray, name: str, n_symbols: int) -> measures.Estimate:
    return measures.mutual_information(s, r, bias=name, n_shuffle=0, n_symbols=n_symbols)


def entropy_channel(name: str, law: np.ndarray, per_response: tuple[float, ...]) -> Channel:
    """Entropy of samples of a distribution over 100 symbols."""

    def estimate(n: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        x = rng.choice(law.size, n, p=law)
        for method in DISCRETE:
            if method != "shuffle":
                yield method, measures.entropy(x, method=method, n_symbols=law.size)

    sizes = tuple(round(x * law.size) for x in per_response)
    return Channel(name, float(-(law * np.log2(law)).sum()), sizes, law.size, estimate)


def _continuous(name: str, truth: float, sizes: tuple[int, ...], draw: Callable[..., Any]) -> Channel:
    def estimate(n: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        x, y = draw(n, rng)
        yield "ksg", measures.ksg(x, y, n_shuffle=0)
        yield "gaussian-copula", measures.gaussian_copula(x, y, n_shuffle=0)

    return Channel(name, truth, sizes, 1, estimate)


def gaussian_channel(sizes: tuple[int, ...], rho: float = 0.6) -> Channel:
    """Two normal variables with correlation rho."""

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)

    return _continuous("Gaussian", float(-0.5 * np.log2(1 - rho**2)), sizes, draw)


def curve_channel(sizes: tuple[int, ...], noise: float = 0.5) -> Channel:
    """y = x^2 + noise: h(Y) by quadrature of its density, minus h of the noise."""
    x = np.linspace(-9, 9, 4001)
    weight = stats.norm.pdf(x) * (x[1] - x[0])  # the trapezoidal rule is exact to rounding here

    def surprise(y: float) -> float:
        p = weight @ stats.norm.pdf(y, x**2, noise)
        return float(-p * np.log2(p)) if p > 0 else 0.0

    h = integrate.quad(surprise, -6 * noise, 60, limit=2000, points=[0, 1, 4, 10], epsabs=1e-7)[0]

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        return x, x**2 + noise * rng.normal(size=n)

    return _continuous("curve", h - 0.5 * np.log2(2 * np.pi * math.e * noise**2), sizes, draw)


def channels(config: Config) -> list[Channel]:
    """All channels, at the sizes of the configuration."""
    shuffled = config.sabotage == "stimuli shuffled"
    zipf = 1 / np.arange(1, SYMBOLS + 1)
    return [
        words_channel(config.per_response, shuffled=shuffled),
        counts_channel(config.trials, shuffled=shuffled),
        entropy_channel("uniform", np.full(SYMBOLS, 1 / SYMBOLS), config.per_response),
        entropy_channel("Zipf", zipf / zipf.sum(), config.per_response),
        gaussian_channel(config.samples),
        curve_channel(config.samples),
        *(
            kind_channel(kind, bins, config.few, informative=informative, shuffled=shuffled)
            for kind in KINDS
            for informative in (True, False)
            for bins in config.bins
        ),
    ]


FEWEST = {"ksg": 300, "gaussian-copula": 100}  # samples, of the Gaussian channel, as their docstrings say
ROUNDING = 1e-9


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per channel, size and estimator: true value, mean, SD and mean standard error over repeats, coverage, regime."""
    rows = []
    for number, channel in enumerate(channels(config)):
        rows += rows_of_channel(channel, number, config, progress)
    return pd.DataFrame(rows)


def rows_of_channel(
    channel: Channel, number: int, config: Config, progress: Progress
) -> list[dict[str, Any]]:
    """Rows of all estimators on one channel, at each of its sizes."""
    rows = []
    for size in channel.sizes:
        progress(f"{channel.name}: {size} trials, {config.repeats} repeats")
        by_estimator: dict[str, list[measures.Estimate]] = {}
        for repeat in range(config.repeats):
            rng = np.random.default_rng([config.seed, number, size, repeat])
            for name, estimate in channel.estimate(size, rng):
                by_estimator.setdefault(name, []).append(estimate)
        rows += [_row(channel, size, name, estimates) for name, estimates in by_estimator.items()]
    return rows


def _row(channel: Channel, size: int, name: str, estimates: list[measures.Estimate]) -> dict[str, Any]:
    value = np.array([e.value for e in estimates])
    low, high = (
        np.array([e.value + k * e.se if end is None else end for e, end in ends])
        for k, ends in ((-2, [(e, e.lower) for e in estimates]), (2, [(e, e.upper) for e in estimates]))
    )
    known = np.isfinite(low)
    held = (low[known] <= channel.truth + ROUNDING) & (channel.truth - ROUNDING <= high[known])
    finite = value[np.isfinite(value)]
    return {
        "channel": channel.name,
        "estimator": name,
        "trials": size,
        "per response": size / channel.alphabet,
        "truth": channel.truth,
        "mean": finite.mean() if finite.size else math.nan,
        "sd": finite.std(ddof=1) if finite.size > 1 else math.nan,
        "se": (high[known] - low[known]).mean() / 4 if known.any() else math.nan,
        "lower": low[known].mean() if known.any() else math.nan,
        "upper": high[known].mean() if known.any() else math.nan,
        "coverage": float(held.mean()) if known.any() else 1.0,
        "without value": float(np.mean(np.isnan(value))),
        "warned": float(np.mean([e.warning is not None for e in estimates])),
        "in regime": _in_regime(channel.name, name, size, estimates),
        "repeats": len(estimates),
    }


def _in_regime(channel: str, name: str, size: int, estimates: list[measures.Estimate]) -> bool:
    if name in FEWEST:
        return channel == "Gaussian" and size >= FEWEST[name]
    if name == "auto":
        return True  # states its uncertainty in every regime
    supposed = name != "chao-shen" or channel != "uniform"
    return supposed and not any(e.warning for e in estimates)
