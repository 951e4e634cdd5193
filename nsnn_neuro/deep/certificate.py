"""Certified radii: how far an image may be moved, in L2 norm, before the most frequent answer of a noisy network can change.

The noise of the first layer is a Gaussian mechanism, T steps are T adaptive ones, and later layers are post-processing if they
treat each image alone. Moving the image by d therefore changes the probability P(E) of an event E of the output to at most

    Phi(Phi^-1(P(E)) + ||d|| / s),      s = sigma / (||A||_2 sqrt(sum_t s_t^2)),      s_t = sum_(k < t) beta^k

with A the linear map from the image to the drive. The page docs/certified.md has the derivation. p_A and p_B are exact binomial
bounds (Clopper & Pearson 1934) from votes, single noisy passes, which are not those that chose the class A.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import special, stats

from ..core.checks import scalar, suggest_keywords, whole
from ..measures.limits import between_0_and_1
from .classifier import Classifier, checked, evaluating, on_its_device
from .each_image import each_alone, refuse_hidden_effects
from .first_layer import first_layer
from .rng import seeded

ABSTAINED = -1
"""The guess where none is certain."""
_MOST = 2000  # passes that run at once


@suggest_keywords
def certified_radius(
    classifier: Classifier, data: Any, *, votes: int = 1000, alpha: float = 0.001, seed: int | None = 0
) -> pd.DataFrame:
    """L2 radii within which no change of an image changes the most frequent answer of a network with a noisy first layer.

        R = s (Phi^-1(p_A) - Phi^-1(p_B)) / 2,      s = sigma / (||A||_2 sqrt(sum_(t <= T) (sum_(k < t) beta^k)^2))

    A is the linear map from an image to the drive of the first layer; p_A and p_B are bounds on the probabilities that a pass
    answers with the guess, and with the most frequent other class. Derivation: "Certified radius" in the documentation.

    The certified classifier is the most frequent answer of single passes in `eval` mode, whatever `classifier.passes` is. Where a
    module may mix images, votes are cast one by one, a hundred times as slowly. A pass must not depend on those before it.

    Parameters
    ----------
    classifier : `Classifier` with the encoder `coding.Direct()`, whose module is an nn.Sequential that begins with linear modules
        and a `NoisySpike` with `Gaussian` noise; anything may follow
    data : (X, y): images (n, ...) from 0 to 1, labels (n,), whole numbers
    votes : whole number, passes for each image; a tenth more choose the guess
    alpha : number between 0 and 1, the probability that the radius of an image is too large
    seed : of all random numbers; torch's generators are left as they were. None: continue them

    Returns
    -------
    DataFrame : a row for each image: label; guess, -1 (`deep.certificate.ABSTAINED`) where the votes don't decide; radius, in the
        units of a pixel, 0 there. Its `attrs` have "input_noise", s above, and "exact", whether ||A||_2 is exact (up to 4096
        values an image) or an upper bound

    Raises
    ------
    NsnnError : another encoder; a first layer without Gaussian noise, or after modules that aren't linear or may mix images;
        hooks, batch statistics, a module that stays in training mode

    Source: Dong, Roth & Su 2022, doi 10.1111/rssb.12454 (Gaussian mechanisms); Lecuyer et al. 2019, arXiv:1802.03471, and Cohen,
    Rosenfeld & Kolter 2019, arXiv:1902.02918 (radii from them)

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike
    >>> layers = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), NoisySpike(Gaussian(0.4)))
    >>> net = Classifier(layers, encoder=coding.Direct(2.0), n_steps=1)
    >>> _ = torch.nn.init.eye_(layers[0].weight)
    >>> table = certified_radius(net, ([[0.9, 0.1], [0.2, 0.52]], [0, 1]))
    >>> table.guess.tolist(), table.radius.round(2).tolist(), round(table.attrs["input_noise"], 3)
    ([0, -1], [0.44, 0.0], 0.2)
    """
    X, y, chance = _checked(classifier, data, votes, alpha)
    noise, exact = first_layer(classifier).equivalent_noise(tuple(X.shape[1:]))
    return _table(classifier, X, y, votes, chance, seed, noise, exact=exact)


@suggest_keywords
def smoothed_radius(
    classifier: Classifier,
    data: Any,
    *,
    sd: float,
    votes: int = 1000,
    alpha: float = 0.001,
    seed: int | None = 0,
) -> pd.DataFrame:
    """L2 radii of randomised smoothing: of the most frequent answer to an image with Gaussian noise on its pixels.

        R = sd (Phi^-1(p_A) - Phi^-1(p_B)) / 2

    It holds for any classifier, also without noise. Pixels are clipped to 0 and 1 after the noise is added, which counts as the
    first step of the classifier. Votes and bounds are those of `certified_radius`.

    Parameters
    ----------
    classifier : `Classifier`
    sd : number > 0, standard deviation of the noise; `certified_radius(...).attrs["input_noise"]` for an equal comparison
    data, votes, alpha, seed : as of `certified_radius`

    Returns
    -------
    DataFrame : label, guess and radius as of `certified_radius`

    Source: Cohen, Rosenfeld & Kolter 2019, arXiv:1902.02918

    >>> from nsnn_neuro import Gaussian, coding
    >>> from nsnn_neuro.deep import NoisySpike, twin
    >>> layers = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), NoisySpike(Gaussian(0.4), theta=0.5, noisy=False))
    >>> net = Classifier(layers, encoder=coding.Direct(), n_steps=1)
    >>> _ = torch.nn.init.eye_(layers[0].weight)
    >>> table = smoothed_radius(net, ([[0.9, 0.1], [0.5, 0.5]], [0, 1]), sd=0.2)
    >>> table.guess.tolist(), table.radius.round(1).tolist()
    ([0, 0], [0.5, 0.1])
    """
    X, y, chance = _checked(classifier, data, votes, alpha)
    noise = scalar(sd, "1", "sd", above=0)
    return _table(classifier, X, y, votes, chance, seed, noise, sd=noise)


def radius(counts: Any, guess: Any, alpha: float, noise: float) -> np.ndarray:
    """The radii (n,) of `guess` (n,) from votes (n, classes), with Gaussian noise that amounts to `noise` on the input; 0: none.

    >>> radius([[1000, 0], [510, 490]], [0, 0], 0.001, 0.2).round(3).tolist()
    [0.486, 0.0]
    """
    counts, guess = np.asarray(counts, dtype=float), np.asarray(guess)
    n, classes = counts.sum(1), counts.shape[1]
    own = counts[np.arange(len(guess)), guess]
    against = n - own
    each = alpha / 2 / max(classes - 1, 1)
    with np.errstate(invalid="ignore"):  # 0 or n votes, which have their bounds below
        p_own = np.where(own > 0, stats.beta.ppf(alpha / 2, own, against + 1), 0.0)
        # by the upper tail of the votes against: 1 - p_own would round to 0
        p_rest = np.where(own > 0, stats.beta.isf(alpha / 2, against + 1, own), 1.0)
        most = stats.beta.isf(each, counts + 1, n[:, None] - counts)
    most = np.where(counts < n[:, None], most, 1.0)
    most[np.arange(len(guess)), guess] = 0.0
    p_other = np.minimum(p_rest, most.max(1))
    return np.maximum(noise * (special.ndtri(p_own) - special.ndtri(p_other)) / 2, 0.0)


def _checked(classifier: Any, data: Any, votes: int, alpha: float) -> tuple[torch.Tensor, np.ndarray, float]:
    whole(votes, 1, "votes")
    chance = between_0_and_1(alpha, "alpha")
    if isinstance(classifier, Classifier):
        with evaluating(classifier):
            refuse_hidden_effects(classifier)
    return *checked(classifier, data), chance


def _table(
    classifier: Classifier,
    X: torch.Tensor,
    y: np.ndarray,
    votes: int,
    alpha: float,
    seed: int | None,
    noise: float,
    *,
    sd: float = 0.0,
    exact: bool = True,
) -> pd.DataFrame:
    """The certificates; `noise` is that of their radii, `sd` that of the pixels."""
    guesses, radii = [], []
    with torch.no_grad(), evaluating(classifier), seeded(seed, classifier):
        tally: Any = functools.partial(
            _tally, classifier, sd=sd, at_once=_MOST if each_alone(classifier) else 1
        )
        for k in range(len(y)):
            x = on_its_device(classifier, X[k : k + 1])
            guess = tally(x, max(votes // 10, 1)).argmax(keepdims=True)
            (safe,) = radius(tally(x, votes)[None], guess, alpha, noise)
            guesses.append(int(guess[0]) if safe > 0 else ABSTAINED)
            radii.append(float(safe))
    table = pd.DataFrame({"label": y, "guess": guesses, "radius": radii})
    table.attrs = {"input_noise": noise, "exact": exact}
    return table


def _tally(classifier: Classifier, x: torch.Tensor, n: int, *, sd: float, at_once: int) -> np.ndarray:
    """How often each class is the answer to one image x (1, ...) in n passes, with noise on its pixels."""
    counts: Any = 0
    for start in range(0, n, at_once):
        many = x.expand(min(n - start, at_once), *x.shape[1:])
        if sd:
            many = (many + sd * torch.randn_like(many)).clamp(0, 1)
        scores = classifier.scores(classifier.spikes(many))
        counts = counts + torch.bincount(scores.argmax(1), minlength=scores.shape[1]).cpu().numpy()
    return counts
