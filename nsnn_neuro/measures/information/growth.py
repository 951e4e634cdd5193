"""Information against the number of neurons, and its limit in large populations.

With the Cholesky factor L of the scatter matrix of the neurons in a random order, the plug-in Fisher information of the first
n is nu / ds^2 times the sum of the first n squares of z = L^-1 d, d the difference of the means. Without one of T
trials of a stimulus, with the deviation v from their mean, u = L^-1 v and the sums A, B, C of z^2, z u, u^2 over the
first n neurons, this sum is

    A + 2 b B + b^2 C + a (B + b C)^2 / (1 - a C),    a = T/(T - 1), b = 1/(T - 1) or -1/(T - 1)

The fit is I_n = n / (1/I_0 + eps n) by generalised least squares with the jackknife's covariance. Where an estimate
came out too low its variance did too: variances are taken to the fitted curve by Hotelling's law, and the fit is
repeated. Without it eps is too high.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2, norm

from ...core.aliases import Time, Values
from ...core.checks import check, number, one_of, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import floats, shown
from ..decoding.cross_validation import check_decoder, decode
from ..decoding.decoders import LinearDiscriminant
from ..estimate import Estimate
from ..limits import between_0_and_1
from ..response_checks import as_labels, as_samples, refuse_swapped
from ..trial_counts import read_counts
from .copula import gaussian_copula
from .fisher import UNIT, HotellingLaw, within_stimuli

_N_SIZES, _RANGE = 8, 8  # sizes by default, the largest over the smallest
_SPARE = 5  # trials beyond the neurons, for an error without one trial
_ENOUGH = 4  # trials per neuron, as of `linear_fisher_information`
_MISFIT = 0.001


@dataclass(frozen=True, eq=False)
class InformationGrowth:
    """Information of sub-populations; made by `information_growth`. Arrays are (n_sizes,)."""

    method: str
    sizes: np.ndarray
    """neurons of the sub-populations"""
    information: np.ndarray
    """mean over sub-populations"""
    se: np.ndarray
    """standard error of the mean, over trials and over sub-populations"""
    spread: np.ndarray
    """standard deviation of the sub-populations' estimates, with the errors of trials"""
    unit: str
    """"1/unit^2" of the stimulus for Fisher information, else "bit\""""
    n: int
    """trials"""
    n_subsets: int
    epsilon: Estimate | None
    """1 / limit, in unit^2 of the stimulus; None except for "fisher\""""
    initial: Estimate | None
    """information per neuron before it saturates, I_0; None except for "fisher\""""
    warning: str | None

    @property
    def limit(self) -> float:
        """Information of infinitely many neurons, 1/epsilon; infinite for epsilon <= 0."""
        return np.nan if self.epsilon is None else _limit(self.epsilon.value)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Confidence limits of `limit`, the upper infinite where growth may be unlimited."""
        between_0_and_1(confidence, "confidence")
        if self.epsilon is None:
            return float("nan"), float("nan")
        half = norm.ppf((1 + confidence) / 2) * self.epsilon.se
        return _limit(self.epsilon.value + half), _limit(self.epsilon.value - half)

    def predict(self, sizes: Any) -> np.ndarray:
        """Information by the fit of these numbers of neurons, (n_sizes,); NaN without a fit."""
        n = floats(sizes, "sizes", "numbers of neurons")
        if self.epsilon is None or self.initial is None:
            return np.full(n.shape, np.nan)
        below = 1 / self.initial.value + self.epsilon.value * n
        return np.where(below <= 0, np.inf, n / np.where(below <= 0, 1.0, below))

    def neurons_for(self, share: float) -> float:
        """Neurons for this share of the limit, share / (1 - share) / (epsilon I_0), rounded up."""
        part = between_0_and_1(share, "share")
        if self.epsilon is None or self.initial is None:
            return float("nan")
        neurons = part / (1 - part) / self.initial.value * self.limit
        return float(np.ceil(np.round(neurons, 9)))

    @property
    def table(self) -> pd.DataFrame:
        """A row per size: neurons, information, se, spread, fitted."""
        parts = {"information": self.information, "se": self.se, "spread": self.spread}
        return pd.DataFrame({"neurons": self.sizes, **parts, "fitted": self.predict(self.sizes)})

    def __str__(self) -> str:
        text = f"{self.sizes[-1]} neurons: {self.information[-1]:.3g} ± {self.se[-1]:.2g} {self.unit}"
        if self.epsilon is not None:
            low, high = self.interval()
            text += f"; limit {self.limit:.3g} (95 %: {low:.3g} to {high:.3g}), epsilon {self.epsilon:.2g}"
        return f"{text}; n = {self.n}{f'; warning: {self.warning}' if self.warning else ''}"


def _limit(epsilon: float) -> float:
    return float(np.inf if epsilon <= 0 else 1 / epsilon)


@suggest_keywords
def information_growth(
    stimulus: Values,
    counts: Values,
    *,
    method: str = "fisher",
    sizes: Any = None,
    n_subsets: int = 50,
    ds: Any = None,
    decoder: Any = LinearDiscriminant(),  # noqa: B008 - it cannot be changed
    n_folds: int = 5,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> InformationGrowth:
    """Information of random sub-populations against their size, and the limit of many neurons.

    | method | information of a sub-population |
    |---|---|
    | "fisher" (default) | `linear_fisher_information` about two near stimuli, corrected |
    | "confusion" | `decode(...).information`, bits in the decoded stimuli, a lower bound |
    | "posterior" | `decode(...).cross_entropy_information`, bits in the posteriors, a lower bound |
    | "copula" | `gaussian_copula(stimulus, counts, shrinkage="auto")`, of numbers as stimulus |

    Noise that looks exactly like a change of the stimulus, with covariance eps f' f'^T, limits the
    Fisher information of any number of neurons to 1/eps (Moreno-Bote et al. 2014). "fisher" fits

        I_n = I_0 n / (1 + eps I_0 n),    1/I_n = 1/(I_0 n) + eps

    `epsilon` and `initial`, I_0, have errors; `limit` is 1/eps, and `interval()` has its confidence
    limits, the upper one infinite where unlimited growth can't be excluded. It is an extrapolation:
    what limits only far larger populations is invisible, and common noise may look like a limit
    among few neurons. `warning` names a misfit.

    se of "fisher": jackknife over trials and spread over sub-populations. Of the others, which have
    no limit: the mean error of a sub-population, as they share their trials, and the same spread.

    Parameters
    ----------
    stimulus : (n_trials,) two stimuli for "fisher", labels as for `decode`, or numbers for
        "copula", (n_trials, d) allowed
    counts : neo.Block with one Segment per trial, or an array (n_trials, n_neurons)
    method : see the table
    sizes : numbers of neurons, at least three for "fisher"; None (default): eight up to all
        neurons, for "fisher" at most a quarter of the number of trials
    n_subsets : random sub-populations of each size
    ds : difference of the two stimuli for "fisher"; None (default): that of their numbers
    decoder, n_folds : see `decode`, for "confusion" and "posterior"
    seed : of sub-populations and folds
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : sizes that neurons or trials don't allow, more than two stimuli for "fisher", and
        what the functions of the table refuse. Sources: Moreno-Bote et al. 2014, doi
        10.1038/nn.3807; Kanitscheider et al. 2015, doi 10.1371/journal.pcbi.1004218; Kafashan et
        al. 2021, doi 10.1038/s41467-020-20722-y

    >>> rng = np.random.default_rng(0)
    >>> stimulus, slope = np.repeat([0, 1], 300), rng.normal(0, 0.5, 40)
    >>> seen = stimulus + rng.normal(0, 0.5, 600)  # eps = 0.25
    >>> growth = information_growth(stimulus, seen[:, None] * slope + rng.normal(size=(600, 40)), n_subsets=20)
    >>> low, high = growth.interval()
    >>> low < 1 / 0.25 < high, growth.epsilon.unit
    (True, 'unit^2')
    """
    check(method=method, n_folds=n_folds, seed=seed)
    one_of(method, ("fisher", "confusion", "posterior", "copula"), "method")
    whole(n_subsets, 1, "n_subsets", 10**6)
    step = None if ds is None else number(ds, "ds", "a finite number other than 0, or None")
    if step == 0:
        raise NsnnError("ds = 0: expected a finite number other than 0, or None")
    check_decoder(decoder)
    refuse_swapped(stimulus, counts, "information_growth(stimulus, counts)")
    responses = read_counts(counts, t_start, t_stop)
    if method == "copula":
        stimulus = as_samples(stimulus, "stimulus")
        if len(stimulus) != len(responses):
            raise NsnnError(
                f"stimulus has {len(stimulus)} values and counts {len(responses)} trials: expected equal numbers"
            )
    if method != "fisher":

        def bits(part: np.ndarray) -> Estimate:
            if method == "copula":
                return gaussian_copula(stimulus, part, shrinkage="auto", n_shuffle=20, seed=seed)
            result = decode(stimulus, part, decoder=decoder, n_folds=n_folds, n_shuffle=0, seed=seed)
            estimate = result.information if method == "confusion" else result.cross_entropy_information
            if estimate is None:
                raise NsnnError(f"decoder = {decoder!r} has no posteriors: use method='confusion'")
            return estimate

        chosen = _sizes(sizes, responses.shape[1], responses.shape[1])
        rng = np.random.default_rng(seed)
        orders = np.array([rng.permutation(responses.shape[1]) for _ in range(n_subsets)])
        return _in_bits(bits, responses, method, chosen, orders)
    distinct, label = as_labels(stimulus, "stimulus", len(responses))
    if distinct.size != 2:
        raise NsnnError(
            f"stimulus has {distinct.size} different values: Fisher information is about two near ones; select their trials, or "
            "use method='confusion'"
        )
    if step is None:
        if distinct.dtype.kind not in "iuf":
            raise NsnnError(f"stimulus = {distinct.tolist()}, no numbers: pass their difference as ds")
        step = float(distinct[1]) - float(distinct[0])
    a, b = responses[label == 0], responses[label == 1]
    return _of_fisher(a, b, step, sizes, n_subsets, seed)


def _sizes(sizes: Any, n_neurons: int, enough: int) -> np.ndarray:
    """Ascending different sizes; by default up to `enough` neurons."""
    if sizes is None:
        top = max(1, min(n_neurons, enough))
        return np.unique(np.round(np.geomspace(max(1.0, top / _RANGE), top, _N_SIZES)).astype(np.int64))
    listed = np.atleast_1d(floats(sizes, "sizes", "numbers of neurons, or None"))
    fits = (listed >= 1) & (listed <= n_neurons) & (listed == np.rint(listed))
    if listed.ndim != 1 or not listed.size or not fits.all():
        raise NsnnError(
            f"sizes = {shown(sizes)}: expected whole numbers from 1 to {n_neurons}, the number of neurons, or None"
        )
    return np.unique(listed.astype(np.int64))


def _of_fisher(
    a: np.ndarray, b: np.ndarray, ds: float, sizes: Any, n_subsets: int, seed: int
) -> InformationGrowth:
    n = len(a) + len(b)
    most = n - _SPARE
    if min(len(a), len(b)) < 3 or most < 3:
        raise NsnnError(
            f"stimulus: {len(a)} and {len(b)} trials of the two stimuli, expected at least 3 each and 8 together"
        )
    chosen = _sizes(sizes, a.shape[1], max(min(n // _ENOUGH, most), 3))
    if chosen.size < 3:
        raise NsnnError(
            f"sizes = {chosen.tolist()}, counts of {a.shape[1]} neurons: expected at least three sizes for two parameters"
        )
    if chosen[-1] > most:
        raise NsnnError(
            f"sizes: {chosen[-1]} neurons need {chosen[-1] + _SPARE} trials, and there are {n}; take fewer neurons"
        )
    curves, covariance = fisher_curves(a, b, ds, chosen, n_subsets, np.random.default_rng(seed))
    mean, se = curves.mean(axis=0), np.sqrt(np.diag(covariance))
    notes = []
    if n < _ENOUGH * chosen[-1]:
        notes.append(f"{n} trials for {chosen[-1]} neurons: fewer than {_ENOUGH} for each, errors are coarse")
    if n_subsets < 2 * chosen.size:
        notes.append(
            f"n_subsets = {n_subsets} for {chosen.size} sizes: fewer than 2 for each, errors are too small"
        )
    epsilon, initial = Estimate(np.nan, n=n, unit="unit^2"), Estimate(np.nan, n=n, unit=UNIT)
    if mean[-1] < 2 * se[-1]:
        notes.append("information of the largest size is within two errors of 0: take more trials or neurons")
    if mean[-1] > 0:
        fit = fit_growth(chosen, mean, covariance, HotellingLaw(len(a), len(b), chosen, ds))
        about: dict[str, Any] = {"n": n, "se_method": "jackknife over trials, generalised least squares"}
        epsilon = Estimate(fit.epsilon, fit.epsilon_se, "kanitscheider", unit="unit^2", **about)
        initial = Estimate(fit.initial, fit.initial_se, "kanitscheider", unit=UNIT, **about)
        if fit.p < _MISFIT:
            notes.append(
                f"the curve departs from the fit (p = {fit.p:.2g}), so that the limit is uncertain; take larger sizes"
            )
    spread = curves.std(axis=0, ddof=1) if n_subsets > 1 else np.full(chosen.size, np.nan)
    about_fit = epsilon, initial, "; ".join(notes) or None
    return InformationGrowth("fisher", chosen, mean, se, spread, UNIT, n, n_subsets, *about_fit)


def _in_bits(
    bits: Callable[..., Estimate], responses: np.ndarray, method: str, sizes: np.ndarray, orders: np.ndarray
) -> InformationGrowth:
    n_subsets, n_neurons = orders.shape
    # all neurons are one population, whatever their order
    subsets = [[order[:size] for order in orders[: 1 if size == n_neurons else None]] for size in sizes]
    result = [[bits(responses[:, subset]) for subset in of_size] for of_size in subsets]
    values = [np.array([one.value for one in row]) for row in result]
    spread = np.array([row.std(ddof=1) if row.size > 1 else 0.0 for row in values])
    errors = np.array([np.mean([one.se for one in row]) for row in result])
    warned = [one.warning for row in result for one in row if one.warning]
    warning = f"{len(warned)} of {sum(map(len, result))} estimates: {warned[0]}" if warned else None
    mean = np.array([row.mean() for row in values])
    se = np.hypot(errors, spread / np.sqrt([*map(len, values)]))
    about = "bit", len(responses), n_subsets, None, None, warning
    return InformationGrowth(method, sizes, mean, se, spread, *about)


_LEAST_PIVOT = 1e-6  # of the correlation matrix's Cholesky factor: below, a neuron counts as a sum of others
_LEAST_VARIANCE = 1e-8  # of the largest one, among independent directions of the covariance of sizes
_ROUNDS = 2


def fisher_curves(
    a: np.ndarray, b: np.ndarray, ds: float, sizes: np.ndarray, n_subsets: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Corrected information (n_subsets, m) of nested sub-populations, and their mean's covariance over trials and sub-
    populations.

    Responses a (T1, N) and b (T2, N), ds apart; ascending sizes (m,).
    """
    centred, size = within_stimuli(a, b)
    centred = centred / size
    scatter = centred.T @ centred
    d = (b.mean(axis=0) - a.mean(axis=0)) / size
    first = np.arange(len(centred)) < len(a)
    less = np.where(first, len(a), len(b)) - 1.0
    share, step = ((less + 1) / less)[:, None], (np.where(first, 1, -1) / less)[:, None]
    law = HotellingLaw(len(a), len(b), sizes, ds)
    laws = [HotellingLaw(len(a) - k, len(b) - 1 + k, sizes, ds) for k in (1, 0)]
    starts = np.concatenate([[0], sizes[:-1]])
    curves, left_out = np.empty((n_subsets, sizes.size)), np.zeros((len(centred), sizes.size))
    for curve in curves:
        order = rng.permutation(a.shape[1])[: sizes[-1]]
        factor, failed = lapack.dpotrf(scatter[np.ix_(order, order)], lower=1)
        if failed or np.diag(factor).min() < _LEAST_PIVOT:
            raise NsnnError("responses are linearly dependent (one is a sum of others): leave some out")
        z = solve_triangular(factor, d[order], lower=True)
        u = solve_triangular(factor, centred[:, order].T, lower=True)
        squares, cross, own = (
            np.cumsum(np.add.reduceat(part, starts, axis=-1), axis=-1)
            for part in (z * z, (u * z[:, None]).T, (u * u).T)
        )
        moved = squares + 2 * step * cross + step**2 * own
        moved = moved + share * (cross + step * own) ** 2 / (1 - share * own)
        curve[:] = law.information(law.nu * squares, sizes)
        left_out += np.where(first[:, None], *(one.information(one.nu * moved, sizes) for one in laws))
    covariance = np.zeros((sizes.size, sizes.size))
    for part in (left_out[first], left_out[~first]):
        part = (part - part.mean(axis=0)) / n_subsets
        covariance += (len(part) - 1) / len(part) * part.T @ part
    if n_subsets > 1:
        covariance += np.atleast_2d(np.cov(curves, rowvar=False)) / n_subsets
    return curves, covariance


class GrowthFit(NamedTuple):
    """Fit of I_n = n / (1/initial + epsilon n)."""

    epsilon: float
    epsilon_se: float
    initial: float
    initial_se: float
    p: float  # of the distance between curve and fit, chi^2


def fit_growth(
    sizes: np.ndarray, information: np.ndarray, covariance: np.ndarray, law: HotellingLaw
) -> GrowthFit:
    """Fit of the mean information (m,) of sub-populations; the largest one's has to be positive."""
    most, n = float(sizes[-1]), sizes.astype(float)
    end = np.log(most / information[-1])
    parameters = np.array([np.log(n[0] / information[0]) if information[0] > 0 else end, end])
    parameters[0] = min(parameters[0], end)
    weighted = covariance
    for _ in range(1 + _ROUNDS):
        values, vectors = np.linalg.eigh(weighted)
        kept = values > _LEAST_VARIANCE * values[-1]
        root = (vectors[:, kept] / np.sqrt(values[kept])).T
        solution = least_squares(lambda x, root=root: root @ (information - _curve(x, n)), parameters)
        parameters = solution.x
        ratio = law.se(_curve(parameters, n)) / law.se(information)
        weighted = covariance * np.outer(ratio, ratio)
    cost, spread = 2 * solution.cost, np.linalg.pinv(solution.jac.T @ solution.jac)
    start, last = np.exp(parameters)
    slope = np.array([-start, last]) / most
    freedom = int(kept.sum()) - 2
    return GrowthFit(
        float((last - start) / most),
        float(np.sqrt(slope @ spread @ slope)),
        float(1 / start),
        float(np.sqrt(spread[0, 0]) / start),
        float(chi2.sf(cost, freedom)) if freedom > 0 else float("nan"),
    )


def _curve(parameters: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Information of n neurons, always positive, from ln(n/I_n) at n = 0 and at the largest n."""
    start, last = np.exp(parameters)
    return n / (start + (last - start) * n / n[-1])
