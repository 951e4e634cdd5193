"""Fisher information of a population about a stimulus, from responses or from a model's parameters.

I = f'^T Sigma^-1 f' is the precision of the best unbiased linear read-out. For Gaussian responses of equal covariance,
T1 and T2 trials, nu = T1 + T2 - 2 and c = 1/T1 + 1/T2, ds^2 / c times the plug-in value is Hotelling's T^2: (nu - N +
1) / (nu N) T^2 follows a noncentral F(N, nu - N + 1) of noncentrality I ds^2 / c, whose mean and variance give
correction and standard error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats, shown, si
from ..estimate import Estimate
from ..response_checks import as_samples, with_test

UNIT = "1/unit^2"
_SPIKES = 20  # per neuron in all trials; with 12, two errors covered 91 % in 40 neurons, with 24 95 %
_CLEAR = 2.5  # errors; two errors of Poisson counts covered 77 to 92 % where the truth is smaller, 93 to 97 % where it is not


@suggest_keywords
def linear_fisher_information(
    r1: Values,
    r2: Values,
    ds: Any,
    *,
    bias: str = "kanitscheider",
    shuffled: bool = False,
    n_shuffle: int = 100,
    seed: int = 0,
) -> Estimate:
    """Linear Fisher information of responses to two stimuli ds apart, in 1 / (unit of ds)^2.

    I = f'^T S^-1 f' (nu - N - 1)/nu - N (1/T1 + 1/T2)/ds^2, f' = (mean r2 - mean r1)/ds, S the mean
    of the two unbiased covariances, weighted by T - 1, of T1 and T2 trials of N neurons, nu = T1 + T2
    - 2. Unbiased for Gaussian responses of equal covariance; it may be negative.

    se: from the noncentral F law, with the estimate in place of the truth; of the shuffled
    information a jackknife over trials. `warning` says where two errors do not hold: below 4 N
    trials, 20 spikes per neuron, or 2.5 errors. p: trials change their stimulus at random.

    Parameters
    ----------
    r1, r2 : (T1, N) and (T2, N) responses, for example counts (`as_trains(block).counts`)
    ds : number, the difference of the stimuli in their unit, not 0
    bias : "kanitscheider" (default: the plug-in is useless unless N is much smaller than T) or
        "none"
    shuffled : True for the information without noise correlations, sum over neurons of
        f'^2/sigma^2, each with the correction of a single neuron, (T - 2)/(T - 1) and 2/(T ds^2)
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : T1 + T2 <= N + 3 (with `shuffled`: T1 + T2 <= 4), different numbers of neurons, a
        neuron that never varies or neurons that are linearly dependent, NaN. Source: Kanitscheider
        et al. 2015, doi 10.1371/journal.pcbi.1004218

    >>> rng = np.random.default_rng(0)
    >>> r1, r2 = rng.normal([0, 0], 1, (400, 2)), rng.normal([0.5, 1], 1, (400, 2))
    >>> e = linear_fisher_information(r1, r2, 0.5)  # truth: 1 + 4
    >>> e.unit, bool(abs(e.value - 5) < 2 * e.se), round(e.p, 4)
    ('1/unit^2', True, 0.0099)
    """
    check(bias=bias, shuffled=shuffled, n_shuffle=n_shuffle, seed=seed)
    step = si(ds, "1", "ds")
    if np.ndim(step) != 0 or not np.isfinite(step) or step == 0:
        raise NsnnError(f"ds = {ds}: expected a finite number other than 0")
    one_of(bias, ("kanitscheider", "none"), "bias")
    a, b = _responses(r1, r2, shuffled)
    law = HotellingLaw(len(a), len(b), 1 if shuffled else a.shape[1], float(step), bias == "kanitscheider")
    both = np.concatenate([a, b])
    first = np.arange(len(both)) < len(a)
    distance = _per_neuron if shuffled else _joint
    value = float(law.information(distance(both, first[None]), a.shape[1])[0])
    masks = np.random.default_rng(seed).permuted(np.tile(first, (n_shuffle, 1)), axis=1)
    null = law.information(distance(both, masks), a.shape[1])
    if shuffled:
        se, method = _jackknife(both, first, law), "jackknife over trials"
    else:
        se, method = float(law.se(value)), "noncentral F"
    warning, how = _warning(both, value, se), None if np.isnan(se) else method
    return with_test(value, se, bias, null, n=len(both), warning=warning, unit=UNIT, se_method=how)


def _warning(both: np.ndarray, value: float, se: float) -> str | None:
    """What limits the estimate: few trials, few spikes, or an information below its error."""
    n, neurons = both.shape
    if np.isnan(se):
        return f"{n} trials for {neurons} neurons: too few for an se"
    few = f"{n} trials for {neurons} neurons: the estimate is unbiased, but se is coarse"
    notes = [few] if n < 4 * neurons else []
    spikes = both.sum() / neurons
    if (both >= 0).all() and (both == np.floor(both)).all() and spikes < _SPIKES:
        notes.append(
            f"{spikes:.3g} spikes per neuron in all trials, fewer than {_SPIKES}: far from Gaussian, se is too small"
        )
    if value < _CLEAR * se:
        notes.append(
            f"{value:.2g} is below {_CLEAR} errors: the estimate is skewed, two errors cover less than 95 %; judge by p or "
            "take more trials"
        )
    return "; ".join(notes) or None


class HotellingLaw:
    """Hotelling's law of T1 and T2 trials of n neurons (one number or several), ds apart: expected information and spread."""

    def __init__(self, t1: int, t2: int, n: Any, ds: float, corrected: bool = True) -> None:
        self.nu, self.c, self.n, self.ds, self.corrected = t1 + t2 - 2, 1 / t1 + 1 / t2, n, ds, corrected

    def information(self, squared: np.ndarray, terms: Any) -> np.ndarray:
        """Information of plug-in squared distances, of `terms` neurons alone or together."""
        plugin = squared / self.ds**2
        if not self.corrected:
            return plugin
        return plugin * (self.nu - self.n - 1) / self.nu - terms * self.c / self.ds**2

    def se(self, information: Any) -> np.ndarray:
        """Standard deviation where the truth is `information`; NaN below five spare trials."""
        d1, d2 = self.n, self.nu - np.asarray(self.n) + 1
        d2 = np.where(d2 > 4, d2, np.nan)
        shift = np.maximum(information, 0.0) * self.ds**2 / self.c
        spread = ((d1 + shift) ** 2 + (d1 + 2 * shift) * (d2 - 2)) / ((d2 - 2) ** 2 * (d2 - 4))
        scale = self.nu * self.c / self.ds**2
        if self.corrected:
            scale = scale * (self.nu - self.n - 1) / self.nu
        return np.asarray(scale * np.sqrt(2 * spread))


def _responses(r1: Any, r2: Any, shuffled: bool) -> tuple[np.ndarray, np.ndarray]:
    a, b = as_samples(r1, "r1"), as_samples(r2, "r2")
    if a.shape[1] != b.shape[1]:
        raise NsnnError(f"r1 has {a.shape[1]} neurons and r2 has {b.shape[1]}: expected the same neurons")
    least = 4 if shuffled else a.shape[1] + 3
    if min(len(a), len(b)) < 2 or len(a) + len(b) <= least:
        raise NsnnError(
            f"r1 and r2 have {len(a)} and {len(b)} trials of {a.shape[1]} neurons: expected at least 2 each and "
            f"more than {least} together; take more trials or fewer neurons"
        )
    centred, size = within_stimuli(a, b)
    if not shuffled and np.linalg.matrix_rank(centred / size) < a.shape[1]:
        raise NsnnError("responses are linearly dependent (one is a sum of others): leave some out")
    return a, b


def within_stimuli(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Responses (T1 + T2, N) less the mean of their stimulus, and their size (N,); none may be 0."""
    centred = np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)])
    size = np.sqrt((centred**2).sum(axis=0))
    constant = size <= 1e-12 * np.abs(np.concatenate([a, b])).max(axis=0)
    if constant.any():
        raise NsnnError(
            f"neuron {np.argmax(constant)} gives the same response in all trials of a stimulus: leave it out"
        )
    return centred, size


def _sums(both: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(m, N) differences of means, mean outside of the mask minus inside, for masks (m, n)."""
    inside = masks.sum(axis=1, keepdims=True)
    ones = masks @ both
    return (both.sum(axis=0) - ones) / (len(both) - inside) - ones / inside


def _joint(both: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """d^T S^-1 d, (m,), for masks (m, n) of the first stimulus' trials.

    By Sherman and Morrison one factorisation serves all: d^T W^-1 d = h / (1 - h/c), h = d^T Total^-1 d, W = Total - d
    d^T / c.
    """
    centred = both - both.mean(axis=0)
    centred = centred / np.sqrt((centred**2).mean(axis=0))
    d, inside = _sums(centred, masks), masks.sum(axis=1)
    c = 1 / inside + 1 / (len(both) - inside)
    h = (d * cho_solve(cho_factor(centred.T @ centred), d.T).T).sum(axis=1)
    return (len(both) - 2) * h / np.maximum(1 - h / c, np.finfo(float).tiny)


def _per_neuron(both: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """As `_joint`, each neuron by itself and summed."""
    centred = both - both.mean(axis=0)
    total = (centred**2).sum(axis=0)
    d, inside = _sums(centred, masks), masks.sum(axis=1, keepdims=True)
    c = 1 / inside + 1 / (len(both) - inside)
    within = np.maximum(total - d**2 / c, np.finfo(float).tiny * np.maximum(total, 1))
    return (len(both) - 2) * (d**2 / within).sum(axis=1)


def _jackknife(both: np.ndarray, first: np.ndarray, law: HotellingLaw) -> float:
    """SE of the shuffled information: each stimulus' trials are left out one by one."""
    variance, parts = 0.0, (both[first], both[~first])
    sizes = [len(part) for part in parts]
    if min(sizes) < 3:
        return float("nan")
    for k, part in enumerate(parts):
        n, sums, squares = list(sizes), [x.sum(axis=0) for x in parts], [(x**2).sum(axis=0) for x in parts]
        n[k] -= 1
        sums[k], squares[k] = sums[k] - part, squares[k] - part**2
        d = sums[1] / n[1] - sums[0] / n[0]
        within = squares[0] - sums[0] ** 2 / n[0] + squares[1] - sums[1] ** 2 / n[1]
        less = HotellingLaw(n[0], n[1], 1, law.ds, law.corrected)
        tiny = np.finfo(float).tiny
        left_out = less.information((less.nu * d**2 / np.maximum(within, tiny)).sum(axis=1), both.shape[1])
        variance += (sizes[k] - 1) / sizes[k] * ((left_out - left_out.mean()) ** 2).sum()
    return float(np.sqrt(variance))


@suggest_keywords
def poisson_fisher(mean: Any, derivative: Any) -> Any:
    """Fisher information of independent Poisson counts, sum of f'^2 / f, in 1 / unit^2.

    Parameters
    ----------
    mean : (..., N) expected counts f (rate times duration), greater than 0; leading axes stay
    derivative : (..., N) df/ds, counts per unit of the stimulus

    Raises
    ------
    NsnnError : a mean that isn't positive, NaN, shapes that don't fit. Source: Seung & Sompolinsky
        1993, doi 10.1073/pnas.90.22.10749

    >>> float(poisson_fisher([10.0, 20.0], [5.0, -2.0]))
    2.7
    """
    f = floats(mean, "mean", "an array of numbers, (..., N)")
    slope = floats(derivative, "derivative", "an array of numbers, (..., N)")
    if f.ndim == 0:
        raise NsnnError(f"mean = {shown(mean)}: expected (..., N), one number per neuron")
    try:
        f, slope = np.broadcast_arrays(f, slope)
    except ValueError:
        raise NsnnError(f"derivative has shape {slope.shape}: expected the mean's, {f.shape}") from None
    if not (np.isfinite(f) & np.isfinite(slope) & (f > 0)).all():
        raise NsnnError(f"mean = {mean}, derivative = {derivative}: expected (..., N) finite, mean above 0")
    return (slope**2 / f).sum(axis=-1)


@suggest_keywords
def gaussian_fisher(derivative: Any, covariance: Any, covariance_derivative: Any = None) -> float:
    """Fisher information of a Gaussian response, f'^T S^-1 f' + 1/2 tr((S^-1 S')^2), in 1 / unit^2.

    The first term is the linear Fisher information; the second, of a covariance that depends on the
    stimulus, is open to quadratic read-outs only.

    Parameters
    ----------
    derivative : (N,) f' = df/ds
    covariance : (N, N) S, positive definite
    covariance_derivative : (N, N) S' = dS/ds; None is 0

    Raises
    ------
    NsnnError : shapes that don't fit, NaN, a covariance that isn't symmetric and positive definite.
        Source: Abbott & Dayan 1999, doi 10.1162/089976699300016827

    >>> round(gaussian_fisher([1.0, 1.0], [[1.0, 0.5], [0.5, 1.0]]), 6)
    1.333333
    """
    slope = floats(derivative, "derivative", "an array of numbers, (N,), for a covariance of (N, N)")
    s = floats(covariance, "covariance", "an array of numbers, (N, N)")
    given = np.zeros_like(s) if covariance_derivative is None else covariance_derivative
    change = floats(given, "covariance_derivative", "an array of numbers, (N, N)")
    if slope.ndim != 1 or s.shape != (slope.size, slope.size) or change.shape != s.shape:
        raise NsnnError(
            f"derivative, covariance, covariance_derivative have shapes {slope.shape}, {s.shape}, {change.shape}: "
            "expected (N,), (N, N), (N, N)"
        )
    if not all(np.isfinite(part).all() for part in (slope, s, change)):
        names = "derivative, covariance or covariance_derivative"
        raise NsnnError(f"{names} holds NaN or infinity: expected finite numbers")
    if not np.allclose(s, s.T, rtol=1e-9, atol=1e-12 * np.abs(s).max()) or np.linalg.eigvalsh(s)[0] <= 0:
        raise NsnnError("covariance must be symmetric and positive definite")
    relative = np.linalg.solve(s, change)
    return float(slope @ np.linalg.solve(s, slope) + 0.5 * np.trace(relative @ relative))
