"""Bins of spike counts: fewer responses, so that few trials suffice to estimate information."""

from __future__ import annotations

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats


@suggest_keywords
def bin_counts(
    counts: Values, *, n_bins: int, method: str = "equipopulated"
) -> tuple[np.ndarray, np.ndarray | list[np.ndarray]]:
    """Group spike counts into at most `n_bins` bins: symbols for information; and their edges.

    Binning many different counts removes most of the bias, and lowers the information itself. Bins
    are made without regard to the stimulus, so they add no bias. Equal counts are never parted.

    - "equipopulated" (default): borders at the quantiles k / n_bins. Where many trials have the
      same count, a bin may be much fuller, and quantiles that fall on one count give fewer bins.
    - "even" ("dynamic"): the least sum of squares of the bins' numbers of trials, by dynamic
      programming. It uses all bins if there are as many distinct counts.
    - "width": bins of nearly equal width, from the lowest to the highest count; some may be empty.

    Parameters
    ----------
    counts : (n_trials,) whole numbers; or (n_trials, n_neurons), each neuron binned by itself
    n_bins : at least 1; trials per stimulus / 4 suits the default of `mutual_information`
    method : see above

    Returns
    -------
    symbols, edges : symbols has the shape of counts, whole numbers from 0; bin k holds edges[k] <=
        count < edges[k + 1], so numpy.digitize(other_counts, edges[1:-1]) bins other trials alike.
        For several neurons edges is a list

    Raises
    ------
    NsnnError : NaN, counts that aren't whole numbers, an unknown method. Source: Panzeri et al.
        2007, doi 10.1152/jn.00559.2007

    >>> symbols, edges = bin_counts([0, 0, 0, 1, 2, 3, 5, 9], n_bins=3)
    >>> symbols.tolist(), edges.tolist()
    ([0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 3, 10])
    """
    check(n_bins=n_bins, method=method)
    one_of(method, ("equipopulated", "even", "width", "dynamic"), "method")
    expected = "whole numbers, (n_trials,) or (n_trials, n_neurons)"
    x = floats(counts, "counts", expected)
    if x.ndim not in (1, 2) or x.size == 0:
        raise NsnnError(f"counts has shape {x.shape}: expected {expected}, not empty")
    bad = x[~np.isfinite(x) | (x != np.floor(x))]
    if bad.size:
        raise NsnnError(f"counts holds {bad[0]:g}: expected {expected}")
    columns = x.reshape(len(x), -1).astype(np.int64)
    edges = [_edges(column, n_bins, method) for column in columns.T]
    symbols = [np.digitize(column, own[1:-1]) for column, own in zip(columns.T, edges, strict=True)]
    return np.stack(symbols, axis=1).reshape(x.shape), edges[0] if x.ndim == 1 else edges


def _edges(x: np.ndarray, n_bins: int, method: str) -> np.ndarray:
    """Lower edges of the bins and the upper edge of the last, (bins + 1,) whole numbers."""
    least, most = int(x.min()), int(x.max())
    if method == "width":
        n_bins = min(n_bins, most - least + 1)
        inner = np.ceil(least + (most + 1 - least) * np.arange(1, n_bins) / n_bins - 1e-9).astype(np.int64)
        return np.unique(np.concatenate([[least], inner[inner <= most], [most + 1]]))
    distinct, number = np.unique(x, return_counts=True)
    if method in ("even", "dynamic"):
        first = _most_even(number, min(n_bins, distinct.size))
        return np.append(distinct[first], most + 1)
    n_bins = min(n_bins, x.size)
    # the count for which the number of trials below is nearest to k / n_bins of them
    below = np.concatenate([[0], np.cumsum(number)[:-1]])
    targets = x.size * np.arange(1, n_bins) / n_bins
    nearest = np.abs(below[:, None] - targets).argmin(axis=0)
    return np.unique(np.concatenate([[least], distinct[nearest], [most + 1]]))


def _most_even(number: np.ndarray, n_bins: int) -> np.ndarray:
    """First distinct count of each bin, (n_bins,), of the least sum of squared sizes."""
    total = np.concatenate([[0], np.cumsum(number)]).astype(float)
    size = (total[None, :] - total[:, None]) ** 2  # of a bin from i to j
    n = number.size
    size[np.tril_indices(n + 1)] = np.inf
    cost, came_from = size[0], np.zeros((n_bins, n + 1), dtype=np.int64)
    for k in range(1, n_bins):
        candidates = cost[:, None] + size
        came_from[k] = candidates.argmin(axis=0)
        cost = candidates.min(axis=0)
    first, end = np.zeros(n_bins, dtype=np.int64), n
    for k in range(n_bins - 1, 0, -1):
        end = first[k] = came_from[k, end]
    return first
