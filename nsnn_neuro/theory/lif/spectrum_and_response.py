"""Leaky integrate-and-fire neuron in white noise: closed forms of its power spectrum and linear response.

a = (mu - v_thresh) / sigma, b = (mu - v_reset) / sigma, nu = -2 pi i f tau_m, Delta = (b^2 - a^2) / 4, and D_nu the
parabolic-cylinder functions: exp(Delta) D_nu(b) / D_nu(a) is the transform of the first-passage time. The convention of
the papers, exp(-i omega t), is the complex conjugate of exp(+2 pi i f t) used here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aliases import Time, Voltage
from ...core.errors import NsnnError
from ..arguments import expect, out, problem, times
from ..fokker_planck.response import renewal_spectrum
from .parabolic_cylinder import descend, log_derivative
from .white_noise import siegert_cv, siegert_rate


def _setup(f, mu, sigma, tau_m, v_thresh, v_reset, tau_refrac):
    """f tau, and a, b, sigma, tau, refrac / tau, rate tau."""
    frequency, *_ = times(f=f, tau_m=tau_m, tau_refrac=tau_refrac)
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    expect(p.sigma > 0, "a positive value", sigma=sigma)
    neuron = {"tau_m": p.tau, "v_thresh": p.theta, "v_reset": p.reset, "tau_refrac": p.refrac}
    rate = np.asarray(siegert_rate(p.mu, p.sigma, **neuron))
    if np.any(rate == 0):
        raise NsnnError(f"sigma = {sigma} is so small that the rate is 0: expected a larger one")
    a, b = (p.mu - p.theta) / p.sigma, (p.mu - p.reset) / p.sigma
    return frequency * p.tau, a, b, p.sigma, p.tau, p.refrac / p.tau, rate * p.tau


def _transform(nu: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log(exp(Delta) D_nu(b) / D_nu(a)), and D_nu' / D_nu at a and at b."""
    nu, a, b = np.broadcast_arrays(nu, a, b)
    at_b = log_derivative(nu, b)
    ratio, at_a = descend(nu, b, a, at_b)
    return (b**2 - a**2) / 4 - ratio, at_a, at_b


def lindner_spectrum(
    f: Any, mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Power spectrum of the spike train of an LIF neuron in white noise at frequency f, in Hz.

    S = r (|D_nu(a)|^2 - exp(2 Delta) |D_nu(b)|^2) / |D_nu(a) - exp(Delta - 2 pi i f tau_refrac) D_nu(b)|^2

    S(0) = r CV^2, S(infinity) = r; two-sided, without the peak of weight r^2 at 0.

    Parameters
    ----------
    f : frequency, plain with a plain tau_m; mu, sigma, ... as in `siegert_rate`, sigma > 0. All broadcast

    Source: Lindner, Schimansky-Geier & Longtin 2002, doi 10.1103/PhysRevE.66.031916

    >>> s = lindner_spectrum([0.0, 1.0], 0.8, 0.4 / 2**.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> s.round(6).tolist()
    [0.146291, 0.345199]
    """
    frequency, a, b, _, tau, refrac, rate = _setup(f, mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    neuron = {"tau_m": 1.0, "v_thresh": -a, "v_reset": -b, "tau_refrac": refrac}
    variance = (np.asarray(siegert_cv(0.0, 1.0, **neuron)) / rate) ** 2
    spectrum = renewal_spectrum(frequency, rate, variance, refrac, lambda s: _transform(-s, a, b)[0])
    return out(spectrum / tau)


def lindner_susceptibility(
    f: Any, mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Linear response of an LIF neuron's rate to mu + epsilon cos(2 pi f t), in Hz per voltage.

    The rate is r + epsilon Re[chi exp(2 pi i f t)],
    chi = (r nu / sigma) / (nu - 1) [D_(nu-1)(a) - exp(Delta) D_(nu-1)(b)] / [D_nu(a) - exp(Delta - 2 pi i f tau_refrac) D_nu(b)]

    chi(0) = dr/dmu (`siegert_gain`). Arguments as in `lindner_spectrum`.

    Source: Lindner & Schimansky-Geier 2001, doi 10.1103/PhysRevLett.86.2934; Brunel et al. 2001, doi 10.1103/PhysRevLett.86.2186

    >>> chi = lindner_susceptibility(0.0, 0.8, 0.4 / 2**.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(chi.real, 6), chi.imag
    (0.854158, 0.0)
    """
    # nu D_(nu-1) = D_nu' + z/2 D_nu
    cell = _setup(f, mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    return _response(cell, 1, lambda nu: nu - 1, lambda nu, z, at_z: at_z + z / 2)


def lindner_noise_susceptibility(
    f: Any, mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Linear response of an LIF neuron's rate to sigma + epsilon cos(2 pi f t), in Hz per voltage.

    chi = (2 r nu (nu - 1) / sigma) / (2 - nu) [D_(nu-2)(a) - exp(Delta) D_(nu-2)(b)] /
    [D_nu(a) - exp(Delta - 2 pi i f tau_refrac) D_nu(b)]

    chi(0) = dr/dsigma; chi(infinity) = 2 r / sigma: a change of the noise is felt at once. Arguments as in `lindner_spectrum`.

    Source: Lindner & Schimansky-Geier 2001, doi 10.1103/PhysRevLett.86.2934

    >>> chi = lindner_noise_susceptibility(0.0, 0.8, 0.4 / 2**.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(chi.real, 5)
    1.05848
    """
    # nu (nu-1) D_(nu-2) = z (D_nu' + z/2 D_nu) - nu D_nu
    cell = _setup(f, mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    return _response(cell, 2, lambda nu: 2 - nu, lambda nu, z, at_z: z * (at_z + z / 2) - nu)


def _response(cell, factor, divisor, term) -> Any:
    """factor r / sigma / divisor [term(a) - exp(Delta) term(b)] / (1 - F), term divided by D_nu; a real number at f = 0."""
    f, a, b, sigma, tau, refrac, rate = cell
    still = f == 0
    nu = -2j * np.pi * np.where(still, 1e-5 * rate, f)  # its real part is the limit
    log_phi, at_a, at_b = _transform(nu, a, b)
    step = term(nu, a, at_a) - np.exp(log_phi) * term(nu, b, at_b)
    chi = factor * rate / sigma / tau / divisor(nu) * step / -np.expm1(log_phi + nu * refrac)
    return out(np.where(still, chi.real, chi))
