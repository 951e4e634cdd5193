"""Information that x and y share beyond what both have in common with z, of discrete samples.

The estimators, their bias corrections and the rule for the number of samples are those of `mutual_information`, with the pairs
(x, z) in place of the stimuli and y in place of the responses. Definitions: Cover & Thomas 2006, Elements of Information Theory,
doi 10.1002/047174882X, chapter 2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ..entropy.contingency import plugin_entropy
from ..entropy.entropy import NEED_ALPHABET, SE_METHODS, SYMMETRIC, alphabet_size, choose
from ..entropy.extrapolation import quadratic_extrapolation
from ..entropy.information_tables import (
    CELLS_AT_ONCE,
    conditional_of_tables,
    conditional_spread,
    conditional_without_one,
    count_shuffled,
    counts_of,
    local_of_counts,
    refuse_large,
)
from ..entropy.symbols import Symbols, one_value, read_symbols
from ..estimate import Estimate, jackknife_se
from ..response_checks import shuffle_test
from .impossible_estimates import possible
from .mutual_information import by_chance, too_few, with_notes

METHODS = (*SYMMETRIC, "quadratic")


class _Samples(NamedTuple):
    """Codes of x, y and z, how many symbols each has, and the size of y's alphabet."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    shape: tuple[int, int, int]
    possible: float
    inferred: str | None

    def table(self) -> np.ndarray:
        """Counts (n_z, n_x, n_y)."""
        return counts_of(self.z, self.x, self.y, self.shape)

    def limit(self, bias: str) -> float:
        """The alphabet of y that the estimator takes for granted."""
        return self.possible if bias in NEED_ALPHABET else float(self.shape[2])


@suggest_keywords
def conditional_information(
    x: Any,
    y: Any,
    z: Any,
    *,
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    n_symbols: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Conditional mutual information I(X; Y | Z): how much x tells about y for someone who knows z, in bits.

    I(X; Y | Z) = H(Y | Z) - H(Y | X, Z) = sum_z p(z) I(X; Y | Z = z). It is 0 if x and y are independent given z, also where they
    depend on each other through z; and it can exceed I(X; Y), as for y = x xor z. With the chain rule
    I(X, Z; Y) = I(Z; Y) + I(X; Y | Z) it is what x adds to z. Both entropies of y are corrected by the method `bias`, see
    `mutual_information`; with the default, "panzeri-treves", 4 samples are needed for each pair (x, z) and value of y.

    The null permutes x among the samples of each z, which leaves the pairs (x, z) and (y, z) as they are; p is exact for
    samples that are independent of each other. A value below zero, or above H(X | Z), by more than two standard errors is
    impossible: value and se are then NaN, and the warning names the cure.

    Parameters
    ----------
    x, y, z : (n,) or (n, k) whole numbers, truth values or texts, one row per sample; a row of (n, k) is a word, and each
        different word is one symbol. Of x and z also floats that repeat, such as directions
    bias : "panzeri-treves" (default), "plugin" ("none"), "miller-madow", "chao-shen", "grassberger", "nsb", "best-upper-bound" or
        "quadratic"
    n_shuffle, seed : number of shuffles, 0 for no null, and the seed of shuffles and partitions
    n_symbols : number of possible values of y, for "nsb" and "best-upper-bound"; None is the range of y, with a warning

    Returns
    -------
    Estimate. se is the delete-one jackknife over samples, or the plug-in's spread at zero information if that is larger

    Raises
    ------
    NsnnError : no symbols, unequal lengths, fewer than 2 samples, more than 2 10^7 combinations of symbols, an unknown bias,
        n_symbols below the number of values of y. Source: Panzeri et al. 2007, doi 10.1152/jn.00559.2007

    >>> x, z = [0, 0, 1, 1] * 50, [0, 1, 0, 1] * 50
    >>> print(conditional_information(x, [0, 1, 1, 0] * 50, z))  # y = x xor z
    0.9994 ± 0.0073 bit over the null (raw 1, null 0.0006015, p = 0.0099; correction panzeri-treves; ...)
    """
    check(bias=bias, n_shuffle=n_shuffle, n_symbols=n_symbols, seed=seed)
    data, bias = _read(x, y, z, n_symbols), choose(bias, METHODS, "bias")
    _refuse_endless(bias, data.possible)
    rng, table = np.random.default_rng(seed), data.table()
    value, se = _conditional(data, table, bias, rng)
    spread = conditional_spread(table)
    null = _conditional_null(data, bias, n_shuffle, rng)
    return _finished(data, table, bias, value, se, spread, shuffle_test(null, value))


@suggest_keywords
def interaction_information(
    x: Any, y: Any, z: Any, *, bias: str = "panzeri-treves", n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Interaction information I(X; Y | Z) - I(X; Y) of three variables, in bits: their synergy minus their redundancy.

    It does not depend on the order of x, y and z. It is 1 bit for x = y xor z of fair coins, -H(X) for x = y = z, and 0 where
    one of them is independent of the other two. For a stimulus and two responses it is the `synergy`; the decomposition into
    redundancy and synergy, which this difference mixes, needs more than Shannon's measures. Some authors define it with the
    opposite sign (co-information). Both terms are corrected by the method `bias`. null_mean and p: x is permuted over samples;
    p counts shuffles that reach the value in absolute value.

    Parameters
    ----------
    x, y, z, n_shuffle, seed : as for `conditional_information`, and so the errors
    bias : "panzeri-treves" (default), "plugin" ("none"), "miller-madow", "chao-shen" or "grassberger"

    Returns
    -------
    Estimate. se is the delete-one jackknife over samples

    Source: McGill 1954, doi 10.1007/BF02289159

    >>> x, y = [0, 0, 1, 1] * 50, [0, 1, 0, 1] * 50
    >>> round(interaction_information(x, y, [0, 1, 1, 0] * 50, bias="none", n_shuffle=0).value, 6)
    1.0
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    data = _read(x, y, z, None)
    bias = choose(bias, [name for name in SYMMETRIC if name not in NEED_ALPHABET], "bias")
    limit, estimator = data.limit(bias), SYMMETRIC[bias]
    table = data.table()

    def both(tables: np.ndarray) -> np.ndarray:
        pairs = tables.sum(-3, keepdims=True)
        return conditional_of_tables(tables, estimator, limit) - conditional_of_tables(
            pairs, estimator, limit
        )

    value, seen = float(both(table)), table > 0
    without = conditional_without_one(table, bias, limit)
    without = without - conditional_without_one(table.sum(0, keepdims=True), bias, limit)
    se = float(jackknife_se(without[seen], table[seen]))
    rng, null = np.random.default_rng(seed), np.empty(n_shuffle)
    for i in range(n_shuffle):
        null[i] = both(counts_of(data.z, rng.permutation(data.x), data.y, data.shape))
    test = shuffle_test(null, value, two_sided=True)
    n, pairs = data.x.size, int((table.sum(2) > 0).sum())
    notes = [_constant(data), few_samples(bias, n, pairs, data.shape[2])]
    return Estimate(
        value, se, bias, n=n, se_method=SE_METHODS.get(bias, "jackknife over samples"),
        warning="; ".join(note for note in notes if note) or None, **test,
    )  # fmt: skip


@suggest_keywords
def local_information(x: Any, y: Any, z: Any = None) -> np.ndarray:
    """Local (pointwise) information of each sample, log2 p(y | x, z) / p(y | z), in bits.

    Its mean over samples is the plug-in information I(X; Y | Z), or I(X; Y) without z. A negative value says that x was misleading
    about y in this sample. Frequencies stand in for probabilities, without a correction: with few samples most values are too high.

    Parameters
    ----------
    x, y, z : as for `conditional_information`; z None (default) for no condition

    Returns
    -------
    (n,) bits

    Raises
    ------
    NsnnError : what `conditional_information` refuses. Source: Lizier 2014, doi 10.1007/978-3-642-54474-3_7

    >>> local_information([0, 0, 1, 1], [0, 0, 1, 0]).round(3)
    array([ 0.415,  0.415,  1.   , -0.585])
    """
    data = _read(x, y, z, None, optional=z is None)
    return local_of_counts(data.z, data.x, data.y, data.shape)


def few_samples(bias: str, n: int, pairs: int, n_y: int, cure: str = "fewer symbols") -> str | None:
    """A warning if n samples are too few for the method, with so many pairs (x, z) that occur and n_y values of y.

    >>> few_samples("panzeri-treves", 40, 4, 5)
    '10 samples per pair (x, z) for 5 values of y, fewer than 4 samples for each value of y: panzeri-treves may be biased; ...'
    """
    few = too_few(bias, n, pairs, n_y, "samples for each value of y")
    return (
        few
        and f"{n / pairs:.4g} samples per pair (x, z) for {n_y} values of y{few}; take more samples or {cure}"
    )


def _constant(data: _Samples) -> str | None:
    return one_value(dict(zip("xy", data.shape[1:], strict=True)))


def _read(x: Any, y: Any, z: Any, n_symbols: Any, *, optional: bool = False) -> _Samples:
    a, b = read_symbols(x, "x", category=True), read_symbols(y, "y")
    zeros = Symbols(np.zeros(len(a.codes), dtype=np.int64), 1, 1.0, False)
    c = zeros if optional else read_symbols(z, "z", category=True)
    lengths = [len(one.codes) for one in (a, b, c)]
    if len(set(lengths)) > 1:
        raise NsnnError(
            f"x, y and z have {lengths[0]}, {lengths[1]} and {lengths[2]} samples: expected equal numbers"
        )
    if lengths[0] < 2:
        raise NsnnError("x, y and z have 1 sample: expected at least 2")
    sizes = {"z": c.n_present, "x": a.n_present, "y": b.n_present}
    refuse_large(sizes, lengths[0])
    size, inferred = alphabet_size(b, n_symbols, "y")
    return _Samples(a.codes, b.codes, c.codes, (sizes["z"], sizes["x"], sizes["y"]), size, inferred)


def _refuse_endless(bias: str, size: float) -> None:
    if bias in NEED_ALPHABET and not math.isfinite(size):
        raise NsnnError("n_symbols = None: y has words of too many letters to count them; give n_symbols")


def _conditional(
    data: _Samples, table: np.ndarray, bias: str, rng: np.random.Generator, jackknife: bool = True
) -> tuple[float, float]:
    """The estimate and its delete-one jackknife (NaN without)."""
    if bias == "quadratic":
        value, without = _quadratic(data, rng, jackknife)
        return value, float(jackknife_se(without))
    limit, se = data.limit(bias), math.nan
    value = float(conditional_of_tables(table, SYMMETRIC[bias], limit))
    if jackknife:
        seen = table > 0
        se = float(jackknife_se(conditional_without_one(table, bias, limit)[seen], table[seen]))
    return value, se


def _quadratic(data: _Samples, rng: np.random.Generator, jackknife: bool) -> tuple[float, np.ndarray]:
    """I(X, Z; Y) - I(Z; Y), each extrapolated."""
    n, (n_z, n_x, n_y) = data.x.size, data.shape
    if n < 4:
        raise NsnnError(f"x has {n} samples: 'quadratic' halves them twice, so expected at least 4")
    pairs, place = np.unique(data.z * n_x + data.x, return_inverse=True)
    both, without_both = quadratic_extrapolation(
        place.reshape(-1), data.y, pairs.size, n_y, rng=rng, joint=True, jackknife=jackknife
    )
    one, without_one = quadratic_extrapolation(
        data.z, data.y, n_z, n_y, rng=rng, joint=True, jackknife=jackknife
    )
    return both - one, without_both - without_one


def _conditional_null(data: _Samples, bias: str, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
    """Values (n_shuffle,) with x permuted among the samples of each z."""
    n_z, n_x, n_y = data.shape
    order = np.argsort(data.z, kind="stable")
    x, y, z = data.x[order], data.y[order], data.z[order]
    starts = np.append(0, np.cumsum(np.bincount(z, minlength=n_z)))
    at_once = max(1, CELLS_AT_ONCE // (n_z * n_x * n_y))
    values = [np.empty(0)]
    for first in range(0, n_shuffle, at_once):
        tables = np.zeros((min(at_once, n_shuffle - first), n_z * n_x, n_y), dtype=np.int64)
        for table in tables:
            count_shuffled(x, y, n_x, starts, rng.random(x.size), table)
            if bias == "quadratic":
                mixed = data._replace(x=x.copy(), y=y, z=z)
                values.append(np.array([_quadratic(mixed, rng, False)[0]]))
        if bias != "quadratic":
            many = tables.reshape(-1, *data.shape)
            values.append(conditional_of_tables(many, SYMMETRIC[bias], data.limit(bias)))
    return np.concatenate(values)


def _finished(
    data: _Samples, table: np.ndarray, bias: str, value: float, se: float, spread: float, test: dict[str, Any]
) -> Estimate:
    """With its warnings, and NaN where it is impossible."""
    n, pairs = data.x.size, int((table.sum(2) > 0).sum())
    how = SE_METHODS.get(bias, "jackknife over samples")
    found = Estimate(value, max(se, spread), bias, n=n, se_method=how, **test)
    by_zx = table.sum(2)
    most = float(by_zx.sum(1) @ plugin_entropy(by_zx) / n)  # H(X | Z)
    value, impossible = possible(found, most, "x given z")
    inferred = data.inferred if bias in NEED_ALPHABET else None
    few = few_samples(bias, n, pairs, data.shape[2])
    return with_notes(
        found,
        value,
        [
            impossible,
            inferred,
            _constant(data),
            few,
            by_chance(found, spread),
        ],
    )
