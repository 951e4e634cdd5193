"""Partial information decomposition: redundant, unique, synergistic parts of two responses."""

from __future__ import annotations

import numpy as np

from ....core.aliases import Values
from ....core.checks import check, one_of, suggest_keywords
from ...estimate import Estimate
from .redundancy import MEASURES, decompose
from .trial_estimates import BIASES, Alphabet, estimate, estimates, read_trials, refuse_many

_NULLS = ("s", "r1", "r2", "r1|s", "r1|r2", "r2|r1")


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

    These are three equations for four parts; `measure` is the definition that decides:

    - "broja" (default): redundant + unique_1 + unique_2 is the least I_q(S; R1, R2) of all laws q
      with the data's p(s, r1) and p(s, r2). A response has no unique information if the other, made
      noisier, could replace it. The minimum is certified to 1e-9 bit (`union_information`).
    - "i_min": redundant = sum_s p(s) min_k I(S = s; R_k), of Williams and Beer; it counts as
      redundant what two responses tell about the same stimulus even if they tell different things.
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
    one_of(null, _NULLS, "null")
    columns = read_trials("s", s=s, r1=r1, r2=r2)
    n_s, n_1, n_2 = columns.sizes
    if measure == "broja":
        refuse_many(n_s, n_1, n_2)

    result = estimate(
        columns, lambda tables, tolerance: decompose(tables, measure, tolerance=tolerance),
        bias=bias, nulls=(null,), n_shuffle=n_shuffle, seed=seed,
    )  # fmt: skip
    n_both = int(np.unique(columns.codes["r1"] * n_2 + columns.codes["r2"]).size)
    most, level = max(n_1, n_2), _level(result.value, result.se)
    alphabets = {
        "redundant": Alphabet(most, min(n_1, n_2)),
        "unique_1": Alphabet(most, n_1),
        "unique_2": Alphabet(most, n_2),
        "synergistic": Alphabet(n_both, n_both, "pairs of responses"),
    }
    return estimates(result, bias, columns, alphabets, {"redundant": level, "synergistic": level})


def _level(value: np.ndarray, se: np.ndarray) -> str | None:
    """A warning where neither response tells more than the other: the minimum has a kink."""
    if not (value[1:3] < 2.0 * se[1:3]).all() or not value[0] > 2.0 * se[0]:
        return None
    return (
        "both unique parts are within two errors of 0: between responses that tell the same, redundant and synergistic are too low "
        f"by up to {max(se[1:3]):.2g} bit"
    )
