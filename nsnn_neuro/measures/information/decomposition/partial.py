"""Partial information decomposition of two responses, intersection information and feature-specific information transfer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.aliases import Values
from ....core.checks import check, one_of, suggest_keywords
from ...estimate import Estimate
from .redundancy import MEASURES, Parts, decompose, least_specific
from .trial_estimates import BIASES, Alphabet, estimate, estimates, read_trials, refuse_many

_PARTIAL_NULLS = ("s", "r1", "r2", "r1|s", "r1|r2", "r2|r1")
_INTERSECTION_NULLS = ("s", "r", "c", "r|s", "r|c")
_TRANSFER_NULLS = {"both": ("s", "x_past|s"), "s": ("s",), "x_past|s": ("x_past|s",)}


@suggest_keywords
def partial_information(
    s: Values,
    r1: Values,
    r2: Values,
    *,
    measure: str = "broja",
    bias: str = "quadratic",
    null: str = "s",
    n_shuffle: int = 100,
    seed: int = 0,
) -> dict[str, Estimate]:
    r"""Redundant, unique and synergistic information of two responses about a stimulus, in bits.

    "redundant", "unique_1", "unique_2" and "synergistic" add up to what the responses tell:

        I(S; R1) = redundant + unique_1          I(S; R2) = redundant + unique_2
        I(S; R1, R2) = redundant + unique_1 + unique_2 + synergistic

    These are three equations for four parts; `measure` is the definition that decides ("Redundancy,
    synergy, and what the choice uses" in the documentation compares them):

    - "broja" (default): redundant + unique_1 + unique_2 is the least I_q(S; R1, R2) of all laws q
      with the data's p(s, r1) and p(s, r2), certified to 1e-9 bit.
    - "i_min": redundant = sum_s p(s) min_k I(S = s; R_k), of Williams and Beer.
    - "mmi": redundant = min(I(S; R1), I(S; R2)), so that one unique part is 0.

    Plug-in parts are too high, synergy most. `bias`: "quadratic" (default) extrapolates each part from
    all, half and a quarter of the trials; "shuffle" subtracts the mean over shuffles of s, right at
    zero information only; "none" ("plugin") corrects nothing.

    p tests what `null` shuffles away, on plug-in values. Ties, such as at 0, make it too large.

    | null | permutes | null hypothesis | parts that are then 0 |
    |---|---|---|---|
    | "s" (default) | stimuli | the responses tell nothing | all |
    | "r1", "r2" | this response | it has to do with nothing | all but the other unique part |
    | "r1\|r2", "r2\|r1" | it, given the other | it adds nothing | its unique part, synergistic |
    | "r1\|s" | r1, within stimuli | responses are independent given the stimulus | none |

    A neuron that tells nothing is redundant with a good one by bias alone: test with null="r2".

    se is the infinitesimal jackknife over trials of the corrected value. `warning` is set for fewer
    than four trials per stimulus for each value of a response (pair of values for synergistic), or
    a value within two errors of 0. Coverage: "Errors of information measures" in the documentation.

    Parameters
    ----------
    s : (n_trials,) labels, which stimulus each trial had: whole numbers, texts, floats that repeat
    r1, r2 : (n_trials,) whole numbers, truth values or texts, or (n_trials, k) words
    measure, bias, null : see above
    n_shuffle, seed : number of shuffles, 0 for no test, and the seed of shuffles and partitions

    Raises
    ------
    NsnnError : no symbols, NaN, unequal lengths, a constant s, an unknown measure, bias or null,
        tables that are too large. Sources: Bertschinger et al. 2014, doi 10.3390/e16042161;
        Williams & Beer 2010, doi 10.48550/arXiv.1004.2515; bias: Strong et al. 1998, doi
        10.1103/PhysRevLett.80.197

    >>> r1, r2 = [0, 0, 1, 1] * 25, [0, 1, 0, 1] * 25
    >>> parts = partial_information([0, 0, 0, 1] * 25, r1, r2, bias="none", n_shuffle=0)  # s = r1 and r2
    >>> {name: round(float(part), 3) + 0 for name, part in parts.items()}
    {'redundant': 0.311, 'unique_1': 0.0, 'unique_2': 0.0, 'synergistic': 0.5}
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(measure, MEASURES, "measure")
    one_of(bias, BIASES, "bias")
    one_of(null, _PARTIAL_NULLS, "null")
    columns = read_trials("s", s=s, r1=r1, r2=r2)
    n_s, n_1, n_2 = columns.sizes
    if measure == "broja":
        refuse_many(n_s, n_1, n_2)

    result = estimate(
        columns, lambda tables, tolerance: decompose(tables, measure, tolerance=tolerance),
        bias=bias, nulls=(null,), n_shuffle=n_shuffle, seed=seed,
    )  # fmt: skip
    n_both = int(np.unique(columns.codes["r1"] * n_2 + columns.codes["r2"]).size)
    most, level = max(n_1, n_2), None
    value, se = result.value, result.se
    if (value[1:3] < 2.0 * se[1:3]).all() and value[0] > 2.0 * se[0]:  # the minimum has a kink
        level = (
            "both unique parts are within two errors of 0: between responses that tell the same, redundant and synergistic are too "
            f"low by up to {max(se[1:3]):.2g} bit"
        )
    alphabets = {
        "redundant": Alphabet(most, min(n_1, n_2)),
        "unique_1": Alphabet(most, n_1),
        "unique_2": Alphabet(most, n_2),
        "synergistic": Alphabet(n_both, n_both, "pairs of responses"),
    }
    return estimates(result, bias, columns, alphabets, {"redundant": level, "synergistic": level})


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
    null : see above
    measure, bias, n_shuffle, seed : as for `partial_information`, and so the errors

    Source: Pica et al. 2017, Advances in Neural Information Processing Systems 30, doi
    10.48550/arXiv.1712.02449

    >>> s, r = [0, 1] * 50, [0, 1] * 45 + [1, 0] * 5  # responses are wrong in a tenth of the trials
    >>> round(float(intersection_information(s, r, r, bias="none", n_shuffle=0)), 3)  # choices follow them
    0.531
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(measure, MEASURES, "measure")
    one_of(bias, BIASES, "bias")
    one_of(null, _INTERSECTION_NULLS, "null")
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


def _shared_new(
    x: np.ndarray, other: np.ndarray, past: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """What x and `other`, not `past`, tell about a target, (m,), and scores; laws (m, T, .)."""
    two, (x_2, other_2) = least_specific([x, other])
    three, (x_3, other_3, past_3) = least_specific([x, other, past])
    return two - three, (x_2 - x_3, other_2 - other_3, -past_3)


@suggest_keywords
def feature_information_transfer(
    s: Values,
    x_past: Any,
    y: Values,
    y_past: Any,
    *,
    bias: str = "quadratic",
    null: str = "both",
    n_shuffle: int = 100,
    seed: int = 0,
) -> Estimate:
    """Feature-specific information transfer (FIT): bits about s that x's past passes to y.

        FIT = min(SI(S; X, Y) - SI(S; X, Y, Y'), SI(Y; X, S) - SI(Y; X, S, Y'))

    X is the past of the sender, Y the present and Y' the past of the receiver. SI(S; X, Y), the
    redundancy I_min of Williams and Beer, is what X and Y both tell about S; less what Y' tells too
    it is new to the receiver. The second term has Y as its target, so that FIT is at most I(S; X),
    I(S; Y) and the transfer entropy I(X; Y | Y'), which counts all that x passes to y.

    p tests what `null` shuffles away, on plug-in values. "s" permutes the stimuli; "x_past|s" the
    sender among trials of the same stimulus: x and y are coupled beyond a stimulus that drives
    both. "both" (default), as the source, takes the larger p; it is too large if neither holds.
    bias, se and warning: as for `partial_information`. Equal sources make FIT a little too low.

    Parameters
    ----------
    s : (n_trials,) labels, which stimulus each trial had
    x_past, y, y_past : (n_trials,) whole numbers, truth values or texts, or (n_trials, k) words:
        sender and receiver at two times of each trial, such as `spike_counts` of two windows
    null : see above
    bias, n_shuffle, seed : as for `partial_information`, and so the errors

    Source: Celotto et al. 2023, Advances in Neural Information Processing Systems 36, doi
    10.1101/2023.06.14.544903

    >>> s, before = [0, 0, 1, 1] * 25, [0, 1] * 50  # y takes the stimulus from x, and knew nothing of it
    >>> round(float(feature_information_transfer(s, s, s, before, bias="none", n_shuffle=0)), 3)
    1.0
    >>> round(float(feature_information_transfer(s, s, s, s, bias="none", n_shuffle=0)), 3)  # y knew it before
    0.0
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, BIASES, "bias")
    one_of(null, list(_TRANSFER_NULLS), "null")
    columns = read_trials("s", s=s, x_past=x_past, y=y, y_past=y_past)

    def transfer(tables: np.ndarray, tolerance: float) -> Parts:
        del tolerance  # closed forms
        p = tables / np.maximum(tables.sum((1, 2, 3, 4), keepdims=True), 1e-300)
        s_x, s_y, s_past = p.sum((3, 4)), p.sum((2, 4)), p.sum((2, 3))
        y_x, y_s, y_past = p.sum((1, 4)).swapaxes(1, 2), s_y.swapaxes(1, 2), p.sum((1, 2))
        one, (a, b, c) = _shared_new(s_x, s_y, s_past)
        two, (d, e, f) = _shared_new(y_x, y_s, y_past)
        score_1 = a[:, :, :, None, None] + b[:, :, None, :, None] + c[:, :, None, None, :]
        d, e = d.swapaxes(1, 2), e.swapaxes(1, 2)
        score_2 = d[:, None, :, :, None] + e[:, :, None, :, None] + f[:, None, None, :, :]
        first = (one <= two)[:, None, None, None, None]
        score = np.where(first, score_1 + 0 * score_2, score_2)
        return Parts(np.maximum(np.minimum(one, two), 0.0)[:, None], score[..., None], 0.0)

    result = estimate(
        columns, transfer, bias=bias, nulls=_TRANSFER_NULLS[null], n_shuffle=n_shuffle, seed=seed
    )
    most = max(columns.sizes[1:])
    return estimates(result, bias, columns, {"transfer": Alphabet(most, most)})["transfer"]
