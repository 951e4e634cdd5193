"""Of internals: climbs, curvature and limits of profiles on functions whose maxima and profiles are known.

What leads `calibrate` astray depends on a recording; these functions show each difficulty alone.
"""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from nsnn_neuro.likelihood.calibration.by_likelihood import _inside
from nsnn_neuro.likelihood.calibration.limits import Limit, Profiler
from nsnn_neuro.likelihood.calibration.maximise import Ascent, climb, curvature, search
from nsnn_neuro.likelihood.calibration.undetermined import warn_flat, warn_held, warn_limits

DROP = 1.92072941


def stretches(*residuals):
    """Log-likelihoods (n, n_stretches) of normal residuals (n, 1), with noise over the stretches whose mean is 0."""
    noise = np.random.default_rng(2).normal(size=(len(residuals), 400))
    noise -= noise.mean(axis=1, keepdims=True)
    return -0.5 * sum((noise[k] - one) ** 2 for k, one in enumerate(residuals))


def narrow(points):
    """A straight ridge a thousand times as long as it is wide, with its top at (.6, .6)."""
    x, y = points[:, :1], points[:, 1:]
    return stretches((y - x) / 1e-3, (x + y - 1.2) / 1.0)


def test_a_climb_along_a_narrow_ridge_is_not_biased_by_its_differences():
    """A score that is off by a twentieth of an error across the ridge would move it by more than the ridge is long."""
    evaluations = []

    def function(points):
        evaluations.append(len(points))
        return narrow(points)

    at = climb(function, Ascent(np.array([0.3, 0.3])), 30, 1e-3)
    assert at.done
    np.testing.assert_allclose(at.u, 0.6, atol=2e-3)
    assert sum(evaluations) < 90


def test_a_start_well_inside_leads_to_a_maximum_that_a_bound_hides():
    def function(points):  # falls at first from the bound of x, and is highest at .6; y follows x
        x, y = points[:, :1], points[:, 1:]
        return stretches((y - 0.2 - x / 2) / 0.02) + 0.05 * np.cos(2 * np.pi * (x - 0.6) / 0.75)

    at = climb(function, Ascent(np.array([0.0, 0.3])), 30, 1e-3)
    assert at.u[0] == pytest.approx(0.0, abs=0.02)
    at.u[0] = 0.0
    start = _inside(function, at)
    assert start.u[0] == pytest.approx(0.3)
    assert start.u[1] == pytest.approx(0.35, abs=0.01)  # at its best there
    again = climb(function, start, 30, 1e-3)
    assert again.u[0] == pytest.approx(0.6, abs=0.02)
    assert again.value > at.value + 5


def bent(points):
    """A ridge along a parabola, with its top at (.5, .5)."""
    x, y = points[:, :1] - 0.5, points[:, 1:] - 0.5
    return stretches((y - x - x**2) / 0.1, x / 2)


def profile(k, place):
    """The largest log-likelihood of `bent` with parameter k there."""

    def lost(other):
        point = np.array([[place, other]] if k == 0 else [[other, place]])
        return -float(bent(point).sum())

    return -minimize_scalar(lost, bounds=(0.05, 1.0), method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.parametrize(("k", "sign"), [(0, -1), (1, 1)])
def test_limits_of_a_profile_along_a_bent_ridge(k, sign):
    at = climb(bent, Ascent(np.array([0.45, 0.5])), 30, 1e-6)
    top = at.u
    information = curvature(bent, at).information
    limit = Profiler(bent, top, information).limit(k, sign, DROP)
    assert not limit.at_bound
    best = profile(k, top[k])
    expected = brentq(lambda u: best - profile(k, u) - DROP, top[k], (sign + 1) / 2, xtol=1e-5)
    assert limit.u - top[k] == pytest.approx(expected - top[k], rel=0.03)


def test_profiles_cut_off_by_a_bound_and_higher_likelihoods_are_said_aloud():
    beside = Profiler(bent, np.array([0.5, 0.62]), np.array([[100.25, -100.0], [-100.0, 100.0]]))
    assert beside.limit(1, -1, DROP).gained > 0.1
    ends = [("tau_m", "upper", Limit(1.0, True, 0.0)), ("b", "lower", Limit(np.nan, False, 0.5))]
    with (
        pytest.warns(UserWarning, match="profile likelihood has not ended for tau_m at its upper bound"),
        pytest.warns(UserWarning, match="limits that were not found are NaN: lower of b"),
        pytest.warns(UserWarning, match=r"likelihood is 0.5 nats higher for another b"),
    ):
        warn_limits(ends)
    with pytest.warns(
        UserWarning, match="^tau_refrac is at its upper bound, the shortest.*this value; take it"
    ):
        warn_held(["tau_refrac"], np.ones(1), [0], (), up_to_data=["tau_refrac"])
    with pytest.warns(UserWarning, match="widen the bounds of b, or give"):
        warn_flat({"tau_refrac": "flat up to its upper bound", "b": "flat over all"}, ["tau_refrac"])


def test_steps_along_a_parameter_that_hardly_matters_stay_near_its_range():
    """Half of an error of a thousand ranges would be a step far outside."""
    pull = np.random.default_rng(0).normal(size=400)

    def function(points):
        assert np.all(np.abs(points - 0.5) <= 0.51)
        return (
            -((points[:, :1] - 0.5 - 0.2 * pull) ** 2) / 0.08
            - 4e-6 * (points[:, 1:] - 0.5 - 3 * pull[::-1]) ** 2
        )

    scores = np.stack([pull * 5, 2.4e-5 * pull[::-1]], axis=1)
    found = curvature(function, Ascent(np.full(2, 0.5), scores=scores))
    assert found.information[0, 0] == pytest.approx(400 / 0.04, rel=1e-3)


def test_a_search_finds_the_higher_of_two_maxima_from_a_start_that_is_fourth_best():
    def function(points):
        left = points[:, :1] < 0.5
        x, y = (
            (points[:, k : k + 1] - np.where(left, *tops)) / 0.3
            for k, tops in ((0, (0.2, 0.8)), (1, (0.5, 0.9)))
        )
        return stretches(x, y) - np.where(left, 0.25, 0.0)

    starts = np.array([[0.6, 0.1], [0.2, 0.45], [0.25, 0.5], [0.3, 0.45]])
    assert np.argmin(function(starts).sum(axis=1)) == 0
    found = search(function, starts)[0]
    assert found.value == pytest.approx(function(np.array([[0.8, 0.9]])).sum(), abs=0.1)
