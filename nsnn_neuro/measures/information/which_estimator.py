"""Comparison of the estimators of information on simulated data that resemble the data at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords, whole
from ...core.errors import NsnnError
from ..entropies.contingency import contingency
from ..entropies.information_tables import information_of_tables
from .matched_law import draw_words, information_of_law, matched_law, with_information
from .pipeline import ENOUGH, INFORMATION, Columns, read, value_and_error

_MATCHED = "panzeri-treves"  # its mean over simulated data is that of the data
_PILOTS, _HALVINGS, _STRONGEST = 20, 8, 4.0  # of the search for the matched information


@dataclass(frozen=True, eq=False)
class EstimatorComparison:
    """Bias and error of each estimator on data like these; made by `which_estimator`."""

    best: str
    """the `bias=` of the smallest root-mean-square error on the matched signal"""
    information: float
    """bits, true information of the matched signal; 0 if the data show none"""
    table: pd.DataFrame
    """a row per estimator, the smallest `rmse` first. Matched signal: mean error `bias`, its
    standard error `bias_se`, standard deviation `sd`, root-mean-square error `rmse`; matched null:
    `null_bias`, `null_sd`, `null_rmse`; all in bits
    """
    n_repeats: int
    explanation: str
    """two sentences: which estimator and why, and what it gives without information"""

    def __str__(self) -> str:
        shown = self.table.drop(columns=["bias_se", "null_rmse"], errors="ignore")
        return f"{self.explanation}\n{shown.round(3).to_string()}"


@suggest_keywords
def which_estimator(
    s: Values, r: Values, *, n_repeats: int = 100, n_symbols: int | None = None, seed: int = 0
) -> EstimatorComparison:
    """Compare the bias and error of all `bias=` of `mutual_information` on data like s, r.

    Two laws p(r | s) of known information are made from the data (`matched_law`): the matched
    signal, whose simulated experiments show as much information as the data by Panzeri & Treves,
    and the matched null, without information. Each is simulated `n_repeats` times with the data's
    trials per stimulus, and every estimator is compared with the truth. "Estimators of information"
    in the documentation says how well this knows the bias. It takes some seconds.

    Parameters
    ----------
    s, r : as for `mutual_information`, at least two of each; "shuffle" is for words
    n_repeats : simulated experiments with, and as many without information, at least 2
    n_symbols : number of possible responses, for "nsb" and "best-upper-bound"; None: its range
    seed : of the simulation

    Raises
    ------
    NsnnError : what `mutual_information` refuses, fewer than 4 trials, one stimulus or one response
        only, or more than 65536 possible words. Source of the words' matched laws: `matched_law`

    >>> s = np.repeat([0, 1], 20)
    >>> r = np.r_[np.tile([0, 0, 0, 0, 1], 4), np.tile([1, 1, 2, 0, 1], 4)]
    >>> found = which_estimator(s, r, n_repeats=20)
    >>> found.table.index[0] == found.best, bool(found.table.bias["plugin"] > found.table.bias["panzeri-treves"])
    (True, True)
    """
    check(n_symbols=n_symbols, seed=seed)
    whole(n_repeats, 2, "n_repeats", 100_000)
    data = read(labels=("s",), n_symbols=n_symbols, s=s, r=r)
    n, (n_s, n_r), size, words = data.n, data.sizes, data.alphabet, data.letters
    if n < 4:
        raise NsnnError(f"s and r have {n} samples: expected at least 4 trials")
    if n_s < 2 or n_r < 2:
        what = "s holds one stimulus" if n_s < 2 else "r holds one response"
        raise NsnnError(f"{what} in {n} trials: expected at least two, without which there is no information")
    fitted, trials = matched_law(data.codes["s"], words, n_s), data.table.sum(1)
    methods = [name for name in ENOUGH if name != "shuffle" or words.shape[1] > 1]
    target = float(information_of_tables(data.table, _MATCHED))
    law = with_information(fitted.law, trials, _strength(fitted.law, trials, target, seed))
    truth = max(information_of_law(law, trials), 0.0)
    rng = np.random.default_rng(seed)
    null = with_information(fitted.law, trials, 0.0)
    signal_errors = _repeats(law, fitted.words, trials, methods, size, n_repeats, rng) - truth
    null_errors = _repeats(null, fitted.words, trials, methods, size, n_repeats, rng)
    columns: dict[str, np.ndarray] = {}
    for law_is, errors in (("", signal_errors), ("null_", null_errors)):
        columns |= {f"{law_is}bias": errors.mean(axis=0), f"{law_is}sd": errors.std(axis=0, ddof=1)}
        columns[f"{law_is}rmse"] = np.sqrt((errors**2).mean(axis=0))
    table = pd.DataFrame(columns, index=methods).sort_values("rmse", kind="stable")
    table.insert(1, "bias_se", table["sd"] / math.sqrt(n_repeats))
    text = _explanation(table, truth, n / n_s, n_r)
    return EstimatorComparison(str(table.index[0]), truth, table, n_repeats, text)


def _explanation(table: pd.DataFrame, truth: float, trials: float, n_r: int) -> str:
    best, default = table.iloc[0], table.loc["panzeri-treves"]
    name = str(table.index[0])
    other = "" if name == "panzeri-treves" else f" (the default, panzeri-treves: {default.rmse:.2g} bit)"
    return (
        f"With {trials:.4g} trials per stimulus for {n_r} responses and {truth:.2g} bit, {name} has the smallest root-mean-square "
        f"error on simulated data like these, {best.rmse:.2g} bit{other}, with a bias of {best.bias:+.2g} bit. The same responses "
        f"without any information give {best.null_bias:.2g} ± {best.null_sd:.2g} bit: judge smaller values by p."
    )


def _strength(law: np.ndarray, trials: np.ndarray, target: float, seed: int) -> float:
    """w at which simulated data have the estimate `target` on average, at least 0."""

    def mean(w: float) -> float:
        rng, tilted = np.random.default_rng(seed), with_information(law, trials, w)
        drawn = (_table(*draw_words(tilted, trials, rng), len(trials))[0] for _ in range(_PILOTS))
        return float(np.mean([information_of_tables(table, _MATCHED) for table in drawn]))

    low, high = 0.0, _STRONGEST
    if mean(low) >= target:
        return low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mean(middle) < target else (low, middle)
    return 0.5 * (low + high)


def _table(s: np.ndarray, word: np.ndarray, n_s: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n_s, words that occur), and which words occur."""
    present, code = np.unique(word, return_inverse=True)
    return contingency(s, code.reshape(-1), n_s, present.size), present


def _repeats(
    law: np.ndarray,
    words: np.ndarray,
    trials: np.ndarray,
    methods: list[str],
    size: float,
    n_repeats: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Estimates (n_repeats, methods) of simulated experiments."""
    out = np.empty((n_repeats, len(methods)))
    for k in range(n_repeats):
        table, present = _table(*draw_words(law, trials, rng), len(trials))
        cells = np.repeat(np.indices(table.shape).reshape(2, -1), table.ravel(), axis=1)
        codes, alphabet = dict(zip("sr", cells, strict=True)), max(size, table.shape[1])
        data = Columns(codes, table.shape, alphabet, letters=words[present][codes["r"]])
        out[k] = [value_and_error(data, INFORMATION, name, rng, jackknife=False)[0] for name in methods]
    return out
