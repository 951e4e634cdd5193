"""p values of the coefficients and filters of a fit: Wald's tests, and likelihood ratios of nested fits."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from ..core.checks import instance
from ..core.errors import NsnnError
from .data import Data
from .model import NeuronModel
from .responses import Poisson

_INDEX = re.compile(r"\[(?:(\d+),)?\d+\]")  # of a basis function, behind that of a channel or an input
_SHARED = ("beta", "theta", "reset", "dt")  # what nested models must agree in


class LikelihoodRatio(NamedTuple):
    """Test of nested fits; from `NeuronFit.likelihood_ratio`.

    >>> import quantities as pq
    >>> from nsnn_neuro import fit_neuron
    >>> rng = np.random.default_rng(0)
    >>> options = {"dt": 1*pq.ms, "t_start": 0*pq.s, "t_stop": 2*pq.s}
    >>> spikes = [np.flatnonzero(rng.random(2000) < 0.1) * 1e-3]
    >>> larger, smaller = (fit_neuron(spikes, history=n, **options) for n in (3, 1))
    >>> ratio = larger.likelihood_ratio(smaller)
    >>> ratio.df, ratio.p > 0.01
    (2, True)
    """

    statistic: float
    """twice the difference of log-likelihoods"""
    df: int
    """number of parameters that the smaller model lacks"""
    p: float


class Inference:
    """Base of a fit with `parameters`, `se`, `covariance` and `interval`: tests of its coefficients."""

    model: NeuronModel
    parameters: dict[str, float]
    se: dict[str, float]
    covariance: np.ndarray
    log_likelihood: float
    ridge: float
    smoothness: float
    interval: Any
    _data: Data

    @property
    def table(self) -> pd.DataFrame:
        """A row for each parameter: value, se, z = value / se, p of the value 0, and low and high, the 95 % interval.

        p is two-sided, by the normal law of large samples. z and p are NaN with a ridge or a
        smoothness, which shrink the values, so that p would not be uniform where the effect is 0,
        and of a dispersion, which is tested by `likelihood_ratio`.
        """
        value, se = pd.Series(self.parameters), pd.Series(self.se)
        low, high = (pd.Series({k: ends[i] for k, ends in self.interval().items()}) for i in (0, 1))
        z = value / se if not self._penalised else value * np.nan
        if "dispersion" in z:
            z["dispersion"] = np.nan
        p = pd.Series(2 * norm.sf(z.abs()), index=z.index)
        return pd.DataFrame({"value": value, "se": se, "z": z, "p": p, "low": low, "high": high})

    def filter_tests(self) -> pd.DataFrame:
        """Wald's test of each whole filter: a row for stimulus, history, each channel and input, each kind of product.

        Columns: df (coefficients), statistic w C^-1 w with their covariance C, and p of a filter
        that is 0 at all lags. A single coefficient of a basis says little; this doesn't depend on
        the choice of functions that span the same filters. With few spikes the test of
        `likelihood_ratio` is the safer one.

        Raises
        ------
        NsnnError : a fit with a ridge or a smoothness, whose values are shrunken
        """
        self._refuse_penalty("filter_tests")
        return self.wald_tests()

    def likelihood_ratio(self, smaller: Any) -> LikelihoodRatio:
        """Test this fit against a smaller one of the same data, such as without history.

        p is that of the chi-square law with df degrees of freedom. Where the smaller fit is Poisson
        and this one negative binomial, the dispersion is at the end of its range: p is the mean of
        the laws with df - 1 and df.

        Parameters
        ----------
        smaller : `NeuronFit` of the same spikes, whose regressors are among those of this fit

        Raises
        ------
        NsnnError : fits that aren't nested, of other spikes or regressors, or with a penalty

        Source: Wilks 1938, doi 10.1214/aoms/1177732360; Self & Liang 1987, doi
        10.1080/01621459.1987.10478472
        """
        instance(smaller, Inference, "smaller", "a fit of fit_neuron to the same data")
        for fit in (self, smaller):
            fit._refuse_penalty("likelihood_ratio")
        bounded = self._check_nested(smaller)
        statistic, df = 2 * (self.log_likelihood - smaller.log_likelihood), len(self.parameters)
        df -= len(smaller.parameters)
        if not df or statistic < -1e-6:
            raise NsnnError(
                f"smaller: {df} parameters fewer, twice the difference of log-likelihoods {statistic:.3g}: expected a fit with "
                "fewer parameters"
            )
        statistic = max(0.0, statistic)
        p = float(chi2.sf(statistic, df))
        if bounded:
            p = 0.5 * (p + (float(chi2.sf(statistic, df - 1)) if df > 1 else float(statistic == 0)))
        return LikelihoodRatio(statistic, df, p)

    @property
    def _penalised(self) -> bool:
        return self.ridge > 0 or self.smoothness > 0

    def _refuse_penalty(self, name: str) -> None:
        if self._penalised:
            raise NsnnError(
                f"{name} of a fit with ridge = {self.ridge:g} and smoothness = {self.smoothness:g}: expected ridge=0, as a "
                "penalty shrinks values; compare penalised models by cross_validate"
            )

    def wald_tests(self) -> pd.DataFrame:
        """`filter_tests`, also with a penalty, where p is too large."""
        names, terms = list(self.parameters), dict[str, list[int]]()
        for k, name in enumerate(names):
            each = _INDEX.sub(lambda at: f"[{at[1]}]" if at[1] else "", name)
            whole = _INDEX.sub("", name)
            for term in {whole: None, **({each: None} if "*" not in name else {})} if whole != name else ():
                terms.setdefault(term, []).append(k)
        w, rows = np.array(list(self.parameters.values())), {}
        for term, own in terms.items():
            statistic = float(w[own] @ np.linalg.solve(self.covariance[np.ix_(own, own)], w[own]))
            rows[term] = {"df": len(own), "statistic": statistic, "p": float(chi2.sf(statistic, len(own)))}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["df", "statistic", "p"])

    def _check_nested(self, smaller: Inference) -> bool:
        """Whether the smaller model has the dispersion at 0; NsnnError where the fits aren't nested."""
        a, b = self._data, smaller._data
        if not all(np.array_equal(getattr(a, one), getattr(b, one)) for one in ("o", "begins", "free")):
            raise NsnnError("smaller was fitted to other spikes, trials or times: expected the same data")
        ours, theirs = self.model, smaller.model
        differ = [one for one in _SHARED if repr(getattr(ours, one)) != repr(getattr(theirs, one))]
        bounded = ours.fits_dispersion and type(theirs.family) is Poisson
        if repr(ours.family) != repr(theirs.family) and not bounded:
            differ.append("family")
        missing = sorted(set(theirs.names) - set(ours.names))
        if differ or missing:
            what = f"parameters {', '.join(missing)}" if missing else f"another {', '.join(differ)}"
            raise NsnnError(f"smaller has {what}: expected a model that this one contains")
        if len(ours.drive_names) == a.drive.shape[1] and len(theirs.drive_names) == b.drive.shape[1]:
            at = [ours.drive_names.index(name) for name in theirs.drive_names]
            same = (np.array_equal(a.drive[:, i], b.drive[:, j]) for j, i in enumerate(at))
            if not all(same) or not np.array_equal(a.history[:, : b.history.shape[1]], b.history):
                raise NsnnError(
                    "smaller has other regressors of the same names: expected the same bases and signals"
                )
        return bounded
