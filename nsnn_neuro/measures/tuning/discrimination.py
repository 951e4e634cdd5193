"""How well one response tells two stimuli apart: area under the ROC curve and d'; and two choices: choice probability."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu, norm, rankdata, ttest_ind

from ...core.aliases import Values
from ...core.checks import LARGEST, check, flag, one_of, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.warn import warn
from ..estimate import Estimate, jackknife_se
from ..response_checks import array_of, as_labels, as_samples, permutation_p, refuse_swapped
from ..trains import SilentNeuronWarning, as_repeats, holds_blocks

_ROWS = 2_000_000  # values ranked at a time


@suggest_keywords
def roc_auc(a: Any, b: Any, *, n_shuffle: int = 0, seed: int = 0) -> Estimate:
    """Area under the ROC curve of two samples: P(b > a) + P(b = a)/2 of one value of each, ties counted one half.

    It is the fraction of correct answers of an ideal observer who sees one response of each sample and names the larger one as
    b (two-alternative forced choice). 1/2: the samples do not differ in this sense; below 1/2: a is larger.

    se: se^2 = var(V_a)/n_a + var(V_b)/n_b + (A - 1/2)^2 (1/(n_a^2 - 1) + 1/(n_b^2 - 1))/2, A the area, V_b the fraction of a
    below each value of b and V_a that of b above each value of a. The first two terms are DeLong's, too small where few values
    overlap. The last one is half of what a further value at chance in each sample adds: this package's own, and only simulations
    support it; close to 1 with many values it makes se too large: use p there. p is two-sided, of the hypothesis that both samples
    have one distribution: Mann and Whitney's test, exact where the smaller sample has up to 8 values and no value is tied, else the
    normal law with corrections for ties and continuity. For few and tied counts use n_shuffle.

    Parameters
    ----------
    a, b : (n_a,) and (n_b,) numbers, such as spike counts; units are dropped
    n_shuffle : number of permutations of the values over the two samples, for p; 0 (default): Mann and Whitney's test
    seed : of the permutations

    Raises
    ------
    NsnnError : several columns, nothing inside, NaN. Without two values in each sample se is NaN, with a warning in the
        estimate. Sources: DeLong, DeLong & Clarke-Pearson 1988, doi 10.2307/2531595; Mann & Whitney 1947,
        doi 10.1214/aoms/1177730491; Green & Swets 1966

    >>> e = roc_auc([2, 3, 3, 5], [3, 6, 7, 8])
    >>> e.value, round(e.se, 4), e.n  # 13 of 16 pairs are larger, 2 are ties
    (0.875, 0.1661, 8)
    """
    check(n_shuffle=n_shuffle, seed=seed)
    x, y = one_sample(a, "a"), one_sample(b, "b")
    value, se, _ = auc_and_se(x, y)
    return Estimate(
        value,
        se,
        null_mean=0.5,
        p=_permuted_p(x, y, value, n_shuffle, seed) if n_shuffle else _mann_whitney(x, y),
        n=x.size + y.size,
        unit="1",
        warning=_warning_text(x, y, value),
        se_method="DeLong, and a value at chance",
    )


@suggest_keywords
def d_prime(a: Any, b: Any, *, method: str = "auc") -> Estimate:
    """Discriminability d' of two samples: the distance of their means in standard deviations, positive where b is larger.

    "auc" (default): d' = sqrt(2) Phi^-1(AUC), with the AUC of `roc_auc`. It assumes no shape: for any responses it is the d' of
    the normal distributions of equal variance that are discriminated as well. It is infinite for samples that do not overlap.
    se = sqrt(2) se_AUC / phi(Phi^-1(AUC)) with DeLong's se_AUC, without the last term of `roc_auc`; p is that of `roc_auc`.

    "moments": d' = (mean b - mean a) / sqrt((var a + var b)/2), of the counts' means and unbiased variances. se: jackknife over the
    values of both samples; p: Welch's t test. Both are equal for normal responses of one variance.

    Parameters
    ----------
    a, b : (n_a,) and (n_b,) numbers, such as spike counts
    method : "auc" or "moments"

    Raises
    ------
    NsnnError : several columns, nothing inside, NaN, fewer than two values with "moments". An infinite d', and NaN where neither
        sample varies, have a warning in the estimate. Sources: Green & Swets 1966; Simpson & Fitter 1973, doi 10.1037/h0035203

    >>> e = d_prime([2, 3, 3, 5], [3, 6, 7, 8])
    >>> round(e.value, 3), round(d_prime([2, 3, 3, 5], [3, 6, 7, 8], method="moments").value, 3)
    (1.627, 1.556)
    """
    one_of(method, ("auc", "moments"), "method")
    x, y = one_sample(a, "a"), one_sample(b, "b")
    if method == "moments":
        return _from_moments(x, y)
    auc, _, se = auc_and_se(x, y)
    z = float(norm.ppf(auc))
    return Estimate(
        math.sqrt(2) * z,
        math.sqrt(2) * se / float(norm.pdf(z)) if 0 < auc < 1 else math.nan,
        null_mean=0.0,
        p=_mann_whitney(x, y),
        n=x.size + y.size,
        unit="1",
        warning=_warning_text(x, y, auc),
        se_method="DeLong",
    )


def one_sample(values: Any, name: str) -> np.ndarray:
    """`values` as finite floats (n,); a table of one column is one sample."""
    columns = as_samples(values, name)
    if columns.shape[1] != 1:
        raise NsnnError(
            f"{name} has shape {np.shape(values)}: expected (n,), one response for each trial; select a "
            f"neuron with {name}[:, 0]"
        )
    return columns[:, 0]


def one_neuron(counts: Any, name: str) -> np.ndarray:
    """Responses (n_trials,) of one neuron: spike counts of a Block's trials, or a sample of numbers."""
    if not holds_blocks(counts):
        return one_sample(counts, name)
    trains = as_repeats(counts, name=name)
    trains.check_durations("so that their counts differ")
    return trains.counts[:, 0].astype(float)


def auc_and_se(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """P(b > a) + P(b = a)/2, its standard error as in `roc_auc` and DeLong's; NaN without two values in each sample."""
    joint = rankdata(np.concatenate([a, b]))
    above = (joint[a.size :] - rankdata(b)) / a.size
    below = 1 - (joint[: a.size] - rankdata(a)) / b.size
    area = float(above.mean())
    if min(a.size, b.size) < 2:
        return area, math.nan, math.nan
    variance = above.var(ddof=1) / b.size + below.var(ddof=1) / a.size
    unseen = (area - 0.5) ** 2 * (1 / (a.size**2 - 1) + 1 / (b.size**2 - 1)) / 2
    return area, math.sqrt(variance + unseen), math.sqrt(variance)


def _mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(np.concatenate([a, b])) == 0:
        return 1.0
    return float(mannwhitneyu(b, a, alternative="two-sided", method="auto").pvalue)


def _permuted_p(a: np.ndarray, b: np.ndarray, value: float, n_shuffle: int, seed: int) -> float | None:
    ranks = rankdata(np.concatenate([a, b]))
    rng = np.random.default_rng(seed)
    sums = np.array([rng.permutation(ranks)[: b.size].sum() for _ in range(n_shuffle)])
    auc = (sums - b.size * (b.size + 1) / 2) / (a.size * b.size)
    return permutation_p(np.abs(auc - 0.5), abs(value - 0.5))


def _warning_text(a: np.ndarray, b: np.ndarray, auc: float) -> str | None:
    if min(a.size, b.size) < 2:
        return "a sample has a single value: no standard error"
    if auc in (0.0, 1.0):
        return "the samples do not overlap: the AUC is at its limit, d' infinite; more trials, or method='moments'"
    return None


def _from_moments(a: np.ndarray, b: np.ndarray) -> Estimate:
    for x, name in ((a, "a"), (b, "b")):
        if x.size < 2:
            raise NsnnError(f"{name} has {x.size} value: expected at least two, for its variance")
    variances = a.var(ddof=1), b.var(ddof=1)
    if sum(variances) <= 1e-24 * (a.mean() ** 2 + b.mean() ** 2):
        return Estimate(math.nan, n=a.size + b.size, unit="1", warning="neither sample varies: d' is NaN")

    def value(means: Any, spread: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return means / np.sqrt(spread / 2)

    difference = b.mean() - a.mean()
    left_a, left_b = _left_out(a), _left_out(b)
    se_a = jackknife_se(value(b.mean() - left_a[0], left_a[1] + variances[1]))
    se_b = jackknife_se(value(left_b[0] - a.mean(), left_b[1] + variances[0]))
    se = math.hypot(se_a, se_b)
    return Estimate(
        float(value(difference, sum(variances))),
        se if math.isfinite(se) else math.nan,
        null_mean=0.0,
        p=float(ttest_ind(b, a, equal_var=False).pvalue),
        n=a.size + b.size,
        unit="1",
        warning=None if math.isfinite(se) else "too few values for a jackknife",
        se_method="jackknife over trials",
    )


def _left_out(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and unbiased variances (n,) without each value; NaN variances for n = 2."""
    n, deviation = x.size, x - x.mean()
    mean = x.mean() - deviation / (n - 1)
    if n == 2:
        return mean, np.full(n, np.nan)
    squares = (deviation**2).sum() - deviation**2 * n / (n - 1)
    return mean, np.maximum(squares, 0.0) / (n - 2)


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
    trials of either choice are left out, as are stimuli whose counts never vary. `warning` names both.

    balanced (Kang & Maunsell): with m1, m2, v1, v2 the means and variances for the two choices, z = (count - m)/s with
    m = (m1 + m2)/2 and s^2 = (v1 + v2)/2 + (m1 - m2)^2/4, the mean and variance of as many trials of each choice. With those of
    all trials choice probabilities are too low where the ratio of choices differs between stimuli.

    se: bootstrap over the trials of each stimulus and choice, n - 1 draws of n (Rao & Wu), z-scores computed again. p: choices
    are permuted among the trials of each stimulus; two-sided. For normal counts whose correlation with the decision variable is
    rho, and equal numbers of both choices, the value is 1/2 + 2/pi atan(rho/sqrt(2 - rho^2)).

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
    chosen = array_of(choice, "choice")
    if chosen.dtype.kind in "OU":
        raise NsnnError(
            "choice holds texts: expected booleans, True where the choice is the one that the neuron prefers, for example "
            "choice == 'right' of an array"
        )
    distinct, side = as_labels(chosen, "choice", x.size, least=1)
    if distinct.size != 2:
        raise NsnnError(f"choice has {distinct.size} distinct values: expected two, such as True and False")
    preferred = side == 1
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
    return Estimate(
        value,
        float(again.std(ddof=1)) if n_resample > 1 else math.nan,
        "balanced z-scores" if balanced else "none",
        null_mean=float(null.mean()) if n_shuffle else None,
        p=permutation_p(np.abs(null - 0.5), abs(value - 0.5)),
        n=n,
        unit="1",
        warning="; ".join(notes) or None,
        se_method="bootstrap over trials",
    )


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
