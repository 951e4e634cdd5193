"""First-passage density, power spectrum and linear response of a one-dimensional neuron in white noise.

The transform phi(x) = E exp(-s T) of the first-passage time T from x to v_spike obeys the equation adjoint to Fokker-Planck's,
sigma^2 phi'' + f phi' = s phi (s in 1/tau_m), phi(v_spike) = 1, phi'(v_low) = 0. Its logarithmic derivative w is integrated
upwards from v_low, exactly in each cell of `stationary`; log phi(v_reset) = -int w from v_reset to v_spike. The required solution
is the one that grows upwards, so this integration is stable at all frequencies, like the downward integration of the density. In
white noise interspike intervals are independent, so everything else follows from phi and the density.

Frequencies f are in Hz; s = 2 pi i f, and a rate responds as r(t) = r + epsilon Re[chi(f) exp(2 pi i f t)], so that a delay has a
negative phase. Spectra are two-sided; the spectrum of a Poisson process is its rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...core.aliases import Time, Voltage
from ...core.checks import whole
from ..arguments import expect, out, plain
from .stationary import DriftProblem, cumulants, density_of_unit_flux, drift_problem, finite

_SLOW = 2e-4  # below this multiple of the rate a spectrum is its value at 0, to 1e-6
_EULER_A, _EULER_M = 18.4, 12  # discretisation error exp(-18.4) = 1e-8; terms averaged


def _adjoint(p: DriftProblem, s: np.ndarray, density: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """log phi(v_reset), int phi' P dV and int phi' P' dV with P of unit flux (`density`); s != 0, Re s >= 0, in 1/tau.

    In a cell phi = A exp(grow x) + B exp(decay x) and P = constant + (P'_top sigma^2 / f) exp(-y f / sigma^2), y counted down from
    the cell's upper end: the integrals are exact as well. Their running values are divided by phi at the upper end.
    """
    diffusion = p.sigma**2
    w = np.zeros(np.broadcast_shapes(np.shape(s), diffusion.shape), dtype=complex)
    log_phi, with_p, with_slope = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for number, (h, a, above) in enumerate(p.each_cell()):
        # the roots, which sum to -a, in a form without cancellation
        q = np.sqrt(a**2 / 4 + s / diffusion)
        large = q + np.abs(a) / 2
        small = s / diffusion / large
        grow, decay = np.where(a > 0, small, large), np.where(a > 0, -large, -small)
        lost = -np.expm1(-2 * q * h)
        step = grow * h + np.log1p((w - grow) * lost / (2 * q))
        up, down = w - decay, (grow - w) * (1 - lost)
        rising, falling = up / (up + down), down / (up + down)
        w = rising * grow + falling * decay
        if above:
            log_phi = log_phi - step
        if density is not None:
            shrink, top = np.exp(-step), density[number + 1]
            slope = a * top - above / diffusion
            gain = 1 - shrink  # int phi'
            tilted = rising * grow / decay * np.expm1(decay * h) + falling * decay / grow * np.expm1(grow * h)
            flat = np.abs(a * h) < 1e-5
            behind = np.where(flat, h / 2 * gain, (gain - tilted) / np.where(flat, 1.0, a))
            with_p = with_p * shrink + top * gain - slope * behind
            with_slope = with_slope * shrink + slope * tilted
    return log_phi, with_p, with_slope


def fp_interval_density(
    t: Any,
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
    terms: int = 50,
) -> Any:
    """Density of the interspike interval, in 1/time; with tau_refrac = 0 that of the first-passage time from v_reset.

    p(t) = exp(A/2)/u sum_k (-1)^k w_k Re phi((A + 2 pi i k) / 2u), u = t - tau_refrac, A = 18.4: the inverse Laplace
    transform as a Fourier series of `terms` terms and 12 more with Euler's binomial weights. It is equally accurate at early and
    late times. The error is about 1e-8 / u; with the default it is 1e-7 of the peak for a CV of 0.1 and 3e-5 for a CV of 0.05: use
    terms = 5 / CV for smaller CVs. t broadcasts with the parameters; other arguments as in `fp_rate`.

    Source: Abate & Whitt 1995, doi 10.1287/ijoc.7.1.36 (the inversion)

    >>> from nsnn_neuro.theory import lif_drift
    >>> p = fp_interval_density(0.5, lif_drift(0.8), 0.4 / 2**.5, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(p, 4)
    0.0336
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells, t=t)
    terms = whole(terms, 1, "terms")
    u = plain(t, "t") / p.tau - p.refrac
    late = u > 0
    u = np.where(late, u, 1.0)
    k, weight = _euler(terms, u.ndim)
    log_phi, *_ = _adjoint(p, (_EULER_A + 2j * np.pi * k) / (2 * u))
    density = np.exp(_EULER_A / 2) / u * np.sum(weight * np.exp(log_phi).real, axis=0)
    return out(np.where(late, density / p.tau, 0.0))


def fp_counts(
    window: Any,
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    kmax: int,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
    terms: int = 50,
) -> Any:
    """Probability of 0 ... kmax spikes in a window that starts with the membrane at v_reset, not refractory.

    P(N >= k) = P(T_1 + ... + T_k + (k - 1) tau_refrac <= window), T_i first-passage times: its transform is phi(v_reset)^k / s,
    inverted as in `fp_interval_density`. The sum is 1 minus the probability of more than kmax spikes. The error is about 1e-7 if
    the time of the k-th spike has a CV of at least 0.1; use more terms, 5 / CV, for more regular spikes.

    window : time > 0, broadcasts with the parameters; kmax : whole number, 0 or more; the others as in `fp_interval_density`.
    Returns the probabilities, (kmax + 1, ...).

    Source: Cox 1962, Renewal Theory, ch. 3 (counts); Abate & Whitt 1995, doi 10.1287/ijoc.7.1.36 (the inversion)

    >>> from nsnn_neuro.theory import lif_drift
    >>> cell = dict(tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> fp_counts(5.0, lif_drift(0.8), 0.4 / 2**.5, kmax=3, **cell).round(4).tolist()
    [0.1307, 0.4309, 0.35, 0.0825]
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells, window=window)
    terms = whole(terms, 1, "terms")
    kmax = whole(kmax, 0, "kmax")
    length = plain(window, "window") / p.tau
    expect(length > 0, "a positive time", window=window)
    k = np.arange(1, kmax + 2).reshape(-1, *[1] * length.ndim)
    u = length - (k - 1) * p.refrac
    no_refractory = np.all(p.refrac == 0)  # one time for all k
    late, u = u > 0, np.where(u > 0, u, 1.0)
    n, weight = _euler(terms, u.ndim)
    s = (_EULER_A + 2j * np.pi * n) / (2 * u)
    log_phi, *_ = _adjoint(p, s[:, :1] if no_refractory else s)
    terms_of = weight * (np.exp(k * log_phi) / s).real
    reached = np.where(late, np.exp(_EULER_A / 2) / u * np.sum(terms_of, axis=0), 0.0)
    reached = np.clip(np.concatenate([np.ones_like(reached[:1]), reached]), 0.0, 1.0)
    return np.maximum(-np.diff(reached, axis=0), 0.0)


def _euler(terms: int, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Number and weight of each term of the inverted transform, along a new first axis of `ndim` more."""
    k = np.arange(terms + _EULER_M + 1).reshape(-1, *[1] * ndim)
    tail = special.bdtrc(np.arange(_EULER_M + 1) - 1, _EULER_M, 0.5)
    return k, np.concatenate([[0.5], np.ones(terms - 1), tail]).reshape(k.shape) * (-1.0) ** k


def fp_spectrum(
    f: Any,
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> Any:
    """Power spectrum of the spike train at frequency f, in Hz: S = r (1 - |F|^2) / |1 - F|^2, F the interval's transform.

    F = phi(v_reset) exp(-2 pi i f tau_refrac). S(0) = r CV^2, S(infinity) = r; the peak of weight r^2 at 0 is omitted.
    f, a frequency (plain with a plain tau_m), broadcasts with the parameters; other arguments as in `fp_rate`.

    Source: Richardson 2008, doi 10.1007/s00422-008-0244-y; Stratonovich 1963 (renewal processes)

    >>> from nsnn_neuro.theory import lif_drift
    >>> s = fp_spectrum([0.0, 1.0], lif_drift(0.8), 0.4 / 2**.5, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> s.round(4).tolist()
    [0.1463, 0.3452]
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells, f=f)
    mean, variance = cumulants(p)
    finite(p, mean + variance)
    rate = 1 / (p.refrac + mean)
    frequency = plain(f, "f") * p.tau
    return out(renewal_spectrum(frequency, rate, variance, p.refrac, lambda s: _adjoint(p, s)[0]) / p.tau)


def renewal_spectrum(f: Any, rate: Any, variance: Any, refrac: Any, log_transform: Any) -> np.ndarray:
    """S at f from the logarithm of the transform of T, its variance, and refrac, all in the same unit of time."""
    slow = np.abs(f) < _SLOW * rate
    s = 2j * np.pi * np.where(slow, rate, f)
    log_phi = log_transform(s)
    spectrum = -rate * np.expm1(2 * log_phi.real) / np.abs(np.expm1(log_phi - s * refrac)) ** 2
    return np.where(slow, rate**3 * variance, spectrum)


def fp_susceptibility(
    f: Any,
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> Any:
    """Linear response of the rate to a modulated drive, in Hz per voltage.

    drift + epsilon cos(2 pi f t) gives r + epsilon Re[chi exp(2 pi i f t)], chi = r int phi' P dV / (1 - F), P the density of unit
    flux, phi and F as in `fp_spectrum`; chi(0) = dr/dmu. Arguments as in `fp_spectrum`.

    Source: Richardson 2007, doi 10.1103/PhysRevE.76.021919

    >>> from nsnn_neuro.theory import lif_drift
    >>> chi = fp_susceptibility(0.0, lif_drift(0.8), 0.4 / 2**.5, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(chi.real, 4), chi.imag    # closed form: .854158
    (0.8542, 0.0)
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells, f=f)
    return out(_susceptibilities(p, plain(f, "f"))[0])


def fp_noise_susceptibility(
    f: Any,
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> Any:
    """Linear response of the rate to a modulated noise amplitude, in Hz per voltage: sigma + epsilon cos(2 pi f t).

    chi = -2 sigma r int phi' P' dV / (1 - F), as in `fp_susceptibility`; chi(0) = dr/dsigma. The
    modulation of sigma^2 is 2 sigma epsilon: divide by 2 sigma for the response to the noise intensity sigma^2.

    Source: Lindner & Schimansky-Geier 2001, doi 10.1103/PhysRevLett.86.2934; Richardson 2007, doi 10.1103/PhysRevE.76.021919

    >>> from nsnn_neuro.theory import lif_drift
    >>> chi = fp_noise_susceptibility(0.0, lif_drift(0.8), 0.4 / 2**.5, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(chi.real, 3)
    1.058
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells, f=f)
    return out(_susceptibilities(p, plain(f, "f"))[1])


def _susceptibilities(p: DriftProblem, f: np.ndarray) -> list[np.ndarray]:
    """Linear response to the drive and to sigma; at f = 0 the real part at a small frequency, which is the limit."""
    rate = 1 / (p.refrac + cumulants(p)[0])
    at_zero = f == 0
    s = 2j * np.pi * np.where(at_zero, 1e-5 * rate, f * p.tau)
    log_phi, with_p, with_slope = _adjoint(p, s, density_of_unit_flux(p))
    factor = -rate / np.expm1(log_phi - s * p.refrac) / p.tau
    return [np.where(at_zero, chi.real, chi) for chi in (factor * with_p, -2 * p.sigma * factor * with_slope)]
