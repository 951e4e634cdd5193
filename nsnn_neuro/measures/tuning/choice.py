"""Choice probability: how well the fluctuations of a neuron's response predict the choice of the animal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ...core.aliases import Values
from ...core.checks import LARGEST, check, flag, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.warn import warn
from ..estimate import Estimate
from ..response_checks import array_of, as_labels, refuse_swapped, shuffle_test
from ..trains import SilentNeuronWarning
from .discrimination import one_neuron

_ROWS = 2_000_000  # values ranked at a time


@suggest_keywords
def choice_probability(
    stimulus: Values,
    counts: Values,
    choice: Values,
    *,
    balanced: bool = True,
    min_trials: int = 5,
    n_resample: int = 200,
    n_shuffle: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Grand choice probability: P(count is higher when the choice was the preferred one), given the stimulus; 1/2 is chance.

    The counts of each stimulus are z-scored, z-scores are pooled over stimuli, and the value is the area under the ROC curve
    (`roc_auc`) of those of the null choice against those of the preferred choice. Stimuli with fewer than min_trials
    trials of either choice are left out, as are stimuli whose counts never vary: they say nothing of the choice, and
    pooled with z = 0 they would pull the value towards 1/2. `warning` names both.

    balanced (Kang & Maunsell): with m1, m2, v1, v2 the means and variances for the two choices, z = (count - m)/s with
    m = (m1 + m2)/2 and s^2 = (v1 + v2)/2 + (m1 - m2)^2/4, the mean and variance of as many trials of each choice. The mean of
    all trials lies nearer to that of the frequent choice; where the ratio of choices differs between stimuli, pooling
    such z-scores underestimates the choice probability.

    se: bootstrap over the trials of each stimulus and choice, n - 1 draws of n (Rao & Wu), z-scores computed again. p: choices
    are permuted among the trials of each stimulus; two-sided. For counts and a decision variable that are normal with
    correlation rho and a threshold that divides trials equally, the value is 1/2 + 2/pi atan(rho/sqrt(2 - rho^2)); with unequal
    choices it is somewhat farther from 1/2.

    Parameters
    ----------
    stimulus : (n_trials,) labels, as of `law_of_total_covariance`
    counts : (n_trials,) counts or rates; or a neo.Block of one neuron with a Segment for each trial, whose spikes are counted
    choice : (n_trials,) booleans or two whole numbers; True, or the larger number, is the choice that the neuron prefers
    balanced : True (default), as above; False: mean and standard deviation of all trials of the stimulus
    min_trials : of each choice, at least 3
    n_resample : of the bootstrap; 0: se is NaN
    n_shuffle : of the permutations; 0: no p
    seed : of both

    Raises
    ------
    NsnnError : arguments of different lengths, NaN, choices that are not two, no stimulus with min_trials of each choice, several
        neurons. Counts that vary for no stimulus give NaN, with one SilentNeuronWarning. Sources: Britten et al. 1996,
        doi 10.1017/S095252380000715X; Kang & Maunsell 2012, doi 10.1152/jn.00471.2012; Rao & Wu 1988,
        doi 10.1080/01621459.1988.10478591

    >>> rng = np.random.default_rng(0)
    >>> decision = rng.normal(size=400)  # the count shares a part of it
    >>> counts = rng.poisson(np.exp(2 + 0.1*decision))
    >>> e = choice_probability(np.repeat([0, 1], 200), counts, decision > 0)
    >>> round(e.value, 2), round(e.se, 2), e.p < 0.01
    (0.65, 0.03, True)
    """
    check(n_resample=n_resample, n_shuffle=n_shuffle, seed=seed)
    balanced = flag(balanced, "balanced")
    least = whole(min_trials, 3, "min_trials", LARGEST)
    refuse_swapped(stimulus, counts, "choice_probability(stimulus, counts, choice)")
    x = one_neuron(counts, "counts")
    labels, number = as_labels(stimulus, "stimulus", x.size, least=1)
    preferred = _choices(choice, x.size)
    both = np.stack([np.bincount(number[side], minlength=labels.size) for side in (~preferred, preferred)])
    kept = np.flatnonzero(both.min(axis=0) >= least)
    if not kept.size:
        k = int(both.min(axis=0).argmax())
        raise NsnnError(
            f"choice: stimulus {labels[k]} has {both[0, k]} and {both[1, k]} trials of the two choices, and no other has more of "
            f"both: expected at least min_trials = {least} of each for one stimulus"
        )
    notes = []
    if kept.size < labels.size:
        few = f"{labels.size - kept.size} of {labels.size} stimuli have fewer than {least} trials of a choice"
        notes.append(f"{few}: left out")
    varies = np.array([np.ptp(x[number == k]) > 0 for k in kept])
    if not varies.any():
        n = int(both[:, kept].sum())
        reason = "the counts do not vary within a stimulus"
        warn(f"choice_probability: {reason}; the value is NaN", SilentNeuronWarning)
        return Estimate(math.nan, n=n, unit="1", warning=reason)
    if not varies.all():
        constant = [str(label) for label in labels[kept[~varies]]]
        listed = ", ".join(constant[:5]) + (f" and {len(constant) - 5} others" if len(constant) > 5 else "")
        notes.append(f"counts of the stimuli {listed} never vary: left out")
    kept = kept[varies]
    groups = [(x[(number == k) & ~preferred], x[(number == k) & preferred]) for k in kept]
    n = int(both[:, kept].sum())
    rng = np.random.default_rng(seed)
    value = float(_grand([(a[None], b[None]) for a, b in groups], balanced)[0])
    again = _in_parts(lambda rows: [_drawn(pair, rows, rng) for pair in groups], n_resample, n, balanced)
    null = _in_parts(lambda rows: [_permuted(pair, rows, rng) for pair in groups], n_shuffle, n, balanced)
    test = shuffle_test(null - 0.5, value - 0.5, two_sided=True)
    return Estimate(
        value,
        float(again.std(ddof=1)) if n_resample > 1 else math.nan,
        "balanced z-scores" if balanced else "none",
        null_mean=float(null.mean()) if n_shuffle else None,
        p=test["p"],
        n=n,
        unit="1",
        warning="; ".join(notes) or None,
        se_method="bootstrap over trials",
    )


def _choices(choice: Any, n: int) -> np.ndarray:
    """(n,) True for the preferred choice."""
    values = array_of(choice, "choice")
    if values.dtype.kind in "OU":
        raise NsnnError(
            "choice holds texts: expected booleans, True where the choice is the one that the neuron prefers, for example "
            "choice == 'right' of an array"
        )
    distinct, number = as_labels(values, "choice", n, least=1)
    if distinct.size != 2:
        raise NsnnError(f"choice has {distinct.size} distinct values: expected two, such as True and False")
    return number == 1


def _grand(groups: list[tuple[np.ndarray, np.ndarray]], balanced: bool) -> np.ndarray:
    """Area under the ROC curve (m,) of pooled z-scores; for each stimulus counts (m, n) of null and preferred choices."""
    null, preferred = [], []
    for a, b in groups:
        if balanced:
            apart = b.mean(axis=1) - a.mean(axis=1)
            centre = a.mean(axis=1) + apart / 2
            variance = (a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / 2 + apart**2 / 4
        else:
            joint = np.concatenate([a, b], axis=1)
            centre, variance = joint.mean(axis=1), joint.var(axis=1, ddof=1)
        scale = np.sqrt(np.where(variance > 0, variance, 1.0))[:, None]
        null.append((a - centre[:, None]) / scale)
        preferred.append((b - centre[:, None]) / scale)
    low, high = np.concatenate(null, axis=1), np.concatenate(preferred, axis=1)
    ranks = rankdata(np.concatenate([low, high], axis=1), axis=1)[:, low.shape[1] :]
    n = high.shape[1]
    return np.asarray((ranks.sum(axis=1) - n * (n + 1) / 2) / (n * low.shape[1]))


def _in_parts(groups: Any, repeats: int, n: int, balanced: bool) -> np.ndarray:
    """`_grand` of `repeats` data sets, made some at a time to bound the memory."""
    step = max(1, _ROWS // n)
    parts = [min(step, repeats - first) for first in range(0, repeats, step)]
    return np.concatenate([np.empty(0), *(_grand(groups(rows), balanced) for rows in parts)])


def _drawn(pair: tuple[np.ndarray, np.ndarray], rows: int, rng: np.random.Generator) -> Any:
    """n - 1 of the n counts of each choice, drawn with replacement: the variance of their mean is then unbiased."""
    return tuple(x[rng.integers(0, x.size, (rows, x.size - 1))] for x in pair)


def _permuted(pair: tuple[np.ndarray, np.ndarray], rows: int, rng: np.random.Generator) -> Any:
    """The counts of a stimulus, divided at random among the two choices."""
    mixed = rng.permuted(np.tile(np.concatenate(pair), (rows, 1)), axis=1)
    return mixed[:, : pair[0].size], mixed[:, pair[0].size :]
