"""Channels of known information, and the estimates on one repeat of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import integrate, stats

from nsnn_neuro import measures

from .config import Config
from .words import KINDS, ON_WORDS, word_law

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
