"""Calibration, reliability, selective accuracy and Brier scores by hand, against loops, scikit-learn and their laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import brier_score_loss

from nsnn_neuro.measures import brier_score, calibration_error, reliability_curve, selective_accuracy


def predictions(seed, n=400, k=3, passes=None):
    """Random probabilities, or shares of so many passes, and labels that have little to do with them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    if passes is not None:
        p = np.array([rng.multinomial(passes, row) for row in p]) / passes
    return p, rng.integers(0, k, n)


def calibrated(rng, n, low=0.5, high=1.0, shift=0.0):
    """Two classes; a guess of confidence c, uniform from low to high, is right with probability c - shift."""
    c = rng.uniform(low, high, n)
    return np.column_stack([c, 1 - c]), (rng.random(n) >= c - shift).astype(int)


def by_loop(p, y, edges):
    """ECE with bins (a, b]."""
    total = 0.0
    for a, b in itertools.pairwise(edges):
        inside = [k for k in range(len(p)) if a < p[k].max() <= b]
        if inside:
            right = np.mean([p[k].argmax() == y[k] for k in inside])
            total += len(inside) / len(p) * abs(right - np.mean([p[k].max() for k in inside]))
    return total


@pytest.mark.parametrize(("n_bins", "passes"), [(4, None), (15, 7)])
def test_the_error_by_a_loop(n_bins, passes):
    p, y = predictions(1, passes=passes)
    found = calibration_error(p, y, n_bins=n_bins, n_shuffle=0)
    assert_allclose(found.value, by_loop(p, y, np.arange(n_bins + 1) / n_bins), rtol=1e-12)
    assert (found.null_mean, found.p, found.n, found.unit, found.correction) == (None, None, 400, "1", "none")


def test_bins_of_equal_mass_never_part_equal_confidences():
    p, y = predictions(2)
    c = np.sort(p.max(axis=1))
    found = calibration_error(p, y, n_bins=10, bins="mass", n_shuffle=0)
    assert_allclose(found.value, by_loop(p, y, [0, *c[39::40]]), rtol=1e-12)
    p, y = predictions(3, passes=5)
    curve = reliability_curve(p, y, n_bins=15, bins="mass")
    distinct, size = np.unique(np.round(p.max(axis=1), 12), return_counts=True)
    assert sorted(curve.count[curve.count > 0]) == sorted(size)
    assert_allclose(np.sort(curve.confidence[curve.count > 0]), distinct)


def test_a_bin_has_its_upper_edge():
    """.6 as three shares of .2 is a little more than 9/15."""
    p = np.array([[0.2 + 0.2 + 0.2, 0.4], [0.6, 0.4]])
    assert p[0, 0] > 0.6
    assert reliability_curve(p, [0, 1]).count.nonzero()[0].tolist() == [8]
    assert reliability_curve([[1.0, 0.0]], [0]).count[-1] == 1


@pytest.mark.parametrize(("confidence", "right", "bins"), [(0.9, 12, "width"), (0.55, 20, "mass")])
def test_a_constant_confidence_is_off_by_exactly_its_excess(confidence, right, bins):
    """Of 20; the jackknife is then the standard error of the accuracy."""
    p = np.tile([confidence, 1 - confidence], (20, 1))
    answers = np.arange(20) < right
    found = calibration_error(p, (~answers).astype(int), bins=bins, n_shuffle=0)
    assert_allclose(found.value, abs(confidence - right / 20), atol=1e-12)
    assert_allclose(found.se, stats.sem(answers), rtol=1e-9, atol=1e-12)
    curve = reliability_curve(np.tile([0.9, 0.1], (8, 1)), [0] * 8, n_bins=1)
    assert_allclose(curve.se, np.sqrt(0.9 * 0.1 / 8))  # 9 of 10


def test_perfect_calibration_leaves_the_bias_that_is_told():
    """sum_b sqrt(2 n_b c_b (1 - c_b) / pi) / n within 3 % of normal approximation; null_mean is the same, and p uniform."""
    n, rng = 200, np.random.default_rng(200)
    found = [calibration_error(*calibrated(rng, n), n_bins=10, n_shuffle=39) for _ in range(120)]
    value, null = (np.array([getattr(e, name) for e in found]) for name in ("value", "null_mean"))
    c = 0.55 + 0.1 * np.arange(5)
    expected = np.sqrt(2 * n / 5 * (c * (1 - c)) / np.pi).sum() / n
    assert abs(value.mean() - expected) < 4 * stats.sem(value) + 0.03 * expected
    assert abs((value - null).mean()) < 4 * stats.sem(value - null)
    p = np.array([e.p for e in found])
    assert abs((p <= 0.2).mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 120)
    assert all("perfect calibration would give half" in e.warning for e in found)


def test_overconfidence_is_found_with_its_error_bar():
    """Right with c - .2, c from .7 to .95, so the ECE is .2 and linear in the sample; se against the spread over samples."""
    rng = np.random.default_rng(6)
    found = [calibration_error(*calibrated(rng, 500, 0.7, 0.95, 0.2), n_shuffle=0) for _ in range(200)]
    value, se = (np.array([getattr(e, name) for e in found]) for name in ("value", "se"))
    assert abs(value.mean() - 0.2) < 4 * stats.sem(value)
    assert abs(se.mean() / value.std(ddof=1) - 1) < 4 / np.sqrt(2 * 199)
    told = calibration_error(*calibrated(rng, 500, 0.7, 0.95, 0.2))
    assert told.p == pytest.approx(1 / 201)
    assert told.warning is None


@given(st.integers(0, 10**6), st.integers(1, 30), st.sampled_from(["width", "mass"]))
def test_inequalities(seed, n_bins, bins):
    """From 0 to 1; one bin is a lower bound; the order of samples doesn't matter; the curve adds up to it."""
    p, y = predictions(seed, 40, passes=9)
    value = calibration_error(p, y, n_bins=n_bins, bins=bins, n_shuffle=0).value
    right = p.argmax(axis=1) == y
    assert abs(right.mean() - p.max(axis=1).mean()) - 1e-12 <= value <= 1
    assert_allclose(
        calibration_error(p[::-1], y[::-1], n_bins=n_bins, bins=bins, n_shuffle=0).value, value, rtol=1e-9
    )
    curve = reliability_curve(p, y, n_bins=n_bins, bins=bins)
    assert_allclose(
        np.nansum(curve.count * np.abs(curve.accuracy - curve.confidence)) / 40, value, rtol=1e-9, atol=1e-12
    )


def test_one_sample_has_no_error_bar():
    found = calibration_error([[0.8, 0.2]], [1])
    assert (round(found.value, 12), found.se_method) == (0.8, None)
    assert np.isnan(found.se)
    assert np.isnan(brier_score([[0.8, 0.2]], [1]).se)


def test_with_all_errors_last_by_hand():
    """7 of 10 right and more confident: 1 up to 7 / 10, then 7 / k."""
    c = np.linspace(0.99, 0.6, 10)
    p, y = np.column_stack([c, 1 - c]), np.array([0] * 7 + [1] * 3)
    order = np.random.default_rng(1).permutation(10)
    curve = selective_accuracy(p[order], y[order])
    assert_allclose(curve.coverage, np.arange(1, 11) / 10)
    assert_allclose(curve.accuracy, [1] * 7 + [7 / 8, 7 / 9, 7 / 10])
    assert_allclose(curve.area, (7 + 7 / 8 + 7 / 9 + 7 / 10) / 10)
    assert_allclose(curve.se[0], np.sqrt(2 / 3 * 1 / 3))
    worst = selective_accuracy(p, y[::-1])
    assert_allclose(worst.accuracy, [0, 0, 0, *((k - 3) / k for k in range(4, 11))])


def test_equal_confidences_are_averaged_over_their_order():
    """Against 2,000 random orders of the ties."""
    p, y = predictions(8, 60, passes=4)
    curve = selective_accuracy(p, y)
    rng = np.random.default_rng(2)
    right, c = p.argmax(axis=1) == y, p.max(axis=1)
    order = np.lexsort((rng.random((2000, 60)), np.broadcast_to(-c, (2000, 60))))
    runs = np.cumsum(right[order], axis=1) / np.arange(1, 61)
    z = (runs.mean(axis=0) - curve.accuracy) / np.maximum(runs.std(axis=0) / np.sqrt(2000), 1e-9)
    assert np.abs(z).max() < 4.5  # of sixty
    one = selective_accuracy(np.tile([0.9, 0.1], (60, 1)), y % 2)
    assert_allclose(one.accuracy, np.mean(y % 2 == 0))
    assert_allclose(one.area, np.mean(y % 2 == 0))


@pytest.mark.parametrize(("coverage", "counts"), [([0.31, 0.05], [4, 1]), (0.1 + 0.2, [3]), (1e-9, [1])])
def test_coverage_takes_that_many(coverage, counts):
    c = np.linspace(0.99, 0.6, 10)
    p, y = np.column_stack([c, 1 - c]), np.array([0, 1, 0, 1, 1, 0, 0, 1, 0, 0])
    curve = selective_accuracy(p, y, coverage=coverage)
    assert_allclose(curve.coverage, np.array(counts) / 10)
    assert_allclose(curve.accuracy, [np.mean(y[:k] == 0) for k in counts])
    assert curve.area == selective_accuracy(p, y).area


def test_brier_is_scikit_learns():
    p, y = predictions(9, k=2)
    assert_allclose(brier_score(p, y).value, 2 * brier_score_loss(y, p[:, 1]), rtol=1e-12)
    p, y = predictions(10, k=4)
    each = sum(brier_score_loss(y == k, p[:, k]) for k in range(4))
    found = brier_score(p, y)
    assert_allclose(found.value, each, rtol=1e-12)
    assert_allclose(found.se, stats.sem(((p - np.eye(4)[y]) ** 2).sum(axis=1)), rtol=1e-12)
