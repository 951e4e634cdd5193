"""Entropy of discrete samples with its bias correction and error bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, number, one_of, suggest_keywords
from ...core.errors import NsnnError
from ..estimate import Estimate, jackknife_se
from .alphabet import best_upper_bound, nsb, nsb_moments, nsb_without_one
from .estimators import CLOSED_FORMS, Profile, digamma_form, profile
from .extrapolation import quadratic_extrapolation, refuse_few
from .symbols import Symbols, read_symbols

SYMMETRIC: dict[str, Callable[[Profile], np.ndarray]] = {
    **CLOSED_FORMS,
    "nsb": nsb,
    "best-upper-bound": best_upper_bound,
}
# what the jackknife takes in place of an estimator that jumps with the parity of a count
JACKKNIFED: dict[str, Callable[[Profile], np.ndarray]] = {**SYMMETRIC, "grassberger": digamma_form}
SE_METHODS = {
    "grassberger": "jackknife over samples of the digamma form",
    "shuffle": "jackknife over samples, with the spread of the shuffles",
    "bracket": "a quarter of the bracket's width",
}
NEED_ALPHABET = ("best-upper-bound", "nsb")
_ALIASES = {"none": "plugin"}
# samples per symbol from which two error bars contain the truth in nine of ten repeats, of stimulus-response tables in the tests
ENOUGH = {
    "miller-madow": 32.0,
    "panzeri-treves": 4.0,
    "quadratic": 4.0,
    "chao-shen": 4.0,
    "grassberger": 4.0,
    "nsb": 1.0,
    "best-upper-bound": 1.0,
}


def choose(name: str, choices: Iterable[str], argument: str) -> str:
    """The method of that name, "none" for plugin; an NsnnError that lists them for any other."""
    one_of(name, [*sorted(choices), *_ALIASES], argument)
    return _ALIASES.get(name, name)


def alphabet_size(symbols: Symbols, n_symbols: Any, name: str) -> tuple[float, str | None]:
    """Size of the alphabet, with a warning if it had to be taken from the samples."""
    if n_symbols is None:
        size = symbols.n_possible
        what = "the product of the letters' ranges in" if symbols.is_word else "the range of the values in"
        return size, f"n_symbols not given: took {size:.6g}, {what} {name}"
    number(n_symbols, "n_symbols", "the number of possible symbols")
    if not n_symbols >= symbols.n_present or n_symbols != math.floor(n_symbols):
        raise NsnnError(
            f"n_symbols = {n_symbols}: expected a whole number, at least the {symbols.n_present} symbols that occur in {name}"
        )
    return float(n_symbols), None


def refuse_endless(method: str, size: float, name: str) -> None:
    """NsnnError for an estimator that needs the size of an alphabet that has none."""
    if method in NEED_ALPHABET and not math.isfinite(size):
        raise NsnnError(f"n_symbols = None: {name} has words of too many letters to count; give n_symbols")


def without_one(method: str, p: Profile) -> np.ndarray:
    """Entropies (rows, d) in bits of each row without one sample of each count."""
    return nsb_without_one(p) if method == "nsb" else JACKKNIFED[method](p.without_one())


@suggest_keywords
def entropy(x: Values, *, method: str = "plugin", n_symbols: int | None = None, seed: int = 0) -> Estimate:
    """Entropy H = -sum_x p(x) log2 p(x) of the distribution of the samples, in bits.

    `method` names the estimator:

    | method | estimate | samples per symbol |
    |---|---|---|
    | "plugin", "none" | with p(x) = n_x / N; too low by (K - 1) / (2 N ln 2) | 4 (K - 1)^2 / K |
    | "miller-madow" | plugin + (symbols seen - 1) / (2 N ln 2) | 32 |
    | "panzeri-treves" | the same, with the number of symbols by `relevant_responses` | 4 |
    | "quadratic" | extrapolated from N, N/2 and N/4 samples (`quadratic_extrapolation`) | 4 |
    | "chao-shen" | adjusted for coverage by the number of singletons | 4, up to 64 |
    | "grassberger" | of 2003, psi(N) and G_n in place of logarithms of counts | 4 |
    | "nsb" | Bayesian, with a prior that is flat in the entropy; needs K | 1 |
    | "best-upper-bound" | Paninski's, with a low bound of the worst error; needs K | 1 |
    | "auto" | "panzeri-treves" where N >= 4 K (n_symbols or symbols that occur), else "nsb" | |

    The last column is where it is reliable. se is the delete-one jackknife over samples (NaN for
    one sample), for "quadratic" with the same partitions, for "grassberger" with psi instead of G,
    which jumps with the parity of a count; for "nsb" the posterior standard deviation, or the
    jackknife if larger. Close to the uniform law the estimate is skewed and se too small. `warning`
    is set for too few samples.

    Parameters
    ----------
    x : (n,) or (n, k) whole numbers or truth values; rows of (n, k) are words, each word one symbol
    n_symbols : number K of possible symbols; None is the range of the values (for words the product
        of the letters' ranges), and "nsb" and "best-upper-bound" then warn
    seed : of the partitions of "quadratic"

    Raises
    ------
    NsnnError : no whole numbers, an unknown method, n_symbols below the number of symbols that
        occur, or fewer than 4 samples for "quadratic"

    >>> print(entropy([0, 0, 0, 1], method="miller-madow", n_symbols=2))
    0.9916 ± 0.87 bit (correction miller-madow; se jackknife over samples; n = 4; warning: 4 samples of 2 symbols (2 seen), fewer
    than 32 each: miller-madow may be biased; take more samples or fewer symbols)
    """
    check(method=method, n_symbols=n_symbols, seed=seed)
    symbols = read_symbols(x, "x")
    method = choose(method, [*SYMMETRIC, "quadratic", "auto"], "method")
    size, inferred = alphabet_size(symbols, n_symbols, "x")
    n = len(symbols.codes)
    known = symbols.n_present if n_symbols is None else size
    reason = None
    if method == "auto":
        method = "panzeri-treves" if n >= ENOUGH["panzeri-treves"] * known else "nsb"
        reason = f"there are {n} samples of {known:.6g} symbols, {n / known:.3g} each"
    refuse_endless(method, size, "x")
    how = SE_METHODS.get(method, "jackknife over samples")
    if method == "quadratic":
        refuse_few(n, "x")
        rng, one = np.random.default_rng(seed), np.zeros(n, dtype=np.int64)
        value, without = quadratic_extrapolation(
            one, symbols.codes, 1, symbols.n_present, rng=rng, joint=False, jackknife=True
        )
        se = jackknife_se(without)
    else:
        rows = profile(np.bincount(symbols.codes, minlength=symbols.n_present)[None], size)
        se = jackknife_se(without_one(method, rows)[0], (rows.values * rows.multiplicity)[0])
        if method == "nsb":
            value, posterior = (float(one[0]) for one in nsb_moments(rows))
            se, how = (se, how) if se > posterior else (posterior, "posterior")
        else:
            value = float(SYMMETRIC[method](rows)[0])
    notes = []
    if method in NEED_ALPHABET:
        known, notes = size, [inferred] if inferred else []
    each = ENOUGH.get(method, 4.0 * (known - 1.0) ** 2 / known)
    if n < each * known:
        notes.append(
            f"{n} samples of {known:.6g} symbols ({symbols.n_present} seen), fewer than {each:.4g} each: {method} may be "
            "biased; take more samples or fewer symbols"
        )
    warning = "; ".join(notes) or None
    return Estimate(value, se, method, n=n, warning=warning, se_method=how, reason=reason)
