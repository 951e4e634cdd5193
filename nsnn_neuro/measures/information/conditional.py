"""Information that x and y share beyond what both have in common with z, of discrete samples.

The estimators, their bias corrections and the rule for the number of samples are those of `mutual_information`, with the pairs
(x, z) in place of the stimuli and y in place of the responses. Definitions: Cover & Thomas 2006, Elements of Information Theory,
doi 10.1002/047174882X, chapter 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import check, suggest_keywords
from ..entropy.entropy import NEED_ALPHABET, SYMMETRIC, choose
from ..entropy.information_tables import conditional_spread, local_of_counts
from ..entropy.symbols import one_value
from ..estimate import Estimate
from .pipeline import (
    CONDITIONAL,
    INTERACTION,
    OF_PAIRS,
    Columns,
    few_samples,
    judged,
    measured,
    read,
    refuse_endless,
)


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
    data = _read(x, y, z, n_symbols)
    bias = choose(bias, [*SYMMETRIC, "quadratic"], "bias")
    refuse_endless(data, bias)
    found = measured(data, CONDITIONAL, bias, "x|z", n_shuffle, seed)
    inferred = data.inferred if bias in NEED_ALPHABET else None
    notes = [inferred, *_notes(data, bias)]
    return judged(found, data.most, "x given z", notes, conditional_spread(data.table))


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
    data = _read(x, y, z)
    bias = choose(bias, [name for name in SYMMETRIC if name not in NEED_ALPHABET], "bias")
    found = measured(data, INTERACTION, bias, "x", n_shuffle, seed, two_sided=True)
    return judged(found, notes=_notes(data, bias))


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
    data = _read(x, y, np.zeros(np.shape(y)[:1], dtype=int) if z is None else z)
    return local_of_counts(data.table, **data.codes)


def _read(x: Any, y: Any, z: Any, n_symbols: Any = None) -> Columns:
    return read(labels=("x", "z"), condition="z", n_symbols=n_symbols, x=x, y=y, z=z)


def _notes(data: Columns, bias: str) -> list[str | None]:
    _, n_x, n_y = data.sizes
    constant = one_value({"x": n_x, "y": n_y})
    return [constant, few_samples(bias, data.n, data.groups, n_y, OF_PAIRS, "fewer symbols")]
