"""Gaussian samples of known mutual information, and checks of estimators on them."""

import numpy as np


def gaussian(rng, n, rho):
    """x, y (n,) of correlation rho: -1/2 log2(1 - rho^2) bit."""
    x, z = rng.normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * z


def channel(rng, n, mixing):
    """x (n, d) and y = x mixing + noise (n, e): 1/2 log2 det(1 + mixing^T mixing) bit."""
    x = rng.normal(size=(n, mixing.shape[0]))
    return x, x @ mixing + rng.normal(size=(n, mixing.shape[1]))


def channel_truth(mixing):
    return 0.5 * np.linalg.slogdet(np.eye(mixing.shape[1]) + mixing.T @ mixing)[1] / np.log(2)


def z_of_mean(values, expected):
    return (np.mean(values) - expected) / (np.std(values, ddof=1) / np.sqrt(len(values)))
