"""Exact mutual information of a known discrete channel, and of one or several noisy threshold units with a common signal."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ..core import units
from ..core.checks import whole
from ..core.errors import NsnnError
from ..models.escape import Family
from ..models.escape.families import dimensionless
from .arguments import expect

_WIDTH = 9.5  # standard deviations of a normal density that are kept: the rest has weight 1e-21
_NODES = 4001


def channel_information(law: Any, weights: Any = None) -> Any:
    """Mutual information I(S; R) = sum_s p(s) sum_r p(r | s) log2(p(r | s) / p(r)) of a discrete channel of known law, bits.

    Parameters
    ----------
    law : (n_s, n_r, ...) probabilities p(r | s); what a row lacks to 1 counts as one more response. Further axes: many channels,
        with a result for each; a float for one channel
    weights : (n_s,) p(s); None: all alike

    Source: Cover & Thomas 2006, doi 10.1002/047174882X, ch. 2

    >>> round(channel_information([[0.9, 0.1], [0.1, 0.9]]), 6)    # 1 - h(.1)
    0.531004
    """
    p = np.asarray(law, dtype=float)
    if p.ndim < 2 or not (p >= 0).all() or (p.sum(axis=1) > 1 + 1e-6).any():
        raise NsnnError(
            f"law of shape {p.shape}: expected (n_s, n_r, ...) probabilities that sum to 1 over responses"
        )
    p = np.concatenate([p, np.maximum(1 - p.sum(axis=1, keepdims=True), 0.0)], axis=1)
    n = len(p)
    share = np.full(n, 1 / n) if weights is None else np.asarray(weights, dtype=float)
    if share.shape != (n,) or not (share >= 0).all() or abs(share.sum() - 1) > 1e-9:
        raise NsnnError(f"weights = {weights}: expected {n} probabilities that sum to 1")
    share = share.reshape(-1, *[1] * (p.ndim - 1))
    mean = (share * p).sum(axis=0)
    nats = (share * special.rel_entr(p, mean[None])).sum(axis=(0, 1))
    return float(nats / np.log(2)) if p.ndim == 2 else nats / np.log(2)


def threshold_information(
    u: Any, family: Family, *, theta: float = 1.0, n_units: int = 1, weights: Any = None
) -> float:
    """Information, bits, that the count of n_units noisy threshold units holds about which of a few potentials they all have.

    Unit i fires with probability F(u - theta), independently: the count is binomial, and I(S; count) an exact sum. For one unit
    it is I(S; O) of the NSNN neuron's spike in a step; its maximum at some noise, for potentials below threshold, is stochastic
    resonance.

    Parameters
    ----------
    u : (n_s,) potentials, dimensionless; theta : threshold
    family : the escape noise, dimensionless, with one width
    n_units : whole number, 1 or more
    weights : (n_s,) probabilities of the potentials; None: all alike

    Source: Stocks 2000, doi 10.1103/PhysRevLett.84.2310 (many units); Levin & Miller 1996, doi 10.1038/380165a0

    >>> from nsnn_neuro import Gaussian
    >>> round(threshold_information([0.4, 0.8], Gaussian(0.26837)), 6)
    0.094071
    """
    dimensionless(family, one_scale=True)
    whole(n_units, 1, "n_units")
    x = np.atleast_1d(units.si(u, "1", "u")) - units.si(theta, "1", "theta")
    if x.ndim != 1:
        raise NsnnError(f"u has shape {x.shape}: expected (n_s,) potentials")
    return channel_information(_counts(family.cdf(x), n_units), weights)


def suprathreshold_information(
    family: Family, *, n_units: int, mean: float = 0.0, sd: float = 1.0, theta: float = 0.0
) -> float:
    """Information, bits, that the count of n_units threshold units holds about a Gaussian signal x that all of them see.

    Unit i fires if x + noise_i > theta, with probability F(x - theta): I(x; count) = H(count) - int P(x) H(count | x) dx, the count
    binomial given x. Without noise all units agree and carry one bit at most; independent noise lets them carry more
    (suprathreshold stochastic resonance, theta = mean).

    The trapezoidal rule in t, x = theta + sinh(t) / f(0), so that the step of a small noise is resolved too: to 1e-9 for smooth
    families, 1e-4 for those with edges.

    Parameters
    ----------
    family : the noise, dimensionless, with one width and f(0) > 0
    n_units : whole number, 1 or more
    mean, sd : of the signal, dimensionless, sd > 0; theta : threshold

    Source: Stocks 2000, doi 10.1103/PhysRevLett.84.2310

    >>> from nsnn_neuro import Gaussian
    >>> [round(suprathreshold_information(Gaussian(1.0), n_units=k), 4) for k in (1, 63)]
    [0.2787, 2.4206]
    """
    dimensionless(family, one_scale=True)
    whole(n_units, 1, "n_units")
    mean, sd, theta = (units.si(v, "1", n) for v, n in ((mean, "mean"), (sd, "sd"), (theta, "theta")))
    expect(sd > 0, "a positive value", sd=sd)
    width = 1 / float(family.pdf(0.0))
    ends = np.arcsinh((mean + sd * np.array([-_WIDTH, _WIDTH]) - theta) / width)
    t = np.linspace(ends[0], ends[1], _NODES)
    x = width * np.sinh(t)  # from theta on
    weight = np.exp(-0.5 * ((x + theta - mean) / sd) ** 2) * np.cosh(t)
    return channel_information(_counts(family.cdf(x), n_units), weight / weight.sum())


def _counts(fires: np.ndarray, n_units: int) -> np.ndarray:
    """(n_x, n_units + 1) binomial probabilities of the count."""
    n, p = np.arange(n_units + 1), fires[:, None]
    log = special.gammaln(n_units + 1) - special.gammaln(n + 1) - special.gammaln(n_units - n + 1)
    return np.exp(log + special.xlogy(n, p) + special.xlog1py(n_units - n, -p))
