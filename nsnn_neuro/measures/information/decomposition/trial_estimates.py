"""Estimates of functions of a table of counts: bias, error over trials, permutation test.

Error. With the score f of a table's cell (its derivative), a trial changes the value by (f - mean f) / N, and the
infinitesimal jackknife is the root of the sum of their squares. Where a value has a kink, the derivative sees one side
only, but (v_1 - v_2)^2 / 4 of the two halves of the trials has the variance of v(N) as its mean. The larger of the two
errors is taken.

Test. A permutation test is exact for any statistic, so it compares plug-in values: the same correction would be taken
off the data and the shuffles. `null_mean` is the mean of corrected values, for the extrapolation over 20 shuffles with
one partition each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ....core.errors import NsnnError
from ....core.warn import TRUST
from ...entropies.contingency import LN2
from ...entropies.extrapolation import PARTITIONS, deal, refuse_few
from ...entropies.symbols import one_value
from ...estimate import Estimate
from ...response_checks import shuffle_test
from ..pipeline import Columns, judged, read, shuffle_within
from .redundancy import TOLERANCE, Parts

BIASES = ("quadratic", "shuffle", "none", "plugin")
SE_METHOD = "infinitesimal jackknife over trials"
_MOST_CELLS, _CELLS_AT_ONCE = 50_000, 500_000
_MOST_EQUATIONS = 500  # of the solver, whose time grows with their cube
_CORRECTED_SHUFFLES = 20  # whose corrected values are averaged
_LOOSE = 1e-6  # bit; tolerance of the solver for tables of which many are averaged or compared
_MIN_TRIALS = 4.0  # per stimulus for each response: two errors then held the truth in nine of ten repeats
_LARGEST_GAP = 1e-6  # bit
_SKEWED = 2.0  # standard errors
_NEGLIGIBLE = 1e-5  # bit; smaller differences may come from the solver
Function = Callable[[np.ndarray, float], Parts]


def read_trials(stimulus: str, labels: tuple[str, ...] = (), **columns: Any) -> Columns:
    """`Columns` of the named arguments, the first, `stimulus`, of which varies; `labels` are further categories, such as
    choices.
    """
    result = read(labels=(stimulus, *labels), most_cells=_MOST_CELLS, **columns)
    if result.sizes[0] < 2:
        raise NsnnError(f"{stimulus} holds one value in {result.n} trials: information needs at least two")
    return result


def _shuffled(columns: Columns, null: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The column that `null` names, "x" or "x|y", permuted over trials (that are equal in y)."""
    name, _, given = null.partition("|")
    if not given:
        return {name: rng.permutation(columns.codes[name])}
    return {name: shuffle_within(columns.codes[given], columns.codes[name][:, None], rng)[:, 0]}


class Estimated(NamedTuple):
    """Values (k,), errors and tests of the k functions; made by `estimate`."""

    value: np.ndarray
    se: np.ndarray
    tests: list[dict[str, Any]]
    gap: float


def _quarters(columns: Columns, cells: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The quarter of each trial (n,) and the tables of the quarters, dealt by stimulus."""
    n_s, n_r = columns.sizes[0], math.prod(columns.sizes[1:])
    quarter, tables = np.empty(columns.n, dtype=np.int64), np.zeros((4, n_s, n_r), dtype=np.int64)
    deal(rng.permutation(columns.n), cells // n_r, cells % n_r, n_s, quarter, tables)
    return quarter, tables.reshape(4, *columns.sizes)


def _centred(parts: Parts, tables: np.ndarray) -> np.ndarray:
    """Scores (m, cells, k) less their mean over the trials of each table."""
    flat = tables.reshape(len(tables), -1, 1)
    scores = parts.scores.reshape(len(tables), flat.shape[1], -1)
    return scores - (flat * scores).sum(1, keepdims=True) / np.maximum(flat.sum(1, keepdims=True), 1)


def _extrapolated(
    columns: Columns, function: Function, whole: Parts, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Extrapolated values (k,) and their errors."""
    cells = columns.cells()
    table = columns.table[None]
    value, each = 8.0 * whole.values[0], 8.0 * _centred(whole, table)[0, cells]
    at_once = max(1, _CELLS_AT_ONCE // (6 * math.prod(columns.sizes)))
    spread = np.zeros(whole.values.shape[1])
    for first in range(0, PARTITIONS, at_once):
        dealt = [_quarters(columns, cells, rng) for _ in range(min(at_once, PARTITIONS - first))]
        tables = np.concatenate([part for _, four in dealt for part in (four[:2] + four[2:], four)])
        parts = function(tables, _LOOSE)
        scores = _centred(parts, tables)
        # six tables each time that trials are dealt: two halves, then four quarters; quarter q is in half q % 2
        for k, (quarter, _) in enumerate(dealt):
            halves = parts.values[6 * k : 6 * k + 2]
            value = value + (parts.values[6 * k + 2 : 6 * k + 6].mean(0) - 6.0 * halves.mean(0)) / PARTITIONS
            of_trials = scores[6 * k + 2 + quarter, cells] - 6.0 * scores[6 * k + quarter % 2, cells]
            each = each + of_trials / PARTITIONS
            spread += halves.var(0) / PARTITIONS
    se = np.sqrt((each**2).sum(0) / columns.n / max(columns.n - 1, 1)) / 3.0
    return value / 3.0, np.maximum(se, np.sqrt(spread))


def _null(
    columns: Columns, function: Function, bias: str, null: str, n_shuffle: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Plug-in values of shuffled trials (n_shuffle, k), and corrected ones of the first."""
    plain, corrected = [], []
    at_once = max(1, _CELLS_AT_ONCE // math.prod(columns.sizes))
    for first in range(0, n_shuffle, at_once):
        shuffles = [_shuffled(columns, null, rng) for _ in range(min(at_once, n_shuffle - first))]
        tables = np.stack([columns.counts(columns.cells(**changed)) for changed in shuffles])
        plain.append(function(tables, _LOOSE).values)
        if bias != "quadratic":
            corrected.append(plain[-1])
            continue
        for changed, value in zip(shuffles[: max(0, _CORRECTED_SHUFFLES - first)], plain[-1], strict=False):
            quarters = _quarters(columns, columns.cells(**changed), rng)[1]
            v = function(np.concatenate([quarters[:2] + quarters[2:], quarters]), _LOOSE).values
            corrected.append(((8 * value - 6 * v[:2].mean(0) + v[2:].mean(0)) / 3)[None])
    return np.concatenate(plain), np.concatenate(corrected)


def estimate(
    columns: Columns, function: Function, *, bias: str, nulls: tuple[str, ...], n_shuffle: int, seed: int
) -> Estimated:
    """Values of `function` of the table of trials, with errors and tests.

    function : of tables (m, *sizes) of counts and a tolerance in bits, gives `Parts`
    nulls : names of shuffles; with several the largest p and its mean are taken
    """
    rng = np.random.default_rng(seed)
    if bias == "quadratic":
        refuse_few(columns.n, next(iter(columns.codes)))
    if bias == "shuffle" and n_shuffle < 2:
        raise NsnnError(f"n_shuffle = {n_shuffle}: bias = 'shuffle' needs at least 2 shuffles")
    table = columns.table[None]
    whole = function(table, TOLERANCE)
    value = whole.values[0]
    if bias == "quadratic":
        value, se = _extrapolated(columns, function, whole, rng)
    else:
        each = _centred(whole, table)[0, columns.cells()]
        se = np.sqrt((each**2).sum(0) / columns.n / max(columns.n - 1, 1))
    left = np.zeros_like(value)  # by shuffled stimuli
    if bias == "shuffle":
        shuffled, _ = _null(columns, function, bias, next(iter(columns.codes)), n_shuffle, rng)
        left = shuffled.mean(0)
        value, se = value - left, np.hypot(se, shuffled.std(0, ddof=1) / math.sqrt(n_shuffle))
    tests = [shuffle_test(np.empty(0), 0.0) for _ in value]
    plain = function(table, _LOOSE).values[0] - 2 * _LOOSE  # what differs by the tolerance alone is equal
    for null in nulls if n_shuffle else ():
        shuffled, corrected = _null(columns, function, bias, null, n_shuffle, rng)
        for k, test in enumerate(tests):
            one = shuffle_test(shuffled[:, k], float(plain[k]))
            one["null_mean"] = float(corrected[:, k].mean() - left[k])
            if test["p"] is None or one["p"] > test["p"]:
                test.update(one)
    return Estimated(value, se, tests, whole.gap)


def refuse_many(n_s: int, n_1: int, n_2: int) -> None:
    """NsnnError for a minimisation that would take too long."""
    if n_s * (n_1 + n_2) > _MOST_EQUATIONS:
        raise NsnnError(
            f"measure = 'broja' for {n_s} stimuli, {n_1} and {n_2} responses needs {n_s * (n_1 + n_2)} equations: expected at "
            f"most {_MOST_EQUATIONS}; use fewer symbols, for counts bin_counts(counts, n_bins=4), or measure='i_min'"
        )


class Alphabet(NamedTuple):
    """What a value needs trials for, and what its bias grows with."""

    size: int  # responses, or pairs of them, for each of which four trials per stimulus are needed
    free: int  # responses that the plug-in value's bias grows with
    what: str = "responses"


def estimates(
    found: Estimated,
    bias: str,
    columns: Columns,
    alphabets: dict[str, Alphabet],
    notes: dict[str, str | None] | None = None,
) -> dict[str, Estimate]:
    """An `Estimate` for each name in `alphabets`, with its warnings and `notes` by name."""
    constant = one_value(dict(zip(columns.codes, columns.sizes, strict=True)))
    gap = f"the minimum was found to {found.gap:.1g} bit only" if found.gap > _LARGEST_GAP else None
    correction, n, n_s, out = {"plugin": "none"}.get(bias, bias), columns.n, columns.sizes[0], {}
    values = zip(alphabets.items(), found.value.tolist(), found.se.tolist(), found.tests, strict=True)
    for (name, (size, free, what)), value, se, test in values:
        few = uncorrected = near = None
        if n < _MIN_TRIALS * n_s * size:
            few = (
                f"{n / n_s:.4g} trials per stimulus for {size} {what}, fewer than {_MIN_TRIALS:.0f} each: the estimate may be "
                f"biased; take more trials or fewer responses{TRUST}few trials"
            )
        excess = (n_s - 1) * (free - 1) / (2 * n * LN2)
        if correction == "none" and excess >= 0.5 * se:
            uncorrected = f'not corrected, so too high by up to {excess:.2g} bit: take bias = "quadratic"'
        if value < -_SKEWED * se - _NEGLIGIBLE:
            near = "below zero beyond its error: take more trials or fewer responses"
        elif value < _SKEWED * se and se > _NEGLIGIBLE:
            near = "within two errors of 0, where estimates are skewed: it may be 0"
        near = near and f"{value:.2g} ± {se:.1g} bit is {near}"
        one = Estimate(value, se, correction, n=n, se_method=SE_METHOD, **test)
        own = (notes or {}).get(name)
        out[name] = judged(one, notes=[few, uncorrected, own, constant, near, gap])
    return out
