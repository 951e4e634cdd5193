"""One estimation pipeline for information from tables of counts: `read`, `measured`, `judged`; and shuffles of letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ...core.numba_jit import njit
from ...core.warn import TRUST
from ..entropies.contingency import MOST_CELLS, contingency, plugin_entropy, refuse_large
from ..entropies.entropy import NEED_ALPHABET, SE_METHODS, SYMMETRIC, alphabet_size
from ..entropies.estimators import panzeri_treves, profile
from ..entropies.extrapolation import quadratic_extrapolation, refuse_few
from ..entropies.information_tables import (
    conditional_of_tables,
    conditional_spread,
    conditional_without_one,
    count_shuffled,
    information_of_tables,
    informations_without_one,
    zero_spread,
)
from ..entropies.symbols import as_symbols, read_columns
from ..estimate import Estimate, jackknife_se
from ..response_checks import with_test

CELLS_AT_ONCE = 4_000_000  # of several tables
# trials per stimulus for each response that occurs; more than _MANY_RESPONSES or _MANY_PAIRS need PLENTY
ENOUGH = {
    "plugin": 0.0,
    "miller-madow": 64.0,
    "panzeri-treves": 4.0,
    "quadratic": 16.0,
    "chao-shen": 4.0,
    "grassberger": 16.0,
    "nsb": 8.0,
    "best-upper-bound": 1.0,
    "shuffle": 8.0,
}
PLENTY = 64.0
_MANY_RESPONSES, _MANY_PAIRS = 64, 1000
# no correction where all symbols were seen several times: trials are enough where the plug-in's bias is small
_UNCORRECTED = ("plugin", "chao-shen")
# spreads at zero information; below, the bias of all but these two can exceed the error bar
_CHANCE = 6.0
_NOT_JUDGED_BY_CHANCE = ("panzeri-treves", "best-upper-bound")
_IMPOSSIBLE = 2.0  # standard errors
_CURE = "take more trials, fewer responses (shorter words, wider bins), or bias = 'auto' for a bracket"


@dataclass(frozen=True, eq=False)
class Columns:
    """Samples as codes, the columns of a table; made by `read`."""

    codes: dict[str, np.ndarray]  # name -> (n,) from 0; the last one is the response
    sizes: tuple[int, ...]  # number of different codes of each
    alphabet: float = math.nan  # size of that of the response
    inferred: str | None = None  # a warning where that was taken from the samples
    letters: np.ndarray = field(
        default_factory=lambda: np.empty((0, 0), dtype=int)
    )  # (n, k), of the response

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(next(iter(self.codes.values())))

    def limit(self, bias: str) -> float:
        """The alphabet that the estimator takes for granted."""
        return self.alphabet if bias in NEED_ALPHABET else float(self.sizes[-1])

    def cells(self, **changed: np.ndarray) -> np.ndarray:
        """(n,) number of each sample's cell of the table, with some columns exchanged."""
        cells: Any = 0
        for (name, codes), size in zip(self.codes.items(), self.sizes, strict=True):
            cells = cells * size + changed.get(name, codes)
        return cells

    def counts(self, cells: np.ndarray) -> np.ndarray:
        """The table of the samples' cells, of shape `sizes`."""
        return np.bincount(cells, minlength=math.prod(self.sizes)).reshape(self.sizes)

    @cached_property
    def table(self) -> np.ndarray:
        """Counts, of shape `sizes`."""
        return self.counts(self.cells())

    @property
    def groups(self) -> int:
        """Stimuli, or combinations of all columns but the response, that occur."""
        return int((self.table.sum(-1) > 0).sum())

    @property
    def most(self) -> float:
        """The largest information in bits: the entropy of the stimuli, or H(X | Z)."""
        by = self.table.sum(-1)
        return float(plugin_entropy(by) if by.ndim == 1 else by.sum(1) @ plugin_entropy(by) / by.sum())

    def permuted_tables(self, name: str, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """n tables with the column `name` permuted over all samples."""
        step = math.prod(self.sizes[1 + list(self.codes).index(name) :])
        column = self.codes[name] * step
        rest = self.cells() - column
        for _ in range(n):
            yield self.counts(rng.permutation(column) + rest)

    def permuted_within(self, n: int, rng: np.random.Generator) -> tuple[Columns, Iterator[np.ndarray]]:
        """n permutations of x among equal z: columns sorted by z, of changing x, and their n tables, one by one."""
        order = np.argsort(self.codes["z"], kind="stable")
        z, x, y = (self.codes[name][order] for name in "zxy")
        n_z, n_x, n_y = self.sizes
        starts = np.append(0, np.cumsum(np.bincount(z, minlength=n_z)))
        at_once = max(1, CELLS_AT_ONCE // self.table.size)

        def tables() -> Iterator[np.ndarray]:
            for first in range(0, n, at_once):
                for table in np.zeros((min(at_once, n - first), n_z * n_x, n_y), np.int64):
                    count_shuffled(x, y, n_x, starts, rng.random(x.size), table)
                    yield table

        return replace(self, codes={"z": z, "x": x, "y": y}), tables()


def read(
    *,
    labels: Collection[str] = (),
    n_symbols: Any = None,
    condition: str = "",
    most_cells: int = MOST_CELLS,
    **columns: Any,
) -> Columns:
    """`Columns` of named arguments, that of the `condition` first, the response last.

    labels : names whose values are categories, such as a stimulus
    n_symbols : size of the response's alphabet, or None
    """
    read = read_columns(labels, **columns)
    if condition:
        read = {condition: read[condition], **read}
    sizes = {name: one.n_present for name, one in read.items()}
    name, response = list(read.items())[-1]
    refuse_large(sizes, len(response.codes), most_cells)
    alphabet, inferred = alphabet_size(response, n_symbols, name)
    codes = {name: one.codes for name, one in read.items()}
    return Columns(codes, tuple(sizes.values()), alphabet, inferred, response.letters)


class Functional(NamedTuple):
    """A quantity in bits of tables of counts.

    of_tables : of tables (..., *sizes), a bias correction and the response's alphabet: values (...)
    without_one : of one table: values without one sample of each cell, NaN for empty cells
    spread : of one table: standard deviation at zero information, None if it isn't known
    two_sided : for a quantity of either sign: p by absolute value
    """

    of_tables: Callable[[np.ndarray, str, float], np.ndarray]
    without_one: Callable[[np.ndarray, str, float], np.ndarray]
    spread: Callable[[np.ndarray], float] | None
    two_sided: bool = False


def _less_pairs(conditional: Callable[[np.ndarray, str, float], np.ndarray]) -> Callable[..., np.ndarray]:
    """I(X; Y | Z) - I(X; Y) by a function of tables for the first."""

    def interaction(tables: np.ndarray, bias: str, limit: float) -> np.ndarray:
        pairs = tables.sum(-3, keepdims=True)
        return conditional(tables, bias, limit) - conditional(pairs, bias, limit)

    return interaction


# of tables (n_s, n_r), and of tables (n_z, n_x, n_y)
INFORMATION = Functional(information_of_tables, informations_without_one, zero_spread)
CONDITIONAL = Functional(conditional_of_tables, conditional_without_one, conditional_spread)
INTERACTION = Functional(_less_pairs(conditional_of_tables), _less_pairs(conditional_without_one), None, True)


def of_many(
    tables: Iterable[np.ndarray], function: Callable[[np.ndarray], np.ndarray], cells: int
) -> np.ndarray:
    """Values of tables of so many cells, by a function of stacks of them."""
    values: list[np.ndarray] = []
    rest = iter(tables)
    while chunk := list(islice(rest, max(1, CELLS_AT_ONCE // cells))):
        values.append(function(np.array(chunk)))
    return np.concatenate(values) if values else np.empty(0)


def value_and_error(
    data: Columns, functional: Functional, bias: str, rng: np.random.Generator, jackknife: bool = True
) -> tuple[float, float]:
    """The corrected value in bits, and its delete-one jackknife over samples (NaN without)."""
    if bias == "quadratic":
        return _extrapolated(data, rng, jackknife)
    method = "panzeri-treves" if bias == "shuffle" else bias
    table, limit, se = data.table, data.limit(method), math.nan
    value = float(functional.of_tables(table, method, limit))
    if jackknife:
        seen = table > 0
        se = float(jackknife_se(functional.without_one(table, method, limit)[seen], table[seen]))
    if bias == "shuffle":
        stimuli = next(iter(data.codes.values()))
        change, spread = shuffled_correction(data.letters, stimuli, data.sizes[0], rng=rng)
        value, se = value + change, math.hypot(se, spread)
    return value, se


def _extrapolated(data: Columns, rng: np.random.Generator, jackknife: bool) -> tuple[float, float]:
    """I(S; R), or I(X, Z; Y) - I(Z; Y), each extrapolated to infinitely many samples."""
    *given, response = data.codes.values()
    refuse_few(data.n, next(name for name in data.codes if name != "z"))

    def of(stimuli: np.ndarray, n: int) -> tuple[float, np.ndarray]:
        return quadratic_extrapolation(
            stimuli, response, n, data.sizes[-1], rng=rng, joint=True, jackknife=jackknife
        )

    if len(given) == 1:
        value, without = of(given[0], data.sizes[0])
        return value, float(jackknife_se(without))
    pairs, place = np.unique(given[0] * data.sizes[1] + given[1], return_inverse=True)
    (both, without_both), (one, without_one) = of(place.reshape(-1), pairs.size), of(given[0], data.sizes[0])
    return both - one, float(jackknife_se(without_both - without_one))


def null_values(
    data: Columns, functional: Functional, bias: str, null: str, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Corrected values (n,) with a column permuted: over all samples, or "x|z" among equal z."""
    if null == "x|z":
        permuted, tables = data.permuted_within(n, rng)
        mixed = (permuted for _ in tables)
    else:
        tables = data.permuted_tables(null, n, rng)
        columns = (rng.permutation(data.codes[null]) for _ in range(n))
        mixed = (replace(data, codes={**data.codes, null: one}) for one in columns)
    if bias not in SYMMETRIC:
        return np.array([value_and_error(one, functional, bias, rng, jackknife=False)[0] for one in mixed])

    def values(stack: np.ndarray) -> np.ndarray:
        return functional.of_tables(stack.reshape(-1, *data.sizes), bias, data.limit(bias))

    return of_many(tables, values, data.table.size)


def measured(
    data: Columns, functional: Functional, bias: str, null: str, n_shuffle: int, seed: int
) -> tuple[Estimate, float]:
    """Value, error and test by the formulas, possible or not; and the spread at zero information."""
    rng = np.random.default_rng(seed)
    value, se = value_and_error(data, functional, bias, rng)
    spread = 0.0 if functional.spread is None else functional.spread(data.table)
    se = max(se, spread)
    values = null_values(data, functional, bias, null, n_shuffle, rng)
    how = SE_METHODS.get(bias, "jackknife over samples")
    result = with_test(value, se, bias, values, two_sided=functional.two_sided, n=data.n, se_method=how)
    return result, spread


def judged(
    found: Estimate,
    most: float | None = None,
    of: str = "the stimuli",
    notes: Iterable[str | None] = (),
    spread: float | None = None,
    last: str | None = None,
    reason: str | None = None,
) -> Estimate:
    """The estimate with its warnings; NaN where it is impossible.

    Above `most`, the entropy `of` something, by two errors or less the value is `most`. Below zero by two errors or
    less it stays, so that means over repeats are right. `most` is None for a quantity of any value; `notes` and `last`
    are further warnings or None. With `spread`, the standard deviation at zero information, a value within the range of
    chance is warned of.
    """
    value, se, why, chance = found.value, found.se, None, None
    if most is not None and value < -_IMPOSSIBLE * se - 1e-9:
        why = "is below zero"
    elif most is not None and value > most + _IMPOSSIBLE * se + 1e-9:
        why = f"is above the {most:.4g} bit of {of}"
    if why:
        why = f"{value:.3g} ± {se:.2g} bit by {found.correction} {why} beyond its error: {_CURE}{TRUST}no estimate"
    unbiased = found.correction in _NOT_JUDGED_BY_CHANCE
    if spread is not None and not unbiased and value < _CHANCE * spread:
        chance = (
            f"{value:.2g} bit is within what chance gives ({_CHANCE:.0f} times {spread:.2g} bit), where the bias of "
            f"{found.correction} may be larger than its error bar; judge by p"
        )
    value = math.nan if why else value if most is None else min(value, most)
    warning = "; ".join(note for note in [why, *notes, chance, last] if note) or None
    se = se if math.isfinite(value) else math.nan
    return replace(found, value=value, se=se, warning=warning, reason=reason)


OF_TRIALS = ("trials", "per stimulus", "responses", "response")
OF_PAIRS = ("samples", "per pair (x, z)", "values of y", "value of y")


def few_samples(
    bias: str, n: int, groups: int, n_r: int, cure: str, words: tuple[str, ...] = OF_TRIALS
) -> str | None:
    """A warning where n samples for so many stimuli (or pairs) and n_r responses are too few."""
    samples, per, responses, response = words
    each, per_response = ENOUGH[bias], n / (groups * n_r)
    what, enough = f"{each:.4g} {samples} for each {response}", each
    if bias in _UNCORRECTED:
        enough = max(each, 4 * ((groups - 1) * (n_r - 1)) ** 2 / (groups * n_r))
    elif n_r > _MANY_RESPONSES or groups * n_r > _MANY_PAIRS:
        enough = max(PLENTY, each)
    if per_response >= enough:
        return None
    if per_response < each:
        few = f", fewer than {what}: {bias} may be biased"
    elif bias in _UNCORRECTED:
        excess = (groups - 1) * (n_r - 1) / (2 * n * math.log(2))
        few = f": {bias} may be too high by up to {excess:.2g} bit"
    else:
        few = f": {what} are not enough where there are so many, and {bias} may be biased"
    return f"{n / groups:.4g} {samples} {per} for {n_r} {responses}{few}; take more {samples} or {cure}{TRUST}few trials"


SHUFFLES = 10  # of the letters, averaged


@njit(cache=True)  # pragma: no cover - compiled
def _mix(words: np.ndarray, starts: np.ndarray, uniform: np.ndarray) -> None:
    """Permutes each letter by itself over the rows starts[i] ... starts[i + 1] - 1, in place."""
    for c in range(words.shape[1]):
        for group in range(starts.size - 1):
            first = starts[group]
            for i in range(starts[group + 1] - 1, first, -1):
                j = first + int(uniform[c, i] * (i - first + 1))
                words[i, c], words[j, c] = words[j, c], words[i, c]


def shuffle_within(s: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words (n, k) with the trials of each letter permuted among those of the same s (n,)."""
    out, order = np.empty_like(words), np.argsort(s, kind="stable")
    for c in range(words.shape[1]):
        mixed = np.lexsort((rng.random(s.size), s))
        out[order, c] = words[mixed, c]
    return out


def shuffled_correction(
    words: np.ndarray, s: np.ndarray, n_s: int, *, rng: np.random.Generator
) -> tuple[float, float]:
    """H_sh(R|S) - H_ind(R|S) in bits and its standard error over the shuffles, of words int (n, k) and codes s int (n,).

    H_ind is the sum over letters of their entropies given s, H_sh the entropy given s of words whose letters are
    permuted over the trials of each stimulus, a mean over 10 such shuffles, all corrected by Panzeri & Treves. Both
    estimate the same, so that adding the difference changes the bias of an information alone. Source: Montemurro,
    Senatore & Panzeri 2007, doi 10.1162/neco.2007.19.11.2913; Panzeri et al. 2007, doi 10.1152/jn.00559.2007
    """
    order = np.argsort(s, kind="stable")
    grouped, by_letter = s[order], words[order]
    per_stimulus = np.bincount(s, minlength=n_s)

    def conditional(words: np.ndarray) -> float:
        codes, size = as_symbols(words, "words")
        table = contingency(grouped, codes, n_s, size)
        return float(per_stimulus @ panzeri_treves(profile(table, size)) / len(s))

    independent = sum(conditional(letter) for letter in by_letter.T)
    values = np.empty(SHUFFLES)
    starts, mixed = np.append(0, np.cumsum(per_stimulus)), by_letter.copy()
    for turn in range(SHUFFLES):
        _mix(mixed, starts, rng.random(mixed.T.shape))
        values[turn] = conditional(mixed)
    return float(values.mean() - independent), float(values.std(ddof=1) / np.sqrt(SHUFFLES))
