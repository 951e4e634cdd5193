"""Intersection information: stimulus information in a response that the choice uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.aliases import Values
from ....core.checks import check, one_of, suggest_keywords
from ...estimate import Estimate
from .redundancy import MEASURES, Parts, decompose
from .trial_estimates import BIASES, Alphabet, estimate, estimates, read_trials, refuse_many

_NULLS = ("s", "r", "c", "r|s", "r|c")


@suggest_keywords
def intersection_information(
    s: Values,
    r: Values,
    c: Any,
    *,
    measure: str = "broja",
    bias: str = "quadratic",
    null: str = "r",
    n_shuffle: int = 100,
    seed: int = 0,
) -> Estimate:
    """Intersection information, in bits: what the response tells about both stimulus and choice.

        II = min(redundant(S; R, C), redundant(C; S, R))

    with the redundancies of `partial_information`. It is at most I(S; R), I(R; C) and I(S; C). For
    a chain stimulus -> response -> choice it is I(S; C); a response that follows only one of both
    has none.

    p tests what `null` shuffles away, on plug-in values: "r" (default) permutes responses over all
    trials; "r|s" among trials of the same stimulus, so that choices follow the response no more
    than the stimulus explains (null_mean is then not 0); "r|c" among trials of the same choice; "s"
    and "c" permute stimuli and choices. Where choices don't follow the stimulus, p is too large.
    bias, se and warning: as for `partial_information`. The smaller of equal ones is a little too low.

    Parameters
    ----------
    s, c : (n_trials,) labels: stimulus and choice of each trial
    r : (n_trials,) whole numbers, truth values or texts, or (n_trials, k) words
    measure : of the redundancy, "broja" (default), "i_min" or "mmi", see `partial_information`
    bias : "quadratic" (default), "shuffle", "none"
    null, n_shuffle, seed : see above; n_shuffle = 0 for no test

    Raises
    ------
    NsnnError : no symbols, NaN, unequal lengths, a constant s, an unknown measure, bias or null,
        tables that are too large. Source: Pica et al. 2017, Advances in Neural Information
        Processing Systems 30, doi 10.48550/arXiv.1712.02449

    >>> s, r = [0, 1] * 50, [0, 1] * 45 + [1, 0] * 5  # responses are wrong in a tenth of the trials
    >>> round(float(intersection_information(s, r, r, bias="none", n_shuffle=0)), 3)  # choices follow them
    0.531
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(measure, MEASURES, "measure")
    one_of(bias, BIASES, "bias")
    one_of(null, _NULLS, "null")
    columns = read_trials("s", ("c",), s=s, r=r, c=c)
    n_s, n_r, n_c = columns.sizes
    if measure == "broja":
        refuse_many(n_s, n_r, n_c)
        refuse_many(n_c, n_s, n_r)

    def shared(tables: np.ndarray, tolerance: float) -> Parts:
        of_s = decompose(tables, measure, tolerance=tolerance)
        of_c = decompose(tables.transpose(0, 3, 1, 2), measure, tolerance=tolerance)
        values = np.stack([of_s.values[:, 0], of_c.values[:, 0]], axis=1)
        scores = np.stack([of_s.scores[..., 0], of_c.scores[..., 0].transpose(0, 2, 3, 1)], axis=-1)
        first = (values[:, 0] <= values[:, 1])[:, None, None, None]
        score = np.where(first, scores[..., 0], scores[..., 1])
        return Parts(values.min(1)[:, None], score[..., None], max(of_s.gap, of_c.gap))

    result = estimate(columns, shared, bias=bias, nulls=(null,), n_shuffle=n_shuffle, seed=seed)

    alphabets = {"intersection": Alphabet(max(n_r, n_c), min(n_r, n_c))}
    return estimates(result, bias, columns, alphabets)["intersection"]
