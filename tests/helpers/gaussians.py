"""Gaussian samples of known mutual information, and checks of estimators on them."""

import numpy as np
from scipy.stats import kstest


def gaussian(rng, n, rho):
    """x, y (n,) of correlation rho: -1/2 log2(1 - rho^2) bit."""
    x, z = rng.normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * z


def channel(rng, n, mixing):
    """x (n, d) and y = x mixing + noise (n, e): 1/2 log2 det(1 + mixing^T mixing) bit."""
    x = rng.normal(size=(n, mixing.shape[0]))
    return x, x @ mixing + rng.normal(size=(n, mixing.shape[1]))


def truth(rho):
    return -0.5 * np.log2(1 - rho**2)


def channel_truth(mixing):
    return 0.5 * np.linalg.slogdet(np.eye(mixing.shape[1]) + mixing.T @ mixing)[1] / np.log(2)


def z_of_mean(values, expected):
    return (np.mean(values) - expected) / (np.std(values, ddof=1) / np.sqrt(len(values)))


def uniform_p(estimator, shapes, n, seed):
    """Kolmogorov and Smirnov's p of 400 p-values of independent x and y; steps of 1/(1 + 19) are filled.

    It is below 0.001 where the share of p-values below any value is off by 0.1.
    """
    rng = np.random.default_rng(seed)
    p = [estimator(*(rng.normal(size=(n, d)) for d in shapes), n_shuffle=19, seed=k).p for k in range(400)]
    return kstest(np.array(p) - rng.uniform(0, 1 / 20, 400), "uniform").pvalue
