"""Errors of a voltage fit from blocks of time: regressions without each block, their spread, and coverage with few blocks.

Of the internal `jackknife`, as coverage in some hundred fits of a neuron takes minutes: benchmarks/voltage_coverage.py.
"""

import numpy as np
import pytest
from scipy.stats import norm, t

from nsnn_neuro.likelihood.voltage.errors import jackknife

N_BLOCKS, LENGTH = 20, 8


@pytest.fixture(scope="module")
def columns():
    """A regression on a constant and a column of which some blocks have much: (n_blocks, length, 2)."""
    rng = np.random.default_rng(1)
    size = np.sqrt(rng.exponential(size=(N_BLOCKS, 1)))
    return np.stack([np.ones((N_BLOCKS, LENGTH)), size * rng.normal(size=(N_BLOCKS, LENGTH))], axis=2)


def regression(columns, y):
    """Estimate, scores and slopes of blocks."""
    flat = columns.reshape(-1, columns.shape[2])
    found = np.linalg.lstsq(flat, y.ravel(), rcond=None)[0]
    scores = np.einsum("jta,jt->ja", columns, y - columns @ found)
    return found, scores, np.einsum("jta,jtb->jab", columns, columns)


def test_errors_are_those_of_regressions_without_each_block(columns):
    y = np.random.default_rng(2).normal(size=columns.shape[:2])
    found, scores, slopes = regression(columns, y)
    covariance, _ = jackknife(scores, slopes, slopes)
    moves = []
    for j in range(N_BLOCKS):
        kept = np.arange(N_BLOCKS) != j
        moves.append(regression(columns[kept], y[kept])[0] - found)
    moves = np.array(moves)
    np.testing.assert_allclose(covariance, (N_BLOCKS - 1) / N_BLOCKS * moves.T @ moves, rtol=1e-9)


@pytest.mark.slow
def test_intervals_cover_with_few_blocks_of_unequal_weight(columns):
    """Also where noise is correlated within blocks; a normal interval from the variance of the scores is too narrow."""
    rng = np.random.default_rng(3)
    n = 400
    held, plain, variances, freedom = 0, 0, [], []
    for shared in (0.0, 0.5):
        for y in rng.normal(size=(n, *columns.shape[:2])) + shared * rng.normal(size=(n, N_BLOCKS, 1)):
            found, scores, slopes = regression(columns, y)
            covariance, degrees = jackknife(scores, slopes, slopes)
            off = abs(found[1]) / np.sqrt(covariance[1, 1])
            held += off < t.ppf(0.975, degrees[1])
            inverse = np.linalg.inv(slopes.sum(axis=0))
            plain += abs(found[1]) < norm.ppf(0.975) * np.sqrt((inverse @ scores.T @ scores @ inverse)[1, 1])
            if not shared:
                variances.append(covariance[1, 1])
                freedom.append(degrees[1])
    error = np.sqrt(0.05 * 0.95 / (2 * n))
    assert 0.95 - 4 * error < held / (2 * n) < 0.98
    assert plain / (2 * n) < 0.95 - 3 * error
    # degrees of freedom: those of a chi-square variable with the mean and variance of the variance
    variances = np.array(variances)
    true = 2 * variances.mean() ** 2 / variances.var()
    spread = np.array([2 * v.mean() ** 2 / v.var() for v in np.array_split(variances, 10)])
    assert abs(np.mean(freedom) - true) < 4 * spread.std(ddof=1) / np.sqrt(10)
    assert np.mean(freedom) < 0.7 * N_BLOCKS
