"""Transfer entropy and active information storage, for autocorrelated series.

Samples depend on each other, so the errors leave out or draw blocks of time, long against the correlation time, or
whole trials. Shuffling single bins would not do, as an autocorrelated x shares chance fluctuations with such a y.
"""

from __future__ import annotations

import math

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import TRUST, warn
from ..entropies.information_tables import local_of_counts
from ..estimate import Estimate, jackknife_se
from ..response_checks import refuse_constant, with_test
from ..trains import SilentNeuronWarning
from .histories import draw_shifts, orders, stretches, words_of
from .ksg import spread_columns
from .pipeline import OF_PAIRS, few_samples, judged
from .transfer_estimators import Discrete, Gaussian, Neighbours
from .transfer_samples import Histories, Options, need_target, read_histories

_CURE = "shorter histories, fewer conditions or fewer symbols"


@suggest_keywords
def transfer_entropy(
    x: Values,
    y: Values,
    *,
    k: int | str = 1,
    l: int = 1,  # noqa: E741 - Schreiber's name
    z: Values | None = None,
    lag: int = 1,
    estimator: str = "discrete",
    bias: str | None = None,
    null: str = "shift",
    n_shuffle: int = 100,
    min_shift: int | None = None,
    block_length: int | None = None,
    n_blocks: int = 20,
    n_resample: int = 0,
    n_neighbors: int = 4,
    seed: int = 0,
) -> Estimate:
    """Transfer entropy from x to y: what x's past tells about y beyond y's own, in bits per bin.

    TE(X -> Y) = I(Y_t; X_(t-lag), ..., X_(t-lag-l+1) | Y_(t-1), ..., Y_(t-k)), given the k last
    values of z too. It measures prediction and does not prove a connection: a third series that
    drives both gives a transfer unless it is in z, and with too short a k x stands in for the past
    of y.

    - "discrete": symbols such as counts; `conditional_information` of the histories as words. k
      past values of A symbols are A^k words; each needs 4 samples per value of y.
    - "gaussian": 1/2 log2 of the ratio of residual variances of y, without and with x (Granger).
    - "ksg": continuous values, psi(n) + <psi(n_past) - psi(n_past,x) - psi(n_past,y)> from
      distances to the n_neighbors-th neighbour; slow beyond some 10^4 samples.

    Each surrogate takes the past of x from another time: "shift" turns it around each trial,
    "block" permutes blocks of `block_length` bins, "trial_shuffle" takes it from another trial and
    "within_past" ("discrete") from a bin with the same past of y and z. "Conditional information
    and transfer entropy" in the documentation says when to use which.

    se is at least the spread without transfer; z = (value - null_mean) / SD of the null. `warning` as
    for `conditional_information`, and where surrogates show a bias of more than half of se. NaN with
    one warning if x or y is constant ("discrete").

    Parameters
    ----------
    x, y : (n_bins,), or (n_trials, n_bins), as `words(block, bin_width=...)[:, j]`; within trials
    k : length of y's history in bins; "cv": that up to 8 which predicts y best (`history_length`)
    l, lag : length of x's history, and the bins from its latest value to the present
    z : None, one more series of the same shape, or several, (m, *shape)
    estimator : see above
    bias : None for the estimator's own: "panzeri-treves" or another of `conditional_information`,
        "digamma" for "gaussian"; "plugin" makes no correction
    null, n_shuffle, block_length, seed : of the surrogates; n_shuffle = 0 for no null
    min_shift : bins; None is ten times the longest history, at most a quarter of a trial. Shorter
        shifts can put the past of x at the effect of y on x
    n_blocks : of time, or of trials, that the jackknife leaves out
    n_resample : 0 (default) for the jackknife; else, at least 20, se is the SD of so many estimates
        of n_blocks - 1 of the blocks drawn with replacement (bootstrap)
    n_neighbors : of "ksg"

    Raises
    ------
    NsnnError : different shapes, values that don't fit the estimator, NaN, series shorter than
        histories and blocks, too many words, a constant column or one that others determine
        ("gaussian", "ksg"). Sources: Schreiber 2000, doi 10.1103/PhysRevLett.85.461; Wibral et al.
        2013, doi 10.1371/journal.pone.0055809 (lag); Barnett, Barrett & Seth 2009, doi
        10.1103/PhysRevLett.103.238701; Frenzel & Pompe 2007, doi 10.1103/PhysRevLett.99.204101

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 2, 5000)
    >>> y = np.roll(x, 1) ^ (rng.random(5000) < 0.2)  # truth: 1 + .8 log2 .8 + .2 log2 .2 = 0.278
    >>> print(f"{transfer_entropy(x, y):.3f}, back {transfer_entropy(y, x).p:.2f}")
    0.265 ± 0.009, back 0.24
    """
    options = Options(
        estimator, bias, n_neighbors, n_shuffle, n_blocks, n_resample, seed, null, min_shift, block_length
    ).checked()
    need_target(y)
    result = read_histories(x, y, z, k, l, lag, estimator)
    if result is None:
        return _constant(options)
    return estimate(result, options, np.random.default_rng(seed), "x or y")[0]


@suggest_keywords
def active_information(
    x: Values,
    *,
    k: int | str = 1,
    estimator: str = "discrete",
    bias: str | None = None,
    n_shuffle: int = 100,
    n_blocks: int = 20,
    n_resample: int = 0,
    n_neighbors: int = 4,
    seed: int = 0,
) -> Estimate:
    """Active information storage: what the past of x tells about x, in bits per bin.

    A(X) = I(X_t; X_(t-1), ..., X_(t-k)). The null permutes the bins: a series without memory.

    Parameters
    ----------
    x, k, estimator, bias, n_shuffle, n_blocks, n_resample, n_neighbors, seed : as for
        `transfer_entropy`, and so the result and the errors

    Source: Lizier, Prokopenko & Zomaya 2012, doi 10.1016/j.ins.2012.04.016

    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.random(5000) < 0.1) % 2  # it switches with probability .1: 1 + .1 log2 .1 + .9 log2 .9 = 0.531
    >>> f"{active_information(x):.2f}"
    '0.51 ± 0.01'
    """
    options = Options(estimator, bias, n_neighbors, n_shuffle, n_blocks, n_resample, seed).checked()
    result = read_histories(x, None, None, k, 1, 1, estimator)
    if result is None:
        return _constant(options)
    options = options._replace(null="permute", min_shift=1)
    return estimate(result, options, np.random.default_rng(seed), "x")[0]


@suggest_keywords
def local_transfer_entropy(
    x: Values,
    y: Values,
    *,
    k: int | str = 1,
    l: int = 1,  # noqa: E741 - Schreiber's name
    z: Values | None = None,
    lag: int = 1,
    seed: int = 0,
) -> np.ndarray:
    """Local transfer entropy of each bin, log2 p(y_t | past of x, y) / p(y_t | past of y), bits.

    Its mean is the plug-in transfer entropy of symbols; negative where x was misleading. Of the shape
    of y; NaN without complete histories, and everywhere, with one warning, if x or y is constant.

    Parameters
    ----------
    x, y, k, l, z, lag, seed : as for `transfer_entropy` ("discrete"), and so the errors

    Source: Lizier, Prokopenko & Zomaya 2008, doi 10.1103/PhysRevE.77.026110

    >>> local_transfer_entropy([0, 1, 1, 0, 1, 0], [0, 0, 1, 1, 0, 1]).round(2)
    array([ nan, 1.58, 0.58, 1.  , 1.  , 0.58])
    """
    check(seed=seed)
    need_target(y)
    result = read_histories(x, y, z, k, l, lag, "discrete")
    out = np.full(np.shape(y), np.nan)
    if result is None:
        warn("x or y is constant: its transfer entropy is NaN", SilentNeuronWarning)
        return out
    data = _discrete(result, "plugin", np.random.default_rng(seed)).data
    values = local_of_counts(data.table, **data.codes)
    rows = out.reshape(result.n_trials, -1)
    rows[:, rows.shape[1] - values.size // result.n_trials :] = values.reshape(result.n_trials, -1)
    return out


def _discrete(data: Histories, bias: str, rng: np.random.Generator) -> Discrete:
    words = words_of(data.context, "y"), words_of(data.x, "x")
    return Discrete((data.y, int(data.y.max()) + 1), *words, data.n_trials, bias, rng)


def _estimator(
    data: Histories, options: Options, rng: np.random.Generator
) -> Discrete | Gaussian | Neighbours:
    if options.estimator == "discrete":
        return _discrete(data, options.bias, rng)
    n, n_neighbors = data.y.size, options.n_neighbors
    named = {"y": data.y[:, None], "x": data.x}
    if data.context.shape[1]:
        named["y or z"] = data.context
    for name, part in named.items():
        refuse_constant(part, name)
    if options.estimator == "gaussian":
        y, context, x = ((part - part.mean(0)) / part.std(0) for part in (data.y, data.context, data.x))
        return Gaussian(y, context, x, options.bias)
    if n_neighbors > n - 2:
        raise NsnnError(f"n_neighbors = {n_neighbors} with {n} samples: expected at most {n - 2}")
    spread = {name: spread_columns(part, name, False, rng) for name, part in named.items()}
    return Neighbours(spread["y"][:, 0], spread.get("y or z", data.context), spread["x"], n_neighbors)


def estimate(
    data: Histories, options: Options, rng: np.random.Generator, name: str
) -> tuple[Estimate, np.ndarray]:
    """The estimate with its error and null, and the values (n_shuffle,) of the null."""
    n, null, n_shuffle, bias = data.y.size, options.null, options.n_shuffle, options.bias
    each, n_blocks, n_resample = n // data.n_trials, options.n_blocks, options.n_resample
    if n < max(10, 2 * n_blocks):
        raise NsnnError(
            f"n_blocks = {n_blocks}: {name} has {n} samples, expected at least {max(10, 2 * n_blocks)}, two for each block"
        )
    min_shift = options.least_shift(data)
    estimator = _estimator(data, options, rng)
    edges = stretches(data.n_trials, each, n_blocks)
    if n_resample:
        se = math.nan  # until the null is drawn
    elif isinstance(estimator, Discrete):
        se = float(jackknife_se(estimator.without(edges)))
    else:
        se = float(jackknife_se(estimator.resampled(edges, 1 - np.eye(n_blocks))))
    if null == "permute":
        values = estimator.null(rng.permutation(n) for _ in range(n_shuffle))
    elif null == "within_past":
        if not isinstance(estimator, Discrete):
            raise NsnnError(
                f"null = 'within_past' with estimator = {options.estimator!r}: expected estimator = 'discrete'"
            )
        values = estimator.null_within(rng, n_shuffle)
    elif null == "shift" and isinstance(estimator, Discrete) and bias != "quadratic":
        values = estimator.null_of_shifts(draw_shifts(rng, n_shuffle, data.n_trials, each, min_shift))
    else:
        size = n_shuffle, data.n_trials, each
        values = estimator.null(orders(rng, null, *size, min_shift, options.block_length))
    sd = float(values.std(ddof=1)) if n_shuffle > 1 else 0.0
    z = (estimator.value - float(values.mean())) / sd if sd > 1e-12 else None
    if n_resample:
        times = rng.multinomial(n_blocks - 1, np.full(n_blocks, 1 / n_blocks), size=n_resample)
        se = float(estimator.resampled(edges, times).std(ddof=1))
    parts = "groups of trials" if data.n_trials >= n_blocks else "blocks of time"
    how = f"{'bootstrap' if n_resample else 'jackknife'} over {parts}"
    result = with_test(
        estimator.value, max(se, estimator.spread), bias, values, n=n, se_method=how, z=z, unit="bit/bin"
    )
    left = _bias_left(result, values)
    if not isinstance(estimator, Discrete):
        return judged(result, last=left), values
    few = few_samples(bias, n, estimator.data.groups, estimator.data.sizes[2], _CURE, OF_PAIRS)
    return judged(result, estimator.data.most, "the past of x", [few], estimator.spread, left), values


def _bias_left(result: Estimate, null: np.ndarray) -> str | None:
    """A warning where surrogates are further from zero than half an error bar."""
    if null.size < 10 or result.null_mean is None:
        return None
    sure = 4 * float(null.std(ddof=1)) / math.sqrt(null.size)
    if abs(result.null_mean) < max(0.5 * result.se, sure):
        return None
    return (
        f"surrogates without transfer have {result.null_mean:.2g} {result.unit} on average, a bias that {result.correction} "
        f"leaves: the gain has it taken off, but with transfer it can differ; take {_CURE}; judge by p{TRUST}few trials"
    )


def _constant(options: Options) -> Estimate:
    message = "a series is constant, as of a silent neuron: the information is NaN"
    warn(message, SilentNeuronWarning)
    return Estimate(math.nan, correction=options.bias, n=0, warning=message, unit="bit/bin")
