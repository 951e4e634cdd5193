"""Stationary transmission of synapses with short-term depression and facilitation (Tsodyks & Markram)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aliases import Time
from ..core.checks import one_of
from ..core.errors import NsnnError
from .arguments import expect, out, plain, times

_MOMENTS = 150


def short_term_efficacy(
    rate: Any, U: Any, *, tau_rec: Any, tau_facil: Any, train: str = "poisson", dt: Time | None = None
) -> Any:
    """Mean share u x of the weight that a spike of a stationary train transmits through a `TsodyksMarkram` synapse.

    The mean input of a synapse is rate times weight times this share. It is exact. For a Poisson train the moments E[x u^k] at
    spikes solve linear equations, of which 150 are kept: the share u is below 1, so that higher moments do not matter. Without
    facilitation it is U / (1 + U rate tau_rec); without depression it is U (1 + rate tau_facil) / (1 + U rate tau_facil).

    Parameters
    ----------
    rate : of the presynaptic spikes, > 0
    U : number above 0, at most 1; tau_rec, tau_facil : times >= 0; see `TsodyksMarkram`. All broadcast
    train : "poisson", or "periodic": equal intervals 1 / rate
    dt : time step of a Poisson train with at most one spike per step, of probability 1 - exp(-rate dt), as those of
        `PoissonSource`; None: continuous time. Broadcasts with the rest

    Source: Tsodyks, Pawelzik & Markram 1998, doi 10.1162/089976698300017502 (model, periodic train); the moments of a Poisson train
    follow from its update at a spike, averaged over exponential intervals

    >>> round(short_term_efficacy(10.0, 0.5, tau_rec=0.8, tau_facil=0.0), 6)
    0.1
    >>> round(short_term_efficacy(10.0, 0.5, tau_rec=0.8, tau_facil=0.0, train="periodic"), 6)
    0.105148
    >>> round(short_term_efficacy(10.0, 0.5, tau_rec=0.8, tau_facil=0.0, dt=1e-3), 6)
    0.10045
    """
    one_of(train, ("poisson", "periodic"), "train")
    recovery, facilitation = times(tau_rec=tau_rec, tau_facil=tau_facil)
    per_second, share = plain(rate, "rate"), plain(U, "U")
    expect((per_second > 0) & np.isfinite(per_second), "a rate above 0", rate=rate)
    expect((share > 0) & (share <= 1), "a number above 0, at most 1", U=U)
    expect((recovery >= 0) & (facilitation >= 0), "times of 0 or more", tau_rec=tau_rec, tau_facil=tau_facil)
    if train == "periodic":
        if dt is not None:
            raise NsnnError(f'dt = {dt}: a train = "periodic" has no random intervals: expected None')
        return out(np.vectorize(_of_periodic, otypes=[float])(per_second, share, recovery, facilitation))
    step = np.zeros(()) if dt is None else times(dt=dt)[0]
    expect((step >= 0) & np.isfinite(step), "a time of 0 or more", dt=dt)
    return out(np.vectorize(_of_poisson, otypes=[float])(per_second, share, recovery, facilitation, step))


def _of_periodic(rate: float, share: float, recovery: float, facilitation: float) -> float:
    gone, kept = (np.exp(-1 / (rate * tau)) if tau > 0 else 0.0 for tau in (recovery, facilitation))
    used = share / (1 - (1 - share) * kept)
    return float(used * (1 - gone) / (1 - (1 - used) * gone))


def _of_poisson(rate: float, share: float, recovery: float, facilitation: float, dt: float) -> float:
    """E[x u] at a spike, from the moments m_k = E[u^k] and M_k = E[x u^k].

    With e_r = exp(-D / tau_rec), e_f = exp(-D / tau_facil) and the interval D of the Poisson train
        u' = U + (1 - U) u e_f,      x' = (1 - e_r) + e_r x (1 - u),
        m_k = sum_j b_kj g_0j m_j,      M_k = sum_j b_kj [(g_0j - g_1j) m_j + g_1j (M_j - M_(j+1))],
    where b_kj = binom(k, j) U^(k-j) (1 - U)^j and g_aj = E[e_r^a e_f^j] = rate / (rate + c),
    c = a / tau_rec + j / tau_facil; in steps, p / (p + exp(c dt) - 1), where p = 1 - exp(-rate dt).
    """
    from scipy.stats import binom  # its import takes a second

    k = np.arange(_MOMENTS)
    b = binom.pmf(k[None, :], k[:, None], 1 - share)
    slower = k / facilitation if facilitation > 0 else np.where(k > 0, np.inf, 0.0)

    def mean(c: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return (
                -np.expm1(-rate * dt) / (np.expm1(c * dt) - np.expm1(-rate * dt))
                if dt > 0
                else rate / (rate + c)
            )

    plain_mean = mean(slower)
    with_recovery = mean(slower + 1 / recovery) if recovery > 0 else np.zeros(_MOMENTS)
    m = np.ones(_MOMENTS)
    for n in range(1, _MOMENTS):
        m[n] = b[n, :n] @ (plain_mean[:n] * m[:n]) / (1 - b[n, n] * plain_mean[n])
    following = np.eye(_MOMENTS) - np.eye(_MOMENTS, k=1)  # M_j - M_(j+1), the last without what follows
    matrix = np.eye(_MOMENTS) - b @ (with_recovery[:, None] * following)
    moments = np.linalg.solve(matrix, b @ ((plain_mean - with_recovery) * m))
    return float(moments[1])
