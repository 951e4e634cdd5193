"""What the decompositions share: reading of trials, limits of their tables, warnings of their estimates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ....core.errors import NsnnError
from ...entropy.contingency import LN2
from ...entropy.symbols import as_symbols, one_value
from ...estimate import Estimate
from .shuffled_tables import SE_METHOD, Columns, Estimated

_MOST_CELLS = 50_000
_MOST_EQUATIONS = 500  # of the solver, whose time grows with their cube
_ENOUGH = (
    4.0  # trials per stimulus for each response: with these, two errors held the truth in nine of ten repeats
)
_GAP = 1e-6  # bit
_SKEWED = 2.0  # standard errors
_NOTHING = 1e-5  # bit; tables of which many are averaged are not solved closer


def read(stimulus: str, labels: tuple[str, ...] = (), **columns: Any) -> Columns:
    """`Columns` of the named arguments, the first of which is `stimulus`; NsnnError for unequal lengths or a constant stimulus.

    labels : further names whose values are categories, such as choices

    >>> read("s", s=[0, 1, 1], r=["a", "b", "a"]).table().tolist()
    [[1, 0], [1, 1]]
    """
    result = {name: as_symbols(x, name, category=name in (stimulus, *labels)) for name, x in columns.items()}
    lengths = [len(codes) for codes, _ in result.values()]
    if len(set(lengths)) > 1:
        listed = ", ".join(map(str, lengths))
        raise NsnnError(f"{', '.join(result)} have {listed} trials: expected equal numbers")
    if lengths[0] < 2:
        raise NsnnError(f"{', '.join(result)} have {lengths[0]} trial: expected at least two")
    if result[stimulus][1] < 2:
        raise NsnnError(
            f"{stimulus} holds one value in {lengths[0]} trials: information about it needs at least two"
        )
    sizes = tuple(size for _, size in result.values())
    if math.prod(sizes) > _MOST_CELLS:
        listed = " by ".join(f"{size} {name}" for name, size in zip(result, sizes, strict=True))
        raise NsnnError(
            f"a table of {listed} has {math.prod(sizes)} cells: expected at most {_MOST_CELLS}; use fewer symbols, for "
            "counts bin_counts(counts, n_bins=4)"
        )
    return Columns({name: codes for name, (codes, _) in result.items()}, sizes)


def refuse_many(n_s: int, n_1: int, n_2: int) -> None:
    """NsnnError for a minimisation that would take too long.

    >>> refuse_many(8, 6, 6)
    """
    if n_s * (n_1 + n_2) > _MOST_EQUATIONS:
        raise NsnnError(
            f"measure = 'broja' for {n_s} stimuli, {n_1} and {n_2} responses needs {n_s * (n_1 + n_2)} equations: expected at "
            f"most {_MOST_EQUATIONS}; use fewer symbols, for counts bin_counts(counts, n_bins=4), or measure='i_min'"
        )


def few(n: int, n_s: int, n_r: int, what: str) -> str | None:
    """A warning where trials per stimulus are fewer than four for each response.

    >>> few(40, 2, 4, "pairs of responses")
    >>> few(20, 2, 4, "pairs of responses")
    '10 trials per stimulus for 4 pairs of responses, fewer than 4 each: the estimate may be biased; ...'
    """
    if n >= _ENOUGH * n_s * n_r:
        return None
    return (
        f"{n / n_s:.4g} trials per stimulus for {n_r} {what}, fewer than {_ENOUGH:.0f} each: the estimate may be biased; take "
        "more trials or fewer responses"
    )


def uncorrected(bias: str, n: int, n_s: int, n_r: int, se: float) -> str | None:
    """A warning where a plug-in value is too high by more than half its error.

    >>> uncorrected("none", 100, 2, 4, 0.01)
    'not corrected, so too high by up to 0.022 bit: take bias = "quadratic"'
    """
    excess = (n_s - 1) * (n_r - 1) / (2 * n * LN2)
    if bias not in ("none", "plugin") or excess < 0.5 * se:
        return None
    return f'not corrected, so too high by up to {excess:.2g} bit: take bias = "quadratic"'


def estimates(
    found: Estimated,
    names: tuple[str, ...],
    bias: str,
    columns: Columns,
    notes: Callable[[str, float], list[str | None]],
) -> dict[str, Estimate]:
    """An `Estimate` for each name; `notes` of a name and its error are the warnings that are not the same for all."""
    constant = one_value(dict(zip(columns.codes, columns.sizes, strict=True)))
    out = {}
    for k, name in enumerate(names):
        value, se = float(found.value[k]), float(found.se[k])
        shared = [constant, _near_zero(value, se)]
        if found.gap > _GAP:
            shared.append(f"the minimum was found to {found.gap:.1g} bit only")
        warning = "; ".join(note for note in [*notes(name, se), *shared] if note) or None
        out[name] = Estimate(
            value,
            se,
            {"plugin": "none"}.get(bias, bias),
            n=columns.n,
            warning=warning,
            se_method=SE_METHOD,
            **found.tests[k],
        )
    return out


def _near_zero(value: float, se: float) -> str | None:
    if value < -_SKEWED * se - _NOTHING:
        return (
            f"{value:.2g} ± {se:.1g} bit is below zero beyond its error: take more trials or fewer responses"
        )
    if value < _SKEWED * se and se > _NOTHING:
        return (
            f"{value:.2g} ± {se:.1g} bit is within two errors of 0, where estimates are skewed: it may be 0"
        )
    return None


def pairs(first: np.ndarray, second: np.ndarray) -> int:
    """Number of different pairs that occur.

    >>> pairs(np.array([0, 0, 1]), np.array([1, 1, 1]))
    2
    """
    return int(np.unique(first * (second.max() + 1) + second).size)
