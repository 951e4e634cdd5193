"""Rate against temporal code: information in counts, latencies and words at several resolutions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import quantities as pq

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import si
from ..entropies.contingency import contingency
from ..entropies.estimators import CLOSED_FORMS
from ..entropies.information_tables import information_of_tables, informations_without_one
from ..entropies.symbols import as_symbols
from ..estimate import NOT_ABOVE, jackknife_se
from ..response_checks import as_labels, permutation_p, refuse_swapped
from ..trains import Trains, binned
from .mutual_information import mutual_information
from .pipeline import of_many, shuffle_within
from .words import latency_bins, refuse_remainder, windowed

_WITHOUT_BINS = re.compile(", for counts bin_counts[^;]*")  # advice for counts, not for latencies
_RESOLUTIONS = (1, 2, 5, 10, 50) * pq.ms
_FIRST = ("information", "se", "verdict", "over_count", "over_count_se", "over_count_p")  # columns to read
Code = tuple[str, float, np.ndarray, bool]
"""name, resolution (s), response (n_trials,) or words (n_trials, k), whether it determines the count"""


@suggest_keywords
def rate_vs_temporal(
    stimulus: Values,
    block: SpikeSource,
    *,
    resolutions: Any = _RESOLUTIONS,
    neuron: int | None = None,
    saturation: str = "count",
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    seed: int = 0,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> pd.DataFrame:
    """Information about the stimulus in counts, latencies and words: a row per code.

    The first eight columns are those to print, `table.iloc[:, :8]`: code ("count", "latency",
    "words"), resolution (s; the window's length for the count), information (bit, the gain over
    shuffled stimuli), its se and verdict (p <= 0.05), over_count (bit, raw less the raw of the
    count), over_count_se, over_count_p. Then p, raw (bit, before null_mean is taken off), null_mean,
    n (trials), correction, warning, over_count_null_mean. Without shuffles information is NaN, and se
    that of raw. "Test for a temporal code" in the documentation explains a lower bound in verdict.

    The null of over_count exchanges responses between trials of the same count. Of words of counts
    over_count_null_mean, the bias that `bias` left, is taken off. over_count_se is the jackknife
    over trials, or the SD of the null if larger. Both are of "panzeri-treves", and nothing is taken
    off, where `bias` is no closed form ("auto", "quadratic", "shuffle", "nsb", "best-upper-bound").

    Parameters
    ----------
    stimulus : (n_trials,) whole numbers, texts, or floats that repeat, one per trial
    block : neo.Block, one Segment per trial
    resolutions : times, (k,); that divide the window. Default: those of 1, 2, 5, 10, 50 ms
    neuron : number of the neuron; None (default) for a Block with one
    saturation : of the words, "count" (default) or "binary", at most one spike per bin
    bias, n_shuffle, seed : see `mutual_information`; "shuffle" applies to words
    align, t_start, t_stop : the window, see `words`

    Raises
    ------
    NsnnError : labels that are no categories or not one per trial, several neurons and none chosen,
        a resolution that doesn't divide the window, what `words` and `mutual_information` refuse.
        Sources: Strong et al. 1998, doi 10.1103/PhysRevLett.80.197; Panzeri et al. 2010, doi
        10.1016/j.tins.2009.12.001

    >>> from nsnn_neuro import to_block
    >>> stimulus = [0, 1] * 40
    >>> block = to_block([[[0.012 + 0.02 * s]] for s in stimulus], t_stop=50*pq.ms)
    >>> table = rate_vs_temporal(stimulus, block, resolutions=[10, 50]*pq.ms, bias="none", n_shuffle=0)
    >>> table[["code", "resolution", "raw", "over_count"]].round(3).values.tolist()
    [['count', 0.05, 0.0, 0.0], ['latency', 0.01, 1.0, 1.0], ['latency', 0.05, 0.0, 0.0],
     ['words', 0.01, 1.0, 1.0], ['words', 0.05, 0.0, 0.0]]
    """
    check(neuron=neuron, saturation=saturation, bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(saturation, ("binary", "count"), "saturation")
    refuse_swapped(stimulus, block, "rate_vs_temporal(stimulus, block)")
    trains = of_one_neuron(windowed(block, align, t_start, t_stop), neuron)
    labels = as_labels(stimulus, "stimulus", trains.n_trials)[1]
    length = float(trains.durations[0])
    codes: list[Code] = [("count", length, trains.counts[:, 0], False)]
    widths = _dividing(resolutions, length, trains.resolution)
    codes += [("latency", width, latency_bins(trains, width)[:, 0], False) for width in widths]
    codes += [("words", width, *letters_of(trains, width, saturation, "resolutions")) for width in widths]
    rows = rows_of_codes(labels, codes, bias, n_shuffle, seed)
    for row in rows:
        del row["responses"]
        if row["code"] == "latency" and row["warning"]:
            row["warning"] = _WITHOUT_BINS.sub("", row["warning"])
    return table_of_codes(rows)


def letters_of(trains: Trains, width: float, saturation: str, name: str) -> tuple[np.ndarray, bool]:
    """Spikes of one neuron in bins, (n_trials, n_bins), and whether they determine the count."""
    letters, is_count = binned(trains, width, name)[:, 0], saturation == "count"
    return letters if is_count else np.minimum(letters, 1), is_count


def table_of_codes(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A table of `rows_of_codes`, with None where there is no warning."""
    table = pd.DataFrame(rows)
    table["warning"] = pd.Series([row["warning"] for row in rows], dtype=object)  # None, not a missing text
    return table


def rows_of_codes(
    labels: np.ndarray, codes: list[Code], bias: str, n_shuffle: int, seed: int
) -> list[dict[str, Any]]:
    """A row per code, the count first: `Estimate.row`, and what the code tells over the count."""
    counts, _ = as_symbols(codes[0][2], "counts")
    rows: list[dict[str, Any]] = []
    for one in codes:
        code, resolution, response, _ = one
        many = response.ndim == 2 and response.shape[1] > 1
        chosen = "panzeri-treves" if bias == "shuffle" and not many else bias
        e = mutual_information(labels, response, bias=chosen, n_shuffle=n_shuffle, seed=seed)
        gain = e.value - (rows[0]["raw"] if rows else e.value)
        over = _over_count(labels, counts, one, gain, bias, n_shuffle, seed)
        row = {"code": code, "resolution": resolution, "responses": as_symbols(response, "response")[1]}
        row |= {**dict.fromkeys(_FIRST), **e.row(), **over}
        if e.warning:
            few = "few trials" in e.warning and e.correction == "panzeri-treves" and e.gain == e.gain
            name = code if math.isnan(resolution) else f"{code} at {1e3 * resolution:g} ms"
            row["warning"] = f"{name}{', a lower bound' * few}: {e.warning}"
            row["verdict"] = f"{e.verdict}, lower bound" if few and e.verdict != NOT_ABOVE else e.verdict
        rows.append(row)
    return rows


def _over_count(
    labels: np.ndarray, counts: np.ndarray, code: Code, gain: float, bias: str, n_shuffle: int, seed: int
) -> dict[str, float | None]:
    """Columns of the information over the count."""
    _, _, response, contains = code
    same = bias == "none" or bias in CLOSED_FORMS
    method = {"none": "plugin"}.get(bias, bias) if same else "panzeri-treves"
    (r, n_r), n_s, n_c = as_symbols(response, "response"), int(labels.max()) + 1, int(counts.max()) + 1
    table, of_counts = contingency(labels, r, n_s, n_r), contingency(labels, counts, n_s, n_c)
    without = informations_without_one(table, method)[labels, r]
    without = without - informations_without_one(of_counts, method)[labels, counts]
    p: float | None = math.nan
    se, left = jackknife_se(without), math.nan
    if n_shuffle:
        rng = np.random.default_rng(seed)
        mixed = (shuffle_within(counts, r[:, None], rng)[:, 0] for _ in range(n_shuffle))
        tables = (contingency(labels, one, n_s, n_r) for one in mixed)
        null = of_many(tables, lambda stack: information_of_tables(stack, method), table.size)
        left = float(null.mean() - information_of_tables(of_counts, method))
        p = permutation_p(null, float(information_of_tables(table, method)))
        gain, se = gain - left if contains and same else gain, max(se, float(null.std()))
    return {"over_count": gain, "over_count_se": se, "over_count_null_mean": left, "over_count_p": p}


def of_one_neuron(trains: Trains, neuron: int | None) -> Trains:
    """The trains of one neuron; NsnnError for None if there are several."""
    n = trains.n_neurons
    if neuron is None and n > 1:
        raise NsnnError(f"neuron = None: the block has {n} neurons, choose one from 0 to {n - 1}")
    return trains.of_neuron(0 if neuron is None else whole(neuron, 0, "neuron", n - 1))


def _dividing(resolutions: Any, length: float, apart: float) -> Sequence[float]:
    widths = np.atleast_1d(si(resolutions, "s", "resolutions"))
    if resolutions is _RESOLUTIONS:  # nobody chose them: those that fit
        ratios = length / widths
        whole_bins = (np.abs(ratios - np.rint(ratios)) <= 1e-6 * ratios) & (np.rint(ratios) >= 1)
        if not whole_bins.any():
            raise NsnnError(
                f"resolutions: none of the default ones, {resolutions}, divides the window of {length:.6g} s: pass others, or "
                "t_start and t_stop"
            )
        widths = widths[whole_bins]
    if widths.ndim != 1 or widths.size == 0 or not (widths > 0).all():
        raise NsnnError(f"resolutions = {resolutions}: expected at least one time, greater than 0")
    for width in widths:
        refuse_remainder(float(width), length, f"{width} s of resolutions", apart)
    return [float(width) for width in widths]
