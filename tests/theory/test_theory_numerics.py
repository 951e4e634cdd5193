"""Numerical parts of the closed forms: parabolic-cylinder functions, roots between grid points, the grid of shot noise."""
# Imports internals: rates and spectra show the parts only through each other, to fewer digits, and no argument sets the grid.

from __future__ import annotations

import numpy as np
import pytest

from nsnn_neuro import theory
from nsnn_neuro.theory.lif import shot_noise
from nsnn_neuro.theory.lif.parabolic_cylinder import log_derivative, log_pcfd
from nsnn_neuro.theory.mean_field import _roots


@pytest.mark.parametrize("nu", [1e-3j, 1j, -10j, -300j, 100j - 1, -3j - 2, 0.5, 2.3])
def test_parabolic_cylinder_functions(nu):
    """mpmath at 30 digits: D to 1e-11, its logarithmic derivative from D' = z/2 D - D_(nu+1) to 1e-9."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        for z in (-12.0, -3.0, -0.5, 0.0, 0.7, 4.0, 15.0):
            exact = mpmath.pcfd(nu, z)
            assert abs(complex(mpmath.exp(log_pcfd(nu, z)) / exact) - 1) < 1e-11
            slope = complex(z / 2 - mpmath.pcfd(nu + 1, z) / exact)
            assert abs(log_derivative(nu, z) - slope) < 1e-9 * (1 + abs(slope))


def test_pairs_of_roots_between_two_points_are_found():
    function = lambda x: (x - 0.501) * (x - 0.502) * (x - 0.9)  # noqa: E731
    assert _roots(function, np.linspace(0, 1, 11)) == pytest.approx([0.501, 0.502, 0.9], abs=1e-9)
    assert _roots(lambda x: -function(x), np.linspace(0, 1, 11)) == pytest.approx(
        [0.501, 0.502, 0.9], abs=1e-9
    )


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "down"), [(-0.3, -0.1), (1.0, -0.2137), (1.4, -0.2137)])
def test_refining_the_grid_of_shot_noise_changes_nothing(monkeypatch, mu, down):
    """The same on a grid three times finer to begin with, inhibition commensurate or not, mu below, at and above v_thresh."""
    more = {
        "weight_inh": down,
        "rate_inh": 1.5,
        "tau_m": 1.0,
        "v_thresh": 1.0,
        "v_reset": 0.0,
        "tau_refrac": 0.0,
    }

    def both():
        return [function(mu, 0.2, 4.0, **more) for function in (theory.shot_noise_rate, theory.shot_noise_cv)]

    first = both()
    monkeypatch.setattr(shot_noise, "_PER_JUMP", 24)
    monkeypatch.setattr(shot_noise, "_AIM", 1.0)
    for a, b in zip(first, both(), strict=True):
        assert abs(a / b - 1) < 5e-6
