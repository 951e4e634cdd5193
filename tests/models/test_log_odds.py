"""Tails and log-odds of escape families: 500 digits, cdf and pdf, and the text against the NumPy functions."""
# Imports internals: far tails, which training uses only inside its gradients.

from __future__ import annotations

import dataclasses
from typing import Any

import mpmath
import numpy as np
import pytest
from helpers import tiny_networks
from numpy.testing import assert_allclose

import nsnn_neuro as nsnn
from nsnn_neuro import parameter
from nsnn_neuro.models.log_odds import curvature, log_odds, log_odds_text, tails


def exactly(family: nsnn.Family, x: float) -> tuple[Any, Any, Any]:
    """F, 1 - F and f with 500 digits."""
    with mpmath.workdps(500):
        z = mpmath.mpf(x)
        if isinstance(family, nsnn.Gaussian):
            s = mpmath.mpf(family.sigma)
            return (
                mpmath.erfc(-z / s / mpmath.sqrt(2)) / 2,
                mpmath.erfc(z / s / mpmath.sqrt(2)) / 2,
                mpmath.npdf(z, 0, s),
            )
        if isinstance(family, nsnn.Logistic):
            s = mpmath.mpf(family.s)
            spike, silence = 1 / (1 + mpmath.exp(-z / s)), 1 / (1 + mpmath.exp(z / s))
            return spike, silence, spike * silence / s
        g = mpmath.mpf(family.g)
        silence = mpmath.atan2(1, z / g) / mpmath.pi
        return 1 - silence, silence, 1 / (mpmath.pi * g * (1 + (z / g) ** 2))


@pytest.mark.parametrize("family", [nsnn.Cauchy(0.5), nsnn.Logistic(0.4), nsnn.Gaussian(0.7)], ids=repr)
def test_tails_and_curvatures_are_exact_far_in_both_tails(family):
    """With 500 digits; second derivatives of log F and log(1 - F) by differences."""
    x = np.array([-1e6, -1000.0, -40.0, -3.0, -0.1, 0.0, 0.2, 5.0, 37.0, 1000.0])
    slopes = tails(family, x)
    curved, h = curvature(family, x, slopes), mpmath.mpf(10) ** -60
    for k, value in enumerate(x):
        with mpmath.workdps(500):
            if abs(value) < 1e5:
                three = [exactly(family, mpmath.mpf(value) + step * h) for step in (-1, 0, 1)]
                spike, silence, density = three[1]
                expected = [mpmath.log(spike), mpmath.log(silence), density / spike, density / silence]
                # exponentials below the smallest double are 0: no relative accuracy there
                expected = [float(e) for e in expected]
                assert_allclose([part[k] for part in slopes], expected, rtol=2e-12, atol=1e-300)
                logs = [[mpmath.log(q[side]) for q in three] for side in (0, 1)]
                second = [float(-(low - 2 * middle + high) / h**2) for low, middle, high in logs]
            elif isinstance(family, nsnn.Gaussian):  # beyond 500 digits: 1 - 1/z^2, and nothing
                second = [(1 - (0.7 / value) ** 2) / 0.7**2, 0.0]
            else:
                continue
        assert_allclose([part[k] for part in curved], second, rtol=2e-9, atol=1e-300)


@dataclasses.dataclass(frozen=True, eq=False)
class Gumbel(nsnn.Family):
    """A density that isn't even."""

    s: Any = parameter("1", bound="positive")
    cdf_text = "exp(-exp(-x / s))"
    pdf_text = "exp(-x / s - exp(-x / s)) / s"

    def _cdf(self, x, scale):
        return np.exp(-np.exp(-x / scale))

    def _pdf(self, x, scale):
        return np.exp(-x / scale - np.exp(-x / scale)) / scale


@pytest.mark.parametrize(
    "family",
    [nsnn.Gaussian(np.array([0.2, 0.5, 1.5])), *tiny_networks.FAMILIES, Gumbel(0.5)],
    ids=lambda f: type(f).__name__,
)
def test_the_text_of_the_log_odds_is_the_numpy_function(family):
    """Also far from threshold, where F or 1 - F rounds to 1."""
    x = np.array([-300.0, -20.0, -3.0, -0.5, 0.0, 0.1, 2.0, 5.0, 40.0])[:, None] * np.ones(3)
    names = {f.name: f"noise_{f.name}" for f in family.parameter_fields()}
    lines, functions = log_odds_text(family, "x", names)
    scope = {f"noise_{f.name}": family.si(f.name) for f in family.parameter_fields()}
    scope |= {name: f.numpy for name, f in functions.items()}
    scope |= {name: getattr(np, name) for name in ("exp", "log", "abs", "pi", "sqrt", "clip", "arctan")}
    scope |= {"x": x, "int": lambda a: np.asarray(a, dtype=int)}
    with np.errstate(divide="ignore"):
        exec("\n".join(lines), scope)
    odds, slope = log_odds(family, x)
    assert_allclose(scope["odds"] * np.ones(3), odds, rtol=1e-9, atol=1e-12)
    assert_allclose(scope["f"] * np.ones_like(x), slope, rtol=1e-9, atol=1e-12)
